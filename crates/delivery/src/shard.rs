//! A shard: one thread, its sockets, its tails, and the loop that serves them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;

use crate::audience::Audiences;
use crate::connection::Connection;
use crate::drain::Drain;
use crate::flush::Pieces;
use crate::inbox::Inbox;
use crate::inflate::Inflater;
use crate::interest::Interest;
use crate::job::Job;
use crate::key::ConnId;
use crate::options::Options;
use crate::recess::Recess;
use crate::rounds::Sweep;
use crate::stats::{Counters, Tally};
use crate::tail::Budget;

/// The token of the inbox; connections have their slots.
const INBOX: Token = Token(usize::MAX);
/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;
/// Most jobs that a shard does in one pass.
const JOBS: usize = 1024;
/// Bytes read from a socket at a time.
const SCRATCH: usize = 32 << 10;

/// What a shard shares with the other threads.
pub(crate) struct Door {
    pub(crate) inbox: Inbox,
    pub(crate) counters: Counters,
}

/// One thread's part of delivery. Only that thread touches it, except for the door and the interest.
pub(crate) struct Shard {
    pub(crate) number: usize,
    pub(crate) options: Options,
    pub(crate) door: Arc<Door>,
    pub(crate) interest: Arc<Interest>,
    pub(crate) poll: Poll,

    pub(crate) connections: Slab<Connection>,
    pub(crate) slots: HashMap<ConnId, usize>,
    pub(crate) audiences: Audiences,

    /// Jobs taken from the inbox and not done yet.
    pub(crate) jobs: VecDeque<Job>,
    /// The audience that must be served first: another publication to it would lap readers that keep up.
    crowded: Option<u32>,
    /// Connections with something of their own to write.
    pub(crate) ready: VecDeque<usize>,
    /// Connections with something left to read.
    pub(crate) unread: VecDeque<usize>,
    /// Audiences that wait for a turn.
    pub(crate) dirty: VecDeque<u32>,
    /// How many messages, of all connections, were read and not answered yet.
    pub(crate) unanswered: usize,

    pub(crate) scratch: Box<[u8]>,
    pub(crate) inflater: Inflater,
    /// The decrypted bytes of a TLS connection, while they are acted on.
    pub(crate) plain: Vec<u8>,
    pub(crate) pieces: Pieces,
    pub(crate) tally: Tally,
    pub(crate) sweep: Sweep,
    pub(crate) drain: Option<Drain>,
    /// Dropped when every message that was read is answered.
    pub(crate) quiet: Option<Sender<()>>,
    pub(crate) stopping: bool,

    recess: Recess,
    started: Instant,
    /// Milliseconds since the start, read once per pass; never 0.
    pub(crate) now: u64,
    /// Counts publications and waiting items. The number of each is its stamp, which tells the order of any two.
    pub(crate) stamp: u64,
}

impl Shard {
    pub(crate) fn new(number: usize, options: Options, interest: Arc<Interest>) -> io::Result<Shard> {
        let poll = Poll::new()?;
        let inbox = Inbox::new(Waker::new(poll.registry(), INBOX)?);
        let budget = Budget { each: options.tail_bytes, left: options.tails_total / options.shards };
        Ok(Shard {
            number,
            door: Arc::new(Door { inbox, counters: Counters::default() }),
            interest,
            poll,
            connections: Slab::new(),
            slots: HashMap::new(),
            audiences: Audiences::new(budget),
            jobs: VecDeque::new(),
            crowded: None,
            ready: VecDeque::new(),
            unread: VecDeque::new(),
            dirty: VecDeque::new(),
            unanswered: 0,
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            inflater: Inflater::default(),
            plain: Vec::new(),
            pieces: Pieces::default(),
            tally: Tally::default(),
            sweep: Sweep::new(&options),
            drain: None,
            quiet: None,
            stopping: false,
            recess: Recess::new(),
            started: Instant::now(),
            now: 1,
            stamp: 0,
            options,
        })
    }

