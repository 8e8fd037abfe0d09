//! How connections end.

use std::time::{Duration, Instant};

use delivery::{Closed, Options};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::support::{LOBBY, NATIVE, Told, hall, hall_with, meanwhile, next, options};

#[tokio::test]
async fn a_goodbye_comes_after_what_was_queued_and_nothing_comes_after_it() {
    let hall = hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);

    hall.says(LOBBY, 1, "one");
    ana.is_given("two");
    hall.delivery.close(ana.conn, 4401, "session ended");
    hall.says(LOBBY, 2, "never");
    ana.is_given("never");

    ana.hears_all(["one", "two"]).await;
    let goodbye = ana.goodbye().await.unwrap();
    assert_eq!((u16::from(goodbye.code), goodbye.reason.as_str()), (4401, "session ended"));
    ana.gateway_is_told(Told::Closed(Closed::ByUs { code: 4401 })).await;
}

#[tokio::test]
async fn a_goodbye_is_answered_with_its_own_code() {
    let hall = hall();
    let mut ana = hall.person().await;

    let goodbye = CloseFrame { code: CloseCode::Library(4000), reason: "bye".into() };
    ana.sends(Message::Close(Some(goodbye))).await;

    ana.is_sent_away(4000).await;
    ana.gateway_is_told(Told::Closed(Closed::ByPeer { code: Some(4000) })).await;
}

#[tokio::test]
async fn a_goodbye_without_a_code_is_answered_without_one() {
    let hall = hall();
    let mut ana = hall.person().await;

    ana.sends(Message::Close(None)).await;

    assert_eq!(ana.goodbye().await, None);
    ana.gateway_is_told(Told::Closed(Closed::ByPeer { code: None })).await;
}

#[tokio::test]
async fn a_socket_that_just_ends_is_noticed() {
    let hall = hall();
    let (socket, _, mut told) = hall.raw().await;

    drop(socket);

    assert_eq!(next(&mut told).await, Told::Closed(Closed::Lost));
}

#[tokio::test]
async fn words_said_right_before_hanging_up_are_heard() {
    let hall = hall();
    let (mut socket, _, mut told) = hall.raw().await;

    socket.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    drop(socket);

    assert_eq!(next(&mut told).await, Told::Text("hi".to_owned()));
    assert_eq!(next(&mut told).await, Told::Closed(Closed::Lost));
}

#[tokio::test]
async fn a_gateway_that_panics_ends_one_connection_and_nothing_else() {
    let hall = hall_with(Options { shards: 1, ..options() });
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);

    ana.says("panic, please").await;

    ana.is_sent_away(1011).await;
    ana.gateway_is_told(Told::Closed(Closed::ByUs { code: 1011 })).await;
    ben.is_given("nothing happened");
    ben.hears("nothing happened").await;
    hall.comes_to_count(|stats| stats.panics == 1).await;
}

#[tokio::test]
async fn draining_says_goodbye_to_everybody_one_after_the_other() {
    let hall = hall();
    let mut people = Vec::new();
    for _ in 0..20 {
        people.push(hall.person().await);
    }
    let delivery = hall.delivery.clone();
    let before = Instant::now();

    let drained = meanwhile(move || {
        let (over, patience) = (Duration::from_millis(1_500), Duration::from_secs(10));
        delivery.drain(1012, || "restart".to_owned(), over, patience);
        delivery.connections()
    });
    let goodbyes = async {
        let mut times = Vec::new();
        for person in &mut people {
            person.is_sent_away(1012).await;
            person.gateway_is_told(Told::Closed(Closed::ByUs { code: 1012 })).await;
            times.push(before.elapsed());
        }
        times
    };
    let (left, times) = tokio::join!(drained, goodbyes);

    assert_eq!(left, 0);
    assert!(*times.last().unwrap() > Duration::from_millis(700), "all at once: {times:?}");
    let mut late = hall.person().await;
    late.is_sent_away(1012).await;
}

#[tokio::test]
async fn stopping_ends_everybody_and_also_whoever_comes_too_late() {
    let hall = hall();
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    let delivery = hall.delivery.clone();

    meanwhile(move || delivery.stop()).await;

    for person in [&mut ana, &mut ben] {
        person.is_sent_away(1012).await;
        person.gateway_is_told(Told::Closed(Closed::ByUs { code: 1012 })).await;
    }
    let socket = tokio::net::TcpStream::connect(hall.address()).await.unwrap();
    let (_, mut told) = hall.attach(hall.accepted(), b"", NATIVE);
    assert_eq!(next(&mut told).await, Told::Closed(Closed::ByUs { code: 1012 }));
    drop(socket);
}

#[tokio::test]
async fn whoever_is_sent_away_gets_the_answers_to_what_was_heard_first() {
    let hall = hall();
    let mut ana = hall.person().await;
    ana.says("a question").await;
    ana.gateway_is_told(Told::Text("a question".to_owned())).await;
    let delivery = hall.delivery.clone();
    let (over, patience) = (Duration::ZERO, Duration::from_secs(10));
    let drained = meanwhile(move || delivery.drain(1012, || "restart".to_owned(), over, patience));
    let answers = async {
        hall.says(LOBBY, 1, "news");
        hall.delivery.reply(ana.conn, vec![delivery::Frame::text("an answer")]);
        ana.hears("an answer").await;
        assert_eq!(ana.goodbye().await.unwrap().reason.as_str(), "restart");
    };
    tokio::join!(drained, answers);
}

#[tokio::test]
async fn after_the_hush_nobody_is_heard_and_everybody_still_hears() {
    let hall = hall();
    let mut ana = hall.person().await;
    ana.follows(LOBBY, 0, 0);
    ana.says("a question").await;
    ana.gateway_is_told(Told::Text("a question".to_owned())).await;
    let delivery = hall.delivery.clone();
    let hushed = meanwhile(move || delivery.hush(Duration::from_secs(10)));
    hall.delivery.reply(ana.conn, vec![delivery::Frame::text("an answer")]);
    hushed.await;
    ana.says("too late").await;
    hall.says(LOBBY, 1, "news");
    ana.hears_all(["an answer", "news"]).await;
    hall.delivery.close(ana.conn, 1012, "restart");
    ana.is_sent_away(1012).await;
    ana.gateway_is_told(Told::Closed(Closed::ByUs { code: 1012 })).await;
}

#[tokio::test]
async fn with_nobody_there_a_drain_and_a_hush_are_over_at_once() {
    let hall = hall();
    let delivery = hall.delivery.clone();
    let long = Duration::from_secs(3600);
    meanwhile(move || {
        delivery.hush(long);
        delivery.drain(1012, String::new, long, long);
    })
    .await;
}
