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
use crate::farewell::Drain;
use crate::flush::Pieces;
use crate::inbox::Inbox;
use crate::inflate::Inflater;
use crate::interest::Interest;
use crate::key::ConnId;
use crate::options::Options;
use crate::order::Order;
use crate::recess::Recess;
use crate::stats::{Counters, Tally};
use crate::sweep::Sweep;
use crate::tail::Budget;

/// The token of the inbox; connections have their slots.
const INBOX: Token = Token(usize::MAX);
/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;
/// Most orders that a shard obeys in one pass.
const ORDERS: usize = 1024;
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

    /// Orders taken from the inbox and not obeyed yet.
    pub(crate) orders: VecDeque<Order>,
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
            orders: VecDeque::new(),
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
    /// A pass reads, then takes orders, then writes. So what a message asks for leaves in the pass that read the
    /// message.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stopping {
            self.wait(&mut events);
            for event in &events {
                self.notice(event);
            }
            self.read_on();
            self.take_orders();
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
        let idle = self.ready.is_empty()
            && self.unread.is_empty()
            && self.dirty.is_empty()
            && self.orders.is_empty();
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

    /// Obeys a bounded number of orders. Obeys none while the next publication would lap readers that keep up: their
    /// sockets are not full, and yet the tail would forget frames that they were not offered. Every key of the shard
    /// waits then. So a caller that publishes much under one key should wait for its [`Milestone`](crate::Milestone)s
    /// first.
    fn take_orders(&mut self) {
        for _ in 0..ORDERS {
            if self.is_crowded() {
                return;
            }
            if self.orders.is_empty() {
                self.door.inbox.take(&mut self.orders);
            }
            let Some(order) = self.orders.pop_front() else { return };
            self.obey(order);
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

    fn obey(&mut self, order: Order) {
        match order {
            Order::Attach(attach) => self.attach(*attach),
            Order::Follow(follow) => self.follow(follow),
            Order::Unfollow { conn, key } => self.unfollow(conn, key),
            Order::Publish { key, encoding, publication } => {
                self.crowded = self.publish(key, encoding, &publication);
            }
            Order::Set { key, milestone } => self.set(key, &milestone),
            Order::Unicast { conn, frame } => self.unicast(conn, frame),
            Order::Page { conn, frames } => self.page(conn, frames),
            Order::Reply { conn, frames } => {
                for frame in frames {
                    self.unicast(conn, frame);
                    self.answered(conn);
                }
            }
            Order::Answered { conn } => self.answered(conn),
            Order::Ask { conn } => self.asked(conn),
            Order::Close { conn, code, reason } => self.close(conn, code, &reason),
            Order::Hush { quiet } => self.hush(quiet),
            Order::Drain(drain) => self.begin_drain(drain),
            Order::Stop => self.stopping = true,
        }
    }

    fn count(&mut self) {
        let tail_bytes = self.options.tails_total / self.options.shards - self.audiences.left();
        self.door.counters.add(&mut self.tally, tail_bytes);
    }
}
