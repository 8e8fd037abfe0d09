//! What peers do to the memory of a process, which has this one test to itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::{Closed, ConnId, Delivery, Encoding, Frame, Gateway, Key, Options, Shortfall};
use flate2::{Compress, Compression, FlushCompress};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const DEFLATED: Encoding = Encoding(0).deflated();
/// Long enough for any machine; only a broken promise waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
const MESSAGE: usize = 64 << 10;

#[derive(PartialEq, Debug)]
enum Told {
    Said(usize),
    Closed(Closed),
}

struct Ear(Sender<Told>);

impl Ear {
    fn note(&self, told: Told) {
        // A test that has heard enough hangs up.
        let _ = self.0.send(told);
    }
}

impl Gateway for Ear {
    fn on_text(&self, _: ConnId, text: &str) {
        self.note(Told::Said(text.len()));
    }
    fn on_binary(&self, _: ConnId, data: &[u8]) {
        self.note(Told::Said(data.len()));
    }
    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}
    fn on_lagged(&self, _: ConnId, _: Key, _: u64) {}
    fn on_drained(&self, _: ConnId) {}
    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }
    fn on_closed(&self, _: ConnId, closed: Closed) {
        self.note(Told::Closed(closed));
    }
}

struct Hall {
    delivery: Delivery,
    listener: TcpListener,
    told: Receiver<Told>,
    ear: Arc<Ear>,
}

impl Hall {
    fn open() -> Hall {
        let (sender, told) = channel();
        Hall {
            delivery: Delivery::start(Options { shards: 1, ..Options::default() }).unwrap(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            told,
            ear: Arc::new(Ear(sender)),
        }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        let accepted = self.listener.accept().unwrap().0;
        self.delivery.attach(self.delivery.reserve(DEFLATED), accepted, Bytes::new(), self.ear.clone());
        socket
    }

    fn is_told(&self, told: Told) {
        assert_eq!(self.told.recv_timeout(PATIENCE), Ok(told));
    }

    /// Somebody sends two messages.
    fn hears(&self, neighbour: &mut TcpStream, messages: &[u8]) {
        neighbour.write_all(messages).unwrap();
        self.is_told(Told::Said(MESSAGE));
        self.is_told(Told::Said(MESSAGE));
    }

    /// A peer sends bytes, is refused, and goes.
    fn refuses(&self, bytes: &[u8], code: u16) {
        let mut socket = self.connect();
        socket.write_all(bytes).unwrap();
        self.is_told(Told::Closed(Closed::Protocol { code }));
        let mut answer = Vec::with_capacity(64);
        // Bytes that were not read when the socket was closed may have reset it. Then nothing more comes, either.
        let _: std::io::Result<usize> = socket.read_to_end(&mut answer);
    }

    /// Waits until no more than `most` bytes are in use.
    fn comes_down_to(&self, most: usize) {
        let since = Instant::now();
        while MEMORY.current_usage() > most {
            assert!(since.elapsed() < PATIENCE, "{} bytes instead of {most}", MEMORY.current_usage());
            std::thread::yield_now();
        }
    }
}

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u64;
    let mut frame = vec![first];
    match len {
        0..=125 => frame.push(0x80 | len as u8),
        126..=0xFFFF => frame.extend([&[0x80 | 126], &(len as u16).to_be_bytes()[..]].concat()),
        _ => frame.extend([&[0x80 | 127], &len.to_be_bytes()[..]].concat()),
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::best(), false);
    let mut payload = Vec::with_capacity(message.len() + 100);
    stream.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
    payload.truncate(payload.len() - 4);
    payload
}

#[test]
fn neither_attacks_nor_long_messages_leave_anything_behind_in_memory() {
    let attacks = [
        (masked(0xC2, &deflated(&vec![0; 4 << 20])), 1009),
        ([masked(0x01, b""), masked(0x00, b"").repeat(2000)].concat(), 1009),
        ([masked(0x42, b""), masked(0x00, &[0; 4096]).repeat(17)].concat(), 1009),
        (b"\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec(), 1009),
        (masked(0x89, &[b'x'; 125]).repeat(300), 1008),
        ([masked(0x02, &[0; 60_000]), masked(0xC1, b"")].concat(), 1002),
        (masked(0xC1, &[0xFF; 60_000]), 1007),
        (masked(0x81, &[0xFF; 60_000]), 1007),
    ];
    // One that inflates to its length, and one that arrives in pieces.
    let long = [masked(0xC2, &deflated(&[b'x'; MESSAGE])), masked(0x82, &[b'x'; MESSAGE])].concat();
    let hall = Hall::open();
    // The first time, tables and the window for inflating come to their size.
    let attack = || attacks.iter().for_each(|(bytes, code)| hall.refuses(bytes, *code));
    attack();
    attack();
    let mut neighbours: Vec<TcpStream> = (0..200).map(|_| hall.connect()).collect();
    hall.hears(&mut neighbours[0], &long);
    hall.comes_down_to(MEMORY.current_usage());
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();

    for _ in 0..20 {
        attack();
    }
    let peak = MEMORY.peak_usage() - before;
    assert!(peak < 6 * MESSAGE, "attacks one after the other took {peak} bytes at once");
    hall.comes_down_to(before + MESSAGE / 2);

    for neighbour in &mut neighbours[1..] {
        hall.hears(neighbour, &long);
    }
    // A few bytes for each would already be more than this.
    hall.comes_down_to(before + MESSAGE / 2);
    hall.delivery.stop();
}
