//! Who agreed on permessage-deflate, and what that costs (RFC 7692).

use delivery::{Closed, Encoding, Key, Options, Publication};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::line::Line;

use super::support::{GARDEN, LOBBY, NATIVE, SIMPLE, Told, hall, hall_with, masked, next, options};

const DEFLATED: Encoding = NATIVE.deflated();

/// A text that deflates to `mark` and little more.
fn long(mark: &str) -> String {
    format!("{mark}: {}", "the garden is open ".repeat(40))
}

/// The next frame: its first byte and its payload.
async fn frame(socket: &mut Line) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    socket.read_exact(&mut head).await.unwrap();
    let mut len = u64::from(head[1]);
    if len == 126 {
        len = u64::from(socket.read_u16().await.unwrap());
    } else if len == 127 {
        len = socket.read_u64().await.unwrap();
    }
    let mut payload = vec![0; len as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (head[0], payload)
}

/// What a peer that remembers nothing makes of a deflated payload.
fn inflated(payload: &[u8]) -> String {
    let mut stream = Decompress::new(false);
    let mut text = Vec::with_capacity(1 << 20);
    for part in [payload, &[0, 0, 0xFF, 0xFF]] {
        stream.decompress_vec(part, &mut text, FlushDecompress::Sync).unwrap();
    }
    String::from_utf8(text).unwrap()
}

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::best(), false);
    let mut payload = Vec::with_capacity(message.len() + 100);
    stream.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
    payload.truncate(payload.len() - 4);
    payload
}

async fn hears_deflated(socket: &mut Line, text: &str) {
    let (first, payload) = frame(socket).await;
    assert_eq!(first, 0xC1);
    assert!(payload.len() < text.len() / 2);
    assert_eq!(inflated(&payload), text);
}

async fn hears_plain(socket: &mut Line, text: &str) {
    assert_eq!(frame(socket).await, (0x81, text.as_bytes().to_vec()));
}

#[tokio::test]
async fn an_event_is_deflated_once_for_all_who_agreed_and_stays_plain_for_the_others() {
    let hall = hall();
    let mut plain = [hall.person().await, hall.person().await];
    let mut agreed = Vec::new();
    for _ in 0..4 {
        let (socket, conn, told) = hall.raw_speaking(DEFLATED).await;
        hall.follows(conn, LOBBY, 0, 0);
        agreed.push((socket, told));
    }
    for person in &plain {
        person.follows(LOBBY, 0, 0);
    }

    for seq in 1..=10 {
        hall.says(LOBBY, seq, long(&seq.to_string()));
    }

    for seq in 1..=10 {
        for (socket, _) in &mut agreed {
            hears_deflated(socket, &long(&seq.to_string())).await;
        }
        for person in &mut plain {
            person.hears(&long(&seq.to_string())).await;
        }
    }
    assert_eq!(hall.delivery.stats().deflates, 10);
}

#[tokio::test]
async fn nothing_is_deflated_where_nobody_who_listens_agreed() {
    let hall = hall();
    let (mut ana, dot) = (hall.person().await, hall.person_speaking(SIMPLE).await);
    let (mut ben, conn, _told) = hall.raw_speaking(DEFLATED).await;
    ana.follows(LOBBY, 0, 0);
    dot.follows(LOBBY, 0, 0);
    hall.follows(conn, GARDEN, 0, 0);
    hall.says(LOBBY, 1, long("not for Ben"));
    hall.publish(GARDEN, SIMPLE, Some(1), false, long("in a protocol that Ben does not speak"));
    assert_eq!(hall.delivery.stats().deflates, 0);

    hall.says(GARDEN, 1, long("for Ben"));
    hears_deflated(&mut ben, &long("for Ben")).await;
    assert_eq!(hall.delivery.stats().deflates, 1);

    hall.delivery.unfollow(conn, GARDEN);
    // The unicast leaves behind the unfollow, so from here on nobody follows the garden.
    hall.delivery.unicast(conn, delivery::Frame::text("bye"));
    hears_plain(&mut ben, "bye").await;
    hall.says(GARDEN, 2, long("for nobody"));
    assert_eq!(hall.delivery.stats().deflates, 1);
    ana.hears(&long("not for Ben")).await;
}

