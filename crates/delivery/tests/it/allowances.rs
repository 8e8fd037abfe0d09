//! Peers that may send so much and no more.

use std::num::NonZero;
use std::time::Duration;

use delivery::{Allowance, Closed, Options, Socket};
use flate2::{Compress, Compression, FlushCompress};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::support::{Hall, LOBBY, NATIVE, Person, Told, hall_with, masked, next, options};

const REASON: &str = "come back later";

fn strict_hall() -> Hall {
    hall_with(Options { shards: 1, flood_reason: REASON, ..options() })
}

/// A person who may send ten frames or ten kilobytes at once, and a tenth of that each second.
async fn bounded(hall: &Hall) -> Person {
    let stream = TcpStream::connect(hall.address()).await.unwrap();
    let allowance = Allowance { frames: NonZero::new(1).unwrap(), bytes: NonZero::new(1_000).unwrap() };
    hall.seat_on(stream, Socket::from(hall.accepted()).allowed(allowance), NATIVE).await
}

async fn is_sent_away(mut person: Person, hall: &Hall, neighbour: &mut Person) {
    let goodbye = person.goodbye().await.expect("a close code");
    assert_eq!((u16::from(goodbye.code), goodbye.reason.as_str()), (1008, REASON));
    hall.says(LOBBY, 1, "nothing happened");
    neighbour.hears("nothing happened").await;
    neighbour.says("may I?").await;
    neighbour.gateway_is_told(Told::Text("may I?".to_owned())).await;
}

#[tokio::test]
async fn who_sends_too_many_frames_is_sent_away_and_the_neighbour_is_not() {
    let hall = strict_hall();
    let (mut ben, mut ana) = (bounded(&hall).await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    for number in 0..12 {
        ben.says(&number.to_string()).await;
        hall.delivery.answered(ben.conn);
    }
    is_sent_away(ben, &hall, &mut ana).await;
}

#[tokio::test]
async fn pings_and_fragments_count_as_frames() {
    let ping = Message::Ping("".into());
    let fragment = |opcode| Message::Frame(RawFrame::message("", OpCode::Data(opcode), false));
    for (first, then) in [(ping.clone(), ping), (fragment(Data::Text), fragment(Data::Continue))] {
        let hall = strict_hall();
        let (mut ben, mut ana) = (bounded(&hall).await, hall.person().await);
        ana.follows(LOBBY, 0, 0);
        ben.sends(first).await;
        for _ in 0..11 {
            ben.sends(then.clone()).await;
        }
        loop {
            match ben.message().await {
                Message::Pong(_) => {}
                Message::Close(Some(goodbye)) => break assert_eq!(u16::from(goodbye.code), 1008),
                other => panic!("not a goodbye: {other:?}"),
            }
        }
        hall.says(LOBBY, 1, "nothing happened");
        ana.hears("nothing happened").await;
    }
}

#[tokio::test]
async fn who_sends_too_many_bytes_is_sent_away_and_the_neighbour_is_not() {
    let hall = strict_hall();
    let (mut ben, mut ana) = (bounded(&hall).await, hall.person().await);
    ana.follows(LOBBY, 0, 0);
    ben.says(&"x".repeat(6_000)).await;
    ben.says(&"x".repeat(6_000)).await;
    is_sent_away(ben, &hall, &mut ana).await;
}

#[tokio::test]
async fn what_came_while_we_did_not_read_is_not_a_flood() {
    // Bounded to what may come in ten seconds at once. In the second in which Ben waits he earns another tenth of
    // that.
    let options = Options { max_unanswered: 1, silence: Duration::from_secs(1), ..options() };
    let hall = hall_with(Options { shards: 1, ..options });
    let stream = TcpStream::connect(hall.address()).await.unwrap();
    let allowance = Allowance { frames: NonZero::new(100).unwrap(), bytes: NonZero::new(10_000).unwrap() };
    let socket = Socket::from(hall.accepted()).allowed(allowance);
    let mut ben = hall.seat_on(stream, socket, NATIVE).await;
    ben.says("one").await;
    ben.gateway_is_told(Told::Text("one".to_owned())).await;
    // Cyd comes when Ben waits already, and is silent for longer than a second.
    let mut cyd = hall.person().await;
    let (two, three) = ("2".repeat(52_500), "3".repeat(52_500));
    ben.says(&two).await;
    ben.says(&three).await;
    cyd.gateway_is_told(Told::Closed(Closed::Silent)).await;

    for text in [two, three] {
        hall.delivery.answered(ben.conn);
        ben.gateway_is_told(Told::Text(text)).await;
    }
    ben.says("four").await;
    hall.delivery.answered(ben.conn);
    ben.gateway_is_told(Told::Text("four".to_owned())).await;
}

#[tokio::test]
async fn what_was_deflated_counts_as_what_it_was() {
    let hall = strict_hall();
    let mut stream = TcpStream::connect(hall.address()).await.unwrap();
    let allowance = Allowance { frames: NonZero::new(1).unwrap(), bytes: NonZero::new(1_000).unwrap() };
    let socket = Socket::from(hall.accepted()).allowed(allowance);
    let (_, mut told) = hall.attach(socket, b"", NATIVE.deflated());
    let text = "x".repeat(12_000);
    let mut payload = Vec::with_capacity(1_000);
    Compress::new(Compression::best(), false)
        .compress_vec(text.as_bytes(), &mut payload, FlushCompress::Sync)
        .unwrap();
    payload.truncate(payload.len() - 4);
    assert!(payload.len() < 200);

    stream.write_all(&masked(0xC1, &payload)).await.unwrap();

    assert_eq!(next(&mut told).await, Told::Text(text));
    assert_eq!(next(&mut told).await, Told::Closed(Closed::Protocol { code: 1008 }));
}

#[tokio::test]
async fn who_is_not_bounded_may_send_any_amount() {
    let hall = strict_hall();
    let mut ana = hall.person().await;
    for number in 0..1_000 {
        ana.says(&format!("{number} {}", "x".repeat(1_000))).await;
        assert!(matches!(crate::support::next(&mut ana.told).await, Told::Text(_)));
        hall.delivery.answered(ana.conn);
    }
    hall.delivery.close(ana.conn, 4000, "");
    ana.gateway_is_told(Told::Closed(Closed::ByUs { code: 4000 })).await;
}