    /// Serves until it is told to stop.
    ///
    /// A pass reads, then takes jobs, then writes. So what a message asks for leaves in the pass that read the
    /// message.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stopping {
            self.wait(&mut events);
            for event in &events {
                self.notice(event);
            }
            self.read_on();
            self.take_jobs();
            self.flush_ready();
            self.take_turns();
            self.sweep();
            self.drain_on();
            self.fall_quiet();
            self.count();
        }
        self.leave();
        self.count();
    }

    /// The stamp of one more publication or waiting item.
    pub(crate) fn next_stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    /// Marks a connection to be flushed in this pass.
    pub(crate) fn wake(&mut self, slot: usize) {
        if let Some(conn) = self.connections.get_mut(slot)
            && !conn.ready
            && !conn.blocked
        {
            conn.ready = true;
            self.ready.push_back(slot);
        }
    }

    /// Marks a connection to be read on from in the next pass.
    pub(crate) fn read_later(&mut self, slot: usize) {
        if let Some(conn) = self.connections.get_mut(slot)
            && !conn.unread
        {
            conn.unread = true;
            self.unread.push_back(slot);
        }
    }

    fn wait(&mut self, events: &mut Events) {
        let idle =
            self.ready.is_empty() && self.unread.is_empty() && self.dirty.is_empty() && self.jobs.is_empty();
        let timeout =
            if !idle || !self.door.inbox.lie_down() { Some(Duration::ZERO) } else { self.patience() };
        let began = Instant::now();
        if let Err(error) = self.poll.poll(events, timeout) {
            // A poll that was made well can only be interrupted, and then there are no events.
            debug_assert_eq!(error.kind(), io::ErrorKind::Interrupted);
            events.clear();
        }
        self.recess.after_wait(began);
        self.door.inbox.get_up();
        self.now = 1 + self.started.elapsed().as_millis() as u64;
    }

    /// How long the shard may sleep; `None` if it has no connection.
    fn patience(&self) -> Option<Duration> {
        let sweep = (!self.connections.is_empty()).then(|| self.sweep.due_in(self.now));
        let drain = self.drain.as_ref().and_then(|drain| drain.due_in(self.now));
        sweep.into_iter().chain(drain).min()
    }

    fn notice(&mut self, event: &Event) {
        let slot = event.token().0;
        let Some(conn) = self.connections.get_mut(slot) else { return };
        if event.is_writable() && conn.blocked {
            conn.blocked = false;
            self.wake(slot);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.connections[slot].ended |= event.is_read_closed();
            self.read(slot);
        }
    }

    /// Does a bounded number of jobs. Does none while the next publication would lap readers that keep up: their
    /// sockets are not full, and yet the tail would forget frames that they were not offered. Every key of the shard
    /// waits then. So a caller that publishes much under one key should wait for its [`Milestone`](crate::Milestone)s
    /// first.
    fn take_jobs(&mut self) {
        for _ in 0..JOBS {
            if self.is_crowded() {
                return;
            }
            if self.jobs.is_empty() {
                self.door.inbox.take(&mut self.jobs);
            }
            let Some(job) = self.jobs.pop_front() else { return };
            self.perform(job);
        }
    }

    fn is_crowded(&mut self) -> bool {
        let most = self.options.tail_bytes as u64 / 4 * 3;
        self.crowded = self.crowded.filter(|crowded| {
            self.audiences
                .get(*crowded)
                .is_some_and(|audience| audience.pass.dirty && audience.unserved() > most)
        });
        self.crowded.is_some()
    }

    fn perform(&mut self, job: Job) {
        match job {
            Job::Attach(attach) => self.attach(*attach),
            Job::Follow(follow) => self.follow(follow),
            Job::Unfollow { conn, key } => self.unfollow(conn, key),
            Job::Publish { key, encoding, publication } => {
                self.crowded = self.publish(key, encoding, &publication);
            }
            Job::Set { key, milestone } => self.set(key, &milestone),
            Job::Unicast { conn, frame } => self.unicast(conn, frame),
            Job::Page { conn, frames } => self.page(conn, frames),
            Job::Reply { conn, frames } => {
                for frame in frames {
                    self.unicast(conn, frame);
                    self.answered(conn);
                }
            }
            Job::Answered { conn } => self.answered(conn),
            Job::Ask { conn } => self.asked(conn),
            Job::Close { conn, code, reason } => self.close(conn, code, &reason),
            Job::Hush { quiet } => self.hush(quiet),
            Job::Drain(drain) => self.begin_drain(drain),
            Job::Stop => self.stopping = true,
        }
    }

    fn count(&mut self) {
        let tail_bytes = self.options.tails_total / self.options.shards - self.audiences.left();
        self.door.counters.add(&mut self.tally, tail_bytes);
    }
}