#[tokio::test]
async fn what_is_short_or_hard_to_deflate_or_for_one_alone_stays_plain() {
    let hall = hall();
    let (mut ben, conn, _told) = hall.raw_speaking(DEFLATED).await;
    hall.follows(conn, LOBBY, 0, 0);
    let short = "x".repeat(255);
    // Each of these characters takes all the bits it has.
    let hard: String = (0..400_u32).filter_map(|n| char::from_u32(0x4E00 + n * 7919 % 20_000)).collect();

    hall.says(LOBBY, 1, &short);
    hears_plain(&mut ben, &short).await;
    assert_eq!(hall.delivery.stats().deflates, 0);

    let noise: Vec<u8> = hard.bytes().zip((0..u8::MAX).cycle()).map(|(a, b)| a.wrapping_mul(b)).collect();
    let frame_of_noise = delivery::Frame::binary(&noise[..600]);
    hall.delivery.publish(LOBBY, NATIVE, Publication { seq: Some(2), frame: frame_of_noise, cut: false });
    assert_eq!(frame(&mut ben).await, (0x82, noise[..600].to_vec()));

    hall.delivery.unicast(conn, delivery::Frame::text(long("a reply")));
    hears_plain(&mut ben, &long("a reply")).await;
}

#[tokio::test]
async fn a_tail_brings_what_was_missed_deflated_and_in_order() {
    let hall = hall_with(Options { shards: 1, ..options() });
    let (mut ben, conn, _told) = hall.raw_speaking(DEFLATED).await;
    hall.follows(conn, LOBBY, 0, 0);
    for seq in 1..=5 {
        let text = if seq % 2 == 0 { format!("short {seq}") } else { long(&seq.to_string()) };
        hall.says(LOBBY, seq, text);
    }
    let (mut cyd, late, _told) = hall.raw_speaking(DEFLATED).await;

    hall.follows(late, LOBBY, 2, 5);

    hears_deflated(&mut cyd, &long("3")).await;
    hears_plain(&mut cyd, "short 4").await;
    hears_deflated(&mut cyd, &long("5")).await;
    hears_deflated(&mut ben, &long("1")).await;
    assert_eq!(hall.delivery.stats().deflates, 3);
}

#[tokio::test]
async fn what_a_client_deflates_is_heard_whole_or_in_fragments() {
    let hall = hall();
    let (mut ben, _, mut told) = hall.raw_speaking(DEFLATED).await;
    let text = long("from Ben");
    let payload = deflated(text.as_bytes());
    let (one, two) = payload.split_at(9);

    ben.write_all(&masked(0xC1, &payload)).await.unwrap();
    ben.write_all(&masked(0x41, one)).await.unwrap();
    ben.write_all(&masked(0x80, two)).await.unwrap();
    ben.write_all(&masked(0x81, b"and plain")).await.unwrap();

    assert_eq!(next(&mut told).await, Told::Text(text.clone()));
    assert_eq!(next(&mut told).await, Told::Text(text));
    assert_eq!(next(&mut told).await, Told::Text("and plain".to_owned()));
}

#[tokio::test]
async fn a_bomb_ends_with_too_big_and_touches_nobody_else() {
    let hall = hall_with(Options { shards: 1, ..options() });
    let mut ana = hall.person().await;
    ana.follows(Key(7), 0, 0);
    let bomb = masked(0xC2, &deflated(&vec![0; 4 << 20]));
    assert!(bomb.len() < 8 << 10, "what is sent is far within the limit");
    for seq in 1..=5 {
        let (mut dot, _, mut told) = hall.raw_speaking(DEFLATED).await;

        dot.write_all(&bomb).await.unwrap();

        assert_eq!(next(&mut told).await, Told::Closed(Closed::Protocol { code: 1009 }));
        let close = [&1009_u16.to_be_bytes()[..], b"message too large"].concat();
        assert_eq!(frame(&mut dot).await, (0x88, close));
        hall.says(Key(7), seq, seq.to_string());
        ana.hears(&seq.to_string()).await;
    }
}
