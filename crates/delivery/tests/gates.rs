//! What a delivery may cost, counted exactly: nothing here depends on how fast the machine is.
//!
//! Its own program, because it counts every allocation of the process, and alone in it, so that nobody else allocates.

use std::alloc::System;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use delivery::{
    Closed, ConnId, Delivery, Encoding, Follow, Frame, Gateway, Gathering, Key, Options, Publication,
    Shortfall, Stats,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NATIVE: Encoding = Encoding(0);
const ROOMS: [Key; 3] = [Key(1), Key(2), Key(3)];
/// Longer than any beat, sweep or patience.
const NEVER: Duration = Duration::from_secs(100_000);
const TEXT: [u8; 300] = [b'x'; 300];

/// Counts what it hears.
#[derive(Default)]
struct Ear(AtomicU64);

impl Gateway for Ear {
    fn on_text(&self, _: ConnId, _: &str) {
        self.0.fetch_add(1, Ordering::Release);
    }
    fn on_binary(&self, _: ConnId, _: &[u8]) {}
    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}
    fn on_lagged(&self, _: ConnId, _: Key, _: u64) {}
    fn on_drained(&self, _: ConnId) {}
    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }
    fn on_closed(&self, _: ConnId, _: Closed) {}
}

/// The people in all rooms, and the caller that publishes there.
struct Hall {
    delivery: Delivery,
    gathering: Gathering,
    people: Vec<TcpStream>,
    ear: Arc<Ear>,
    seq: u64,
}

impl Hall {
    fn with(people: usize) -> Hall {
        let delivery = Delivery::start(Options {
            shards: 1,
            heartbeat: NEVER,
            silence: NEVER,
            stall: NEVER,
            max_unanswered: 1000,
            ..Options::default()
        })
        .expect("threads");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback works");
        let address = listener.local_addr().expect("loopback works");
        let ear = Arc::new(Ear::default());
        let gathering = delivery.gathering();
        let mut hall = Hall { delivery, gathering, people: Vec::new(), ear, seq: 0 };
        for _ in 0..people {
            hall.people.push(TcpStream::connect(address).expect("loopback works"));
            let socket = listener.accept().expect("loopback works").0;
            let conn = hall.delivery.reserve(NATIVE);
            hall.delivery.attach(conn, socket, Bytes::new(), hall.ear.clone());
            for key in ROOMS {
                hall.delivery.follow(Follow::anew(conn, key, 0, 0));
            }
        }
        hall
    }

    /// Publishes a frame in so many rooms at once, and returns when everybody has it.
    fn round(&mut self, rooms: usize) {
        self.seq += 1;
        let frame = Frame::text(TEXT);
        let len = frame.len();
        for key in &ROOMS[..rooms] {
            let publication = Publication { seq: Some(self.seq), frame: frame.clone(), cut: false };
            self.gathering.publish(*key, NATIVE, &publication);
        }
        self.gathering.hand_over();
        let mut buffer = [0; 1024];
        for person in &mut self.people {
            person.read_exact(&mut buffer[..rooms * len]).expect("a frame");
        }
    }

    /// What was counted while `act` went on, once the shard has written it down.
    fn counts(&mut self, act: impl FnOnce(&mut Hall), done: impl Fn(&Stats) -> u64, until: u64) -> Stats {
        let before = self.delivery.stats();
        act(self);
        loop {
            let now = self.delivery.stats();
            if done(&now) - done(&before) >= until {
                return Stats {
                    sends: now.sends - before.sends,
                    writes: now.writes - before.writes,
                    reads: now.reads - before.reads,
                    received: now.received - before.received,
                    ..now
                };
            }
            std::thread::yield_now();
        }
    }
}

/// Allocations of the whole process in so many rounds in which `people` hear something.
fn allocations(people: usize, rounds: usize) -> usize {
    let mut hall = Hall::with(people);
    // Until the tail has its full size, and every buffer has been as full as it gets.
    for _ in 0..2000 {
        hall.round(1);
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..rounds {
        hall.round(1);
    }
    let change = region.change();
    hall.delivery.stop();
    change.allocations + change.reallocations
}

fn a_delivery_allocates_nothing() {
    const ROUNDS: usize = 1000;
    let (few, many) = (allocations(10, ROUNDS), allocations(110, ROUNDS));
    // The frame itself is made once per round. A hundred readers more change nothing.
    assert!(few <= 4 * ROUNDS, "{few} allocations in {ROUNDS} rounds");
    assert!(many <= few + ROUNDS / 100, "{many} allocations with 110 readers, {few} with 10");
}

fn what_is_due_to_a_connection_leaves_in_one_write() {
    let mut hall = Hall::with(20);
    // Written down before the next frame is counted: the shard does that after the frames have left.
    hall.counts(|hall| hall.round(3), |stats| stats.sends, 60);
    let counted = hall.counts(|hall| hall.round(3), |stats| stats.sends, 60);
    assert_eq!((counted.writes, counted.sends), (20, 60));
    hall.delivery.stop();
}

fn a_burst_is_taken_in_with_one_read() {
    let mut hall = Hall::with(1);
    hall.round(1);
    // A masked text of one byte (RFC 6455 §5.2), fifty times in one go.
    let burst = [0x81, 0x81, 0, 0, 0, 0, b'x'].repeat(50);
    let counted = hall.counts(
        |hall| hall.people[0].write_all(&burst).expect("the kernel takes it"),
        |stats| stats.received,
        50,
    );
    assert_eq!((counted.received, counted.reads), (50, 1));
    assert_eq!(hall.ear.0.load(Ordering::Acquire), 50);
    hall.delivery.stop();
}

#[test]
fn a_delivery_costs_no_allocation_and_a_flush_one_write_and_a_burst_one_read() {
    a_delivery_allocates_nothing();
    what_is_due_to_a_connection_leaves_in_one_write();
    a_burst_is_taken_in_with_one_read();
}
