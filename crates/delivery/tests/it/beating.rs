//! Heartbeats, and peers without any.

use std::time::Duration;

use delivery::{Closed, Follow, Options};
use tokio::io::AsyncReadExt;
use tokio_tungstenite::tungstenite::Message;

use super::support::{LOBBY, RECORD, Told, hall_with, next, options};

#[tokio::test]
async fn everybody_gets_a_ping_and_a_beat_again_and_again() {
    let hall = hall_with(Options { heartbeat: Duration::from_millis(50), ..options() }).beating("beat");
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);

    for person in [&mut ana, &mut ben] {
        person.follows(LOBBY, 0, 0);
        person.hears("beat").await;
        for _ in 0..3 {
            assert_eq!(person.message().await, Message::Ping("".into()));
            assert_eq!(person.message().await, Message::text("beat"));
        }
    }
}

#[tokio::test]
async fn a_beat_never_comes_before_what_a_connection_is_told_first() {
    let hall = hall_with(Options { heartbeat: Duration::from_millis(50), ..options() }).beating("beat");
    let mut ana = hall.person().await;

    for _ in 0..3 {
        assert_eq!(ana.message().await, Message::Ping("".into()));
    }
    ana.follows_with(LOBBY, 0, 0, &["hello"]);
    ana.hears("hello").await;
    ana.hears("beat").await;
}

#[tokio::test]
async fn the_ping_and_the_beat_leave_in_one_write() {
    let hall =
        hall_with(Options { shards: 1, heartbeat: Duration::from_millis(50), ..options() }).beating("beat");
    let (mut socket, conn, _told) = hall.raw().await;
    hall.delivery.follow(Follow::anew(conn, LOBBY, 0, 0));

    let mut heard = [0; 8 * 3];
    socket.read_exact(&mut heard).await.unwrap();
    let stats = hall.delivery.stats();

    assert_eq!(&heard[..8], b"\x89\0\x81\x04beat");
    assert_eq!(stats.bytes, (8 + RECORD) * stats.writes);
}

#[tokio::test]
async fn whoever_answers_pings_stays_and_whoever_is_silent_is_closed() {
    let hall = hall_with(Options {
        heartbeat: Duration::from_millis(50),
        silence: Duration::from_millis(400),
        ..options()
    });
    let mut ana = hall.person().await;
    let (mut socket, _, mut told) = hall.raw().await;

    // A client that reads answers each ping.
    let pings = async {
        for _ in 0..20 {
            assert_eq!(ana.message().await, Message::Ping("".into()));
        }
    };
    let (closed, ()) = tokio::join!(next(&mut told), pings);
    hall.comes_to_count(|stats| stats.closed_silent == 1).await;

    assert_eq!(closed, Told::Closed(Closed::Silent));
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).await.unwrap();
    assert!(heard.ends_with(&[0x88, 2, 0x03, 0xE9]));
}
