//! What a write leaves behind in a connection.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use super::*;
use crate::audience::Follower;
use crate::connection::Cursor;
use crate::follow::Shortfall;
use crate::frame::Frame;
use crate::gateway::{Closed, Gateway};
use crate::key::{ConnId, Encoding, Key};
use crate::publication::Publication;
use crate::tail::Budget;

struct Deaf;

impl Gateway for Deaf {
    fn on_text(&self, _: ConnId, _: &str) {}
    fn on_binary(&self, _: ConnId, _: &[u8]) {}
    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}
    fn on_lagged(&self, _: ConnId, _: Key, _: u64) {}
    fn on_drained(&self, _: ConnId) {}
    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }
    fn on_closed(&self, _: ConnId, _: Closed) {}
}

/// One connection that follows the lobby, and the other end of its socket.
struct Scene {
    conn: Connection,
    audiences: Audiences,
    lobby: u32,
    stamp: u64,
    peer: TcpStream,
    tally: Tally,
}

impl Scene {
    fn new() -> Scene {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
        let peer =
            TcpStream::connect(listener.local_addr().expect("loopback works")).expect("loopback works");
        let socket = listener.accept().expect("loopback works").0;
        socket.set_nonblocking(true).expect("loopback works");
        let encoding = Encoding(0);
        let socket = mio::net::TcpStream::from_std(socket);
        let mut conn = Connection::new(ConnId::new(0, encoding, 1), socket, Arc::new(Deaf));
        let mut audiences = Audiences::new(Budget { each: 64 << 20, left: 64 << 20 });
        let lobby = audiences.open(Key(1), encoding, 0);
        let member = audiences.get_mut(lobby).expect("just opened").add(Follower { slot: 0, cursor: 0 });
        conn.cursors.push(Cursor { audience: lobby, member, offset: 0, live_from: 0, last: 0 });
        Scene { conn, audiences, lobby, stamp: 0, peer, tally: Tally::default() }
    }

    fn publish(&mut self, seq: u64, text: &str) {
        self.stamp += 1;
        let publication = Publication { seq: Some(seq), frame: Frame::text(text), cut: false };
        self.audiences.append(self.lobby, &publication, 1, self.stamp);
    }

    fn unicast(&mut self, text: &str) {
        self.stamp += 1;
        self.conn.queue_frame(self.stamp, Frame::text(text).into_bytes());
    }

    fn flush(&mut self) -> Flushed {
        let mut pieces = Pieces::default();
        flush(&mut self.conn, &self.audiences, Scope::From(0), &mut pieces, &mut self.tally, &mut 0)
    }

    fn peer_reads(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.peer.read_exact(&mut bytes).expect("loopback works");
        bytes
    }
}

#[test]
fn replies_and_frames_of_keys_leave_in_one_write_and_in_order() {
    let mut scene = Scene::new();
    scene.publish(1, "a");
    scene.unicast("b");
    scene.publish(2, "c");
    scene.publish(3, "d");
    scene.unicast("e");

    assert_eq!(scene.flush(), Flushed::Done);

    assert_eq!(scene.peer_reads(15), b"\x81\x01a\x81\x01b\x81\x01c\x81\x01d\x81\x01e");
    assert_eq!(scene.tally.writes, 1);
    assert!(scene.conn.backlog.is_none());
}

#[test]
fn of_what_a_full_socket_does_not_take_only_the_rest_of_one_frame_is_kept() {
    let mut scene = Scene::new();
    let text = "x".repeat(10_000);
    for seq in 1..=2000 {
        scene.publish(seq, &text);
    }

    while scene.flush() != Flushed::Full {}

    let rest = scene.conn.backlog.as_ref().and_then(|backlog| backlog.rest.as_ref());
    let rest = rest.map_or(0, |rest| rest.bytes.len());
    assert!(rest < 10_004, "{rest}");
    let cursor = &scene.conn.cursors[0];
    assert_eq!(cursor.offset, cursor.last * 10_004);
    assert_eq!(scene.tally.bytes, cursor.offset - rest as u64);
}

#[test]
fn a_frame_that_is_half_out_is_finished_before_anything_else() {
    let mut scene = Scene::new();
    let text = "x".repeat(60_000);
    for seq in 1..=300 {
        scene.publish(seq, &text);
    }
    while scene.flush() != Flushed::Full {}
    let (written, cursor) = (scene.tally.bytes, &mut scene.conn.cursors[0]);
    let border = cursor.offset;
    // As if the key had been taken up again from its end.
    cursor.offset = Cursor::WAITING;
    scene.unicast("after that");

    let whole = scene.peer_reads(written as usize);
    assert_eq!(whole[..4], *b"\x81\x7e\xEA\x60");
    while scene.flush() != Flushed::Done {}

    let rest = scene.peer_reads((border - written) as usize + 12);
    assert!(rest.ends_with(b"\x81\x0aafter that"));
    assert!(rest[..rest.len() - 12].iter().all(|byte| *byte == b'x'));
}
