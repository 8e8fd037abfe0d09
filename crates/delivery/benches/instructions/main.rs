//! Delivers a number of frames to a hundred readers, one after the other. `scripts/instructions` counts the
//! instructions of the shard's thread. Without an argument the program does nothing.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use delivery::{
    Closed, ConnId, Delivery, Encoding, Follow, Frame, Gateway, Key, Options, Publication, Shortfall,
};

const NATIVE: Encoding = Encoding(0);
const LOBBY: Key = Key(1);
const READERS: usize = 100;
/// Longer than any beat, sweep or patience: only deliveries are counted.
const NEVER: Duration = Duration::from_secs(100_000);
const TEXT: [u8; 300] = [b'x'; 300];

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

fn main() {
    // `cargo bench` and `cargo test --benches` pass flags of their own.
    let Some(frames) = std::env::args().nth(1).and_then(|frames| frames.parse::<u64>().ok()) else { return };
    let options = Options { shards: 1, heartbeat: NEVER, silence: NEVER, stall: NEVER, ..Options::default() };
    let delivery = Delivery::start(options).expect("a thread");
    let mut readers = connected(&delivery);
    let mut buffer = [0; 1024];
    for seq in 1..=frames {
        let frame = Frame::text(TEXT);
        let len = frame.len();
        delivery.publish(LOBBY, NATIVE, Publication { seq: Some(seq), frame, cut: false });
        for reader in &mut readers {
            reader.read_exact(&mut buffer[..len]).expect("a frame");
        }
    }
    delivery.stop();
}

fn connected(delivery: &Delivery) -> Vec<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let address = listener.local_addr().expect("loopback works");
    let connect = || {
        let reader = TcpStream::connect(address).expect("loopback works");
        let socket = listener.accept().expect("loopback works").0;
        let conn = delivery.reserve(NATIVE);
        delivery.attach(conn, socket, Bytes::new(), Arc::new(Deaf));
        delivery.follow(Follow::anew(conn, LOBBY, 0, 0));
        reader
    };
    (0..READERS).map(|_| connect()).collect()
}
