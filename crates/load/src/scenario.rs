//! The plain loads: people in rooms, some of whom post.

pub mod flood;
pub mod idle;
pub mod mixed;
pub mod slow;
pub mod storm;

use crate::book::{self, Times};
use crate::checker::Faults;
use crate::people::{Crowd, Protocol, Spread};
use crate::program::{Kind, Program};
use crate::progress::Progress;
use crate::swarm::{Pace, Swarm};
use crate::usage::{Memory, Usage, Used};
use crate::watch::Watch;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// A load.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Which wire protocol is spoken.
    pub protocol: Protocol,
    /// How many people there are, and in which rooms.
    pub spread: Spread,
    /// How fast they post.
    pub pace: Pace,
    /// Bytes of a text.
    pub length: usize,
    /// How long the load runs before anything is measured.
    pub warm: Duration,
    /// How long it is measured.
    pub span: Duration,
}

/// A server and the people it knows.
pub struct Contender {
    /// The server.
    pub program: Program,
    crowd: Crowd,
}

/// The results of one run.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Deliveries while it was measured.
    pub deliveries: u64,
    /// Posts that all their receivers had heard by then.
    pub posts: u64,
    /// How long that took.
    pub span: Duration,
    /// The server's use of processors meanwhile.
    pub server: Used,
    /// The load's use of processors meanwhile.
    pub load: Used,
    /// Frames received in the whole run.
    pub frames: u64,
    /// Bytes of those frames, headers included.
    pub bytes: u64,
    /// Reads in which they came.
    pub reads: u64,
    /// Times a connection was told that it fell behind.
    pub lagged: u64,
    /// From when a post was due to each delivery of it.
    pub each: Times,
    /// From when a post was due to its last delivery.
    pub last: Times,
    /// How long it took to open all connections.
    pub opening: Duration,
    /// Microseconds of the server for each connection opened.
    pub opening_us: f64,
    /// The server's memory before the first connection, with all of them quiet, and at the end.
    pub memory: [Memory; 3],
    /// Seconds since before the first connection, and resident bytes.
    pub resident: Vec<(f64, u64)>,
    /// The deliveries that went wrong.
    pub faults: Faults,
}

impl Contender {
    /// Makes the people of `spread` known to a server.
    ///
    /// # Errors
    /// When it does not let them in.
    pub fn new(program: Program, protocol: Protocol, spread: &Spread) -> Result<Self> {
        let known = program.kind == Kind::Roomful || spread.rooms_each == 1;
        ensure!(known, "only Roomful has people who are in several rooms at once");
        let run = u32::from(fastrand::u16(..));
        let crowd = match (program.kind, protocol) {
            (Kind::Roomful, Protocol::Native) => spread.guests(&program.way, run)?,
            (Kind::LowerBound | Kind::Textbook, Protocol::Native) => spread.visitors(run, true),
            (_, Protocol::Simple) => spread.visitors(run, false),
        };
        Ok(Self { program, crowd })
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> usize {
        self.crowd.rooms.len()
    }

    /// How many rooms each is in.
    pub fn rooms_each(&self) -> usize {
        self.crowd.people.first().map_or(0, |person| person.rooms.len())
    }

    /// A swarm of these people. `listeners` of them will read what comes. None of them has connected yet.
    ///
    /// # Errors
    /// When the kernel gives no epoll.
    pub fn swarm(&self, protocol: Protocol, listeners: usize) -> Result<Swarm> {
        let names_room = self.program.kind == Kind::LowerBound;
        Swarm::new(self.program.way.clone(), protocol, names_room, self.crowd.clone(), listeners)
    }

    /// Runs a load from the first connection to the last delivery.
    ///
    /// # Errors
    /// When connections cannot be opened.
    pub fn run(&self, shape: &Shape, progress: &Progress) -> Result<Leg> {
        let watch = Watch::begin(self.program.pid);
        let before = (self.program.memory(), self.program.usage());
        let mut swarm = self.swarm(shape.protocol, shape.spread.connections)?;
        progress.say("connecting");
        let opening = swarm.open(shape.spread.connections)?;
        let opening_us = self.program.usage().since(&before.1).cpu_us / shape.spread.connections as f64;
        // The server tells presence for another second.
        swarm.listen(Instant::now() + Duration::from_millis(1_200))?;
        let quiet = self.program.memory();
        swarm.say(shape.length);
        progress.say("warming up");
        swarm.post_until(shape.pace, Instant::now() + shape.warm)?;
        progress.say("measuring");
        let mut leg = self.measure(&mut swarm, shape)?;
        leg.memory = [before.0, quiet, leg.memory[2]];
        (leg.opening, leg.opening_us) = (opening.all, opening_us);
        leg.resident = watch.end();
        Ok(leg)
    }

    /// Posts for the span of a shape, waits until everything was heard, and returns the results.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn measure(&self, swarm: &mut Swarm, shape: &Shape) -> Result<Leg> {
        let own = std::process::id();
        swarm.book.begin();
        let (deliveries, posts) = (swarm.book.deliveries, swarm.book.complete);
        let (began, server, load) = (Instant::now(), self.program.usage(), Usage::of(own));
        swarm.post_until(shape.pace, began + shape.span)?;
        let (server, load) = (self.program.usage().since(&server), Usage::of(own).since(&load));
        let mut leg = Leg {
            deliveries: swarm.book.deliveries - deliveries,
            posts: swarm.book.complete - posts,
            span: began.elapsed(),
            server,
            load,
            frames: 0,
            bytes: 0,
            reads: 0,
            lagged: 0,
            each: book::times(),
            last: book::times(),
            opening: Duration::ZERO,
            opening_us: 0.0,
            memory: [Memory::default(); 3],
            resident: Vec::new(),
            faults: Faults::default(),
        };
        leg.memory[2] = self.program.memory();
        swarm.hear_out()?;
        swarm.settle();
        leg.faults = swarm.faults;
        (leg.frames, leg.bytes, leg.reads) = (swarm.read.frames, swarm.read.bytes, swarm.read.reads);
        leg.lagged = swarm.read.lagged;
        (leg.each, leg.last) = (swarm.book.each.clone(), swarm.book.last.clone());
        Ok(leg)
    }
}

impl Leg {
    /// Microseconds of the server for each delivery.
    pub fn cpu_us(&self) -> f64 {
        self.server.cpu_us / self.deliveries.max(1) as f64
    }

    /// Microseconds of the load for each delivery.
    pub fn load_us(&self) -> f64 {
        self.load.cpu_us / self.deliveries.max(1) as f64
    }

    /// Deliveries in a second.
    pub fn rate(&self) -> f64 {
        self.deliveries as f64 / self.span.as_secs_f64()
    }

    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> f64 {
        self.bytes as f64 / self.frames.max(1) as f64
    }

    /// Adds another run of the same load: both count as one.
    pub fn add(&mut self, other: &Self) {
        self.deliveries += other.deliveries;
        self.posts += other.posts;
        self.span += other.span;
        self.server += other.server.clone();
        self.load += other.load.clone();
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.reads += other.reads;
        self.lagged += other.lagged;
        // Cannot fail: the bounds of all records are the same.
        let _ = (self.each.add(&other.each), self.last.add(&other.last));
        self.opening += other.opening;
        self.opening_us = f64::midpoint(self.opening_us, other.opening_us);
        self.memory = other.memory;
        self.faults += other.faults;
    }
}
