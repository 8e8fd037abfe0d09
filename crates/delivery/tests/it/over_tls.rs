//! Every story once more over TLS, and those that only TLS has.

#[path = "bad_input.rs"]
mod bad_input;
#[path = "beating.rs"]
mod beating;
#[path = "catching_up.rs"]
mod catching_up;
#[path = "closing.rs"]
mod closing;
#[path = "compressing.rs"]
mod compressing;
#[path = "following.rs"]
mod following;
#[path = "milestones.rs"]
mod milestones;
#[path = "reading.rs"]
mod reading;
#[path = "resuming.rs"]
mod resuming;
#[path = "slow_readers.rs"]
mod slow_readers;

use delivery::Closed;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::line::{Line, Tls};
use support::{LOBBY, Told, hall, next};

/// The same hall to all who ask for one here, but over TLS.
mod support {
    pub use crate::support::*;

    /// A record's header, the type inside, and the tag (RFC 8446 §5.2).
    pub const RECORD: u64 = 5 + 1 + 16;

    pub fn hall() -> Hall {
        crate::support::hall().over_tls()
    }

    pub fn hall_with(options: delivery::Options) -> Hall {
        crate::support::hall_with(options).over_tls()
    }
}

#[tokio::test]
async fn the_end_of_a_connection_is_told_in_tls_too() {
    let hall = hall();
    let (mut line, conn, _told) = hall.raw().await;

    hall.delivery.close(conn, 4401, "");

    let mut all = Vec::new();
    // Without a `close_notify` this would be an error: the peer could not tell the end from a cut.
    line.write_all(b"\x88\x82\0\0\0\0\x11\x31").await.unwrap();
    line.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, [0x88, 2, 0x11, 0x31]);
}

#[tokio::test]
async fn whoever_says_in_tls_that_they_are_done_is_let_go() {
    let hall = hall();
    let (mut line, _, mut told) = hall.raw().await;

    line.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
    line.shutdown().await.unwrap();

    assert_eq!(next(&mut told).await, Told::Text("hi".to_owned()));
    assert_eq!(next(&mut told).await, Told::Closed(Closed::Lost));
}

#[tokio::test]
async fn bytes_that_are_no_tls_end_one_connection_and_nothing_else() {
    let hall = hall();
    let mut ben = hall.person().await;
    ben.follows(LOBBY, 0, 0);
    let (line, _, mut told) = hall.raw().await;
    let Line::Tls(line) = line else { panic!("not over TLS") };
    let (mut bare, _) = line.into_inner();

    bare.write_all(b"\x81\x82\0\0\0\0hi, this is no record").await.unwrap();

    assert_eq!(next(&mut told).await, Told::Closed(Closed::Lost));
    hall.says(LOBBY, 1, "nothing happened");
    ben.hears("nothing happened").await;
}

#[tokio::test]
async fn a_record_that_trickles_in_is_read_when_it_is_whole() {
    let hall = hall();
    let (line, _, mut told) = hall.raw().await;
    let Line::Tls(line) = line else { panic!("not over TLS") };
    let (mut bare, mut session) = line.into_inner();
    let mut record = Vec::new();
    std::io::Write::write_all(&mut session.writer(), b"\x81\x85\0\0\0\0hello").unwrap();
    session.write_tls(&mut record).unwrap();

    for byte in record {
        bare.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }

    assert_eq!(next(&mut told).await, Told::Text("hello".to_owned()));
}

#[tokio::test]
async fn what_came_with_the_handshake_is_heard() {
    let hall = hall();
    let client = tokio::net::TcpStream::connect(hall.address()).await.unwrap();
    let said = b"\x81\x85\0\0\0\0hello";
    let (line, socket) = Tls::new().shake_hands_and_hear(client, hall.accepted(), said).await;
    let (_, mut told) = hall.attach(socket, b"", support::NATIVE);

    assert_eq!(next(&mut told).await, Told::Text("hello".to_owned()));
    drop(line);
}

#[tokio::test]
async fn a_reader_who_stalls_is_owed_one_record_and_the_rest_of_one_frame() {
    let stall = Duration::from_millis(300);
    let hall = support::hall_with(delivery::Options { shards: 1, stall, ..support::options() });
    let mut ben = hall.lazy_person().await;
    ben.follows(LOBBY, 0, 0);
    for seq in 1..=4000 {
        hall.says(LOBBY, seq, "z".repeat(4000));
    }
    ben.gateway_is_told(Told::Closed(Closed::Slow)).await;
    let taken = hall.delivery.stats().bytes;

    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut ben.socket).await {}

    let owed = hall.delivery.stats().bytes - taken;
    let (record, frame, farewell) = ((16 << 10) + 100, 4004, 100);
    assert!(owed <= record + frame + farewell, "{owed} bytes");
}
