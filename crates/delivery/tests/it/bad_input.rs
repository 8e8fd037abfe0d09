//! What a peer must not send: the peer hears why, and no other connection hears anything of it.

use std::time::Duration;

use delivery::{Closed, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Hall, LOBBY, NATIVE, Person, Told, hall_with, masked, next, options};

/// A hall with one shard, and Ana in it, who minds her own business.
struct Scene {
    hall: Hall,
    ana: Person,
    seq: u64,
}

impl Scene {
    async fn new() -> Scene {
        let hall = hall_with(Options { shards: 1, ..options() });
        let ana = hall.person().await;
        ana.follows(LOBBY, 0, 0);
        Scene { hall, ana, seq: 0 }
    }

    /// A peer sends bytes. It gets a close frame with this code and then the end of the stream, and Ana hears what is
    /// said as if nothing were.
    async fn is_refused(&mut self, bytes: &[u8], code: u16) {
        let (mut socket, _, mut told) = self.hall.raw_speaking(NATIVE.deflated()).await;

        socket.write_all(bytes).await.unwrap();

        assert_eq!(next(&mut told).await, Told::Closed(Closed::Protocol { code }), "{bytes:x?}");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let (head, reason) = answer.split_at(4);
        assert_eq!(head, [0x88, answer.len() as u8 - 2, (code >> 8) as u8, code as u8], "{bytes:x?}");
        assert!((10..=40).contains(&reason.len()) && reason.is_ascii(), "{bytes:x?}: {reason:x?}");
        self.seq += 1;
        self.hall.says(LOBBY, self.seq, self.seq.to_string());
        self.ana.hears(&self.seq.to_string()).await;
        let refused = self.seq;
        self.hall.comes_to_count(|stats| stats.closed_protocol == refused).await;
    }
}

#[tokio::test]
async fn what_the_rfc_forbids_is_refused_with_the_code_it_names() {
    let mut scene = Scene::new().await;
    scene.is_refused(b"\x81\x02hi", 1002).await; // not masked
    scene.is_refused(b"\x80\x80\0\0\0\0", 1002).await; // a continuation of nothing
    scene.is_refused(&[masked(0x01, b"a"), masked(0x81, b"b")].concat(), 1002).await; // a message within another
    scene.is_refused(b"\x81\xFE\0\x7D", 1002).await; // a length in a longer form than it needs
    scene.is_refused(b"\x81\xFF\0\0\0\0\0\0\xFF\xFF", 1002).await;
    scene.is_refused(b"\x81\xFF\x80\0\0\0\0\0\0\0", 1002).await; // a length with the highest bit
    for reserved in [0x20, 0x10, 0x70] {
        scene.is_refused(&masked(0x81 | reserved, b"hi"), 1002).await;
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        scene.is_refused(&masked(0x80 | opcode, b""), 1002).await;
    }
}

#[tokio::test]
async fn control_frames_are_short_and_whole() {
    let mut scene = Scene::new().await;
    for opcode in [0x8, 0x9, 0xA] {
        scene.is_refused(&masked(opcode, b""), 1002).await; // in fragments
        scene.is_refused(&masked(0x80 | opcode, &[b'x'; 126]), 1002).await;
        scene.is_refused(&masked(0xC0 | opcode, b""), 1002).await; // deflated
    }
    scene.is_refused(&masked(0x88, b"x"), 1002).await; // half a close code
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        scene.is_refused(&masked(0x88, &code.to_be_bytes()), 1002).await;
    }
    scene.is_refused(&masked(0x88, b"\x03\xE8\xC3\x28"), 1007).await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused_as_soon_as_it_cannot_become_any() {
    let mut scene = Scene::new().await;
    let spoilt: [&[u8]; 7] = [
        b"\xC3\x28",         // a sequence that breaks off
        b"\xE2\x82",         // a sequence that ends with the message
        b"\xED\xA0\x80",     // a surrogate
        b"\xC0\xAF",         // longer than it needs to be
        b"\xF4\x90\x80\x80", // beyond the last character
        b"\xFE",
        b"fine until \x80",
    ];
    for text in spoilt {
        scene.is_refused(&masked(0x81, text), 1007).await;
        scene.is_refused(&[masked(0x01, b""), masked(0x80, text)].concat(), 1007).await;
    }
    // No last fragment ever comes.
    scene.is_refused(&masked(0x01, b"\xC3\x28"), 1007).await;
}

#[tokio::test]
async fn an_announced_giant_is_refused_before_it_comes() {
    let mut scene = Scene::new().await;
    scene.is_refused(b"\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 1009).await;
    scene.is_refused(b"\x82\xFF\0\0\0\0\0\x01\0\x01", 1009).await;
    scene.is_refused(b"\xC2\xFF\0\0\0\0\0\x01\0\x01", 1009).await;
}

#[tokio::test]
async fn fragments_without_end_are_refused_by_size_and_by_number() {
    let mut scene = Scene::new().await;
    let many = [masked(0x01, b""), masked(0x00, b"").repeat(2000)].concat();
    scene.is_refused(&many, 1009).await;
    let large = [masked(0x02, b""), masked(0x00, &[b'x'; 4096]).repeat(17)].concat();
    scene.is_refused(&large, 1009).await;
    let deflated = [masked(0x42, b""), masked(0x00, &[0; 4096]).repeat(17)].concat();
    scene.is_refused(&deflated, 1009).await;
}

#[tokio::test]
async fn what_cannot_be_inflated_is_refused() {
    let mut scene = Scene::new().await;
    for payload in [&b""[..], b"\xFF\xFF\xFF", b"\x02\x02\x00", b"\x07", b"Hello", &[0x03, 0x00].repeat(1000)]
    {
        scene.is_refused(&masked(0xC1, payload), 1007).await;
    }
}

#[tokio::test]
async fn a_flood_of_pings_is_refused() {
    let hall = hall_with(options());
    let (mut socket, _, mut told) = hall.raw().await;

    socket.write_all(&masked(0x89, &[b'x'; 100]).repeat(300)).await.unwrap();

    assert_eq!(next(&mut told).await, Told::Closed(Closed::Protocol { code: 1008 }));
}

#[tokio::test]
async fn every_ping_of_a_few_is_answered() {
    let hall = hall_with(options());
    let (mut socket, _, _told) = hall.raw().await;

    socket.write_all(&(0..10).flat_map(|n| masked(0x89, &[n; 20])).collect::<Vec<u8>>()).await.unwrap();

    let mut pongs = [[0; 22]; 10];
    for pong in &mut pongs {
        socket.read_exact(pong).await.unwrap();
    }
    for (n, pong) in pongs.iter().enumerate() {
        assert_eq!((pong[0], pong[1], pong[2..].to_vec()), (0x8A, 20, vec![n as u8; 20]));
    }
}

#[tokio::test]
async fn whoever_never_finishes_a_frame_is_closed_like_anybody_who_is_silent() {
    let hall = hall_with(Options { silence: Duration::from_millis(200), ..options() });
    let whole = masked(0x81, &[b'x'; 1000]);
    for len in [1, 3, 7, 500] {
        let (mut socket, _, mut told) = hall.raw().await;

        socket.write_all(&whole[..len]).await.unwrap();

        assert_eq!(next(&mut told).await, Told::Closed(Closed::Silent));
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        assert!(answer.ends_with(&[0x88, 2, 0x03, 0xE9]), "{answer:x?}");
    }
}
