//! How connections end: in order, at once, or all together.

use std::mem;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use bytes::Bytes;
use sabotage::Point;

use crate::backlog::{Then, What};
use crate::connection::Phase;
use crate::drain::Drain;
use crate::flush::Scope;
use crate::frame;
use crate::gateway::Closed;
use crate::job::Job;
use crate::key::ConnId;
use crate::shard::Shard;
use crate::turns::guarded;

/// How long, in milliseconds, a peer may take to answer our close frame.
const LINGER: u64 = 2_000;
/// "Going away" (RFC 6455 §7.4.1), for a peer that seems to be gone.
pub(crate) const WENT_AWAY: u16 = 1001;
/// "Internal error" (RFC 6455 §7.4.1).
pub(crate) const PANICKED: u16 = 1011;
/// "Service restart" (IANA registry of close codes).
pub(crate) const RESTART: u16 = 1012;
/// "Try again later" (IANA registry of close codes).
pub(crate) const TOO_SLOW: u16 = 1013;

impl Shard {
    pub(crate) fn close(&mut self, id: ConnId, code: u16, reason: &str) {
        if let Some(slot) = self.slots.get(&id) {
            self.close_slot(*slot, code, reason);
        }
    }

    /// Queues a close frame behind everything else; nothing is queued behind it.
    pub(crate) fn close_slot(&mut self, slot: usize, code: u16, reason: &str) {
        if self.connections[slot].phase != Phase::Open {
            return;
        }
        let stamp = self.next_stamp();
        let conn = &mut self.connections[slot];
        conn.phase = Phase::Closing { code, since: self.now };
        conn.queue(stamp, What::Frame(frame::close(code, reason), Then::Farewell));
        conn.held = None;
        self.wake(slot);
        self.read_later(slot);
    }

    /// Ends a connection at once. What waited for it is dropped, and only the close frame may still leave.
    pub(crate) fn expel(&mut self, slot: usize, code: u16, closed: Closed) {
        self.expel_because(slot, code, "", closed);
    }

    pub(crate) fn expel_because(&mut self, slot: usize, code: u16, reason: &str, closed: Closed) {
        self.detach(slot, closed);
        self.linger(slot, frame::close(code, reason), false);
    }

    /// The peer sent a close frame: answers it and ends the connection.
    pub(crate) fn part(&mut self, slot: usize, code: Option<u16>) {
        let conn = &mut self.connections[slot];
        match &mut conn.phase {
            Phase::Open | Phase::Closing { .. } => {
                self.detach(slot, Closed::ByPeer { code });
                self.linger(slot, frame::close_answer(code), true);
            }
            Phase::Lingering { .. } if conn.backlog.is_none() => self.lose(slot),
            Phase::Lingering { heard, .. } => *heard = true,
        }
    }

    /// Our close frame has left.
    pub(crate) fn farewell(&mut self, slot: usize) {
        match self.connections[slot].phase {
            Phase::Closing { code, .. } => {
                self.detach(slot, Closed::ByUs { code });
                self.connections[slot].phase = Phase::Lingering { until: self.now + LINGER, heard: false };
            }
            Phase::Lingering { heard: true, .. } => self.lose(slot),
            // The connection has failed, and the peer's close frame may never come or make sense. Half-closing the
            // socket tells the peer that nothing more comes (RFC 6455 §7.1.1). Closing it whole would reset it, and
            // our close frame could be lost.
            Phase::Lingering { heard: false, .. } => self.half_close(slot),
            Phase::Open => {}
        }
    }

    fn half_close(&mut self, slot: usize) {
        if self.connections[slot].socket.shutdown(Shutdown::Write).is_err() {
            self.lose(slot);
        }
    }

    /// Ends a connection whose transport is gone, or that has nobody left to wait for.
    pub(crate) fn lose(&mut self, slot: usize) {
        let closed = match self.connections[slot].phase {
            Phase::Closing { code, .. } => Closed::ByUs { code },
            Phase::Open | Phase::Lingering { .. } => Closed::Lost,
        };
        self.detach(slot, closed);
        let mut conn = self.connections.remove(slot);
        self.unanswered -= usize::from(conn.unanswered);
        // Closing the socket ends the registration, too, unless somebody kept a copy of it.
        let _: std::io::Result<()> = self.poll.registry().deregister(&mut conn.socket);
    }

    /// Tells the gateway, once, that the connection is over, and ends all its follows.
    fn detach(&mut self, slot: usize, closed: Closed) {
        let conn = &mut self.connections[slot];
        let Some(gateway) = conn.gateway.take() else { return };
        let id = conn.id;
        self.slots.remove(&id);
        while let Some(last) = self.connections[slot].cursors.len().checked_sub(1) {
            self.remove_cursor(slot, last);
        }
        match closed {
            Closed::Slow => self.tally.closed_slow += 1,
            Closed::Silent => self.tally.closed_silent += 1,
            Closed::Protocol { .. } => self.tally.closed_protocol += 1,
            Closed::ByPeer { .. } | Closed::ByUs { .. } | Closed::Lost => {}
        }
        self.tally.panics += u64::from(guarded(|| gateway.on_closed(id, closed)).is_none());
        self.door.counters.connections.fetch_sub(1, Ordering::Release);
    }

    /// Leaves nothing to be written except the rest of a half-written frame and the close frame.
    fn linger(&mut self, slot: usize, farewell: Bytes, heard: bool) {
        let stamp = self.next_stamp();
        let conn = &mut self.connections[slot];
        conn.phase = Phase::Lingering { until: self.now + LINGER, heard };
        conn.held = None;
        conn.backlog().clear();
        conn.queue(stamp, What::Frame(farewell, Then::Farewell));
        self.wake(slot);
        self.read_later(slot);
    }

    /// Reads nothing more until a connection is closed, and answers what was read.
    pub(crate) fn hush(&mut self, quiet: Sender<()>) {
        // A connection that may leave no message unanswered is never read.
        self.options.max_unanswered = 0;
        self.quiet = Some(quiet);
    }

    /// Reports once everything that was read is answered.
    pub(crate) fn fall_quiet(&mut self) {
        if self.quiet.is_some()
            && self.connections.iter().all(|(_, conn)| conn.phase != Phase::Open || conn.unanswered == 0)
        {
            self.quiet = None;
        }
    }

    pub(crate) fn begin_drain(&mut self, mut drain: Drain) {
        drain.since = self.now;
        drain.everybody = self.slots.keys().copied().collect();
        self.drain = Some(drain);
    }

    /// Queues the close frames that are due.
    pub(crate) fn drain_on(&mut self) {
        let Some(drain) = &mut self.drain else { return };
        let due = drain.due(self.now).min(drain.everybody.len()).max(drain.told);
        let told = std::mem::replace(&mut drain.told, due)..due;
        let is_told = due == drain.everybody.len();
        let slots: Vec<usize> =
            drain.everybody[told].iter().filter_map(|id| self.slots.get(id).copied()).collect();
        slots.into_iter().for_each(|slot| self.dismiss(slot));
        if is_told
            && self.connections.is_empty()
            && let Some(drain) = &mut self.drain
        {
            drain.gone = None;
        }
    }

    /// Closes a connection once its messages are answered: without the answers its peer would not know whether they
    /// were done.
    fn dismiss(&mut self, slot: usize) {
        let conn = &mut self.connections[slot];
        conn.leaving = true;
        if conn.unanswered == 0 {
            self.say_goodbye(slot);
        }
    }

    pub(crate) fn say_goodbye(&mut self, slot: usize) {
        let Some(drain) = &self.drain else { return };
        let (code, reason) = (drain.code, (drain.reason)());
        self.close_slot(slot, code, &reason);
        sabotage::pass(Point::MidDrain);
    }

    /// A connection that comes during a drain is closed, too.
    pub(crate) fn drain_newcomer(&mut self, slot: usize) {
        if self.drain.is_some() && self.connections.contains(slot) {
            self.dismiss(slot);
        }
    }

    /// Ends every connection, also those that wait in the inbox, and lets no more in.
    pub(crate) fn leave(&mut self) {
        let late = self.door.inbox.shut();
        for job in mem::take(&mut self.jobs).into_iter().chain(late) {
            if let Job::Attach(attach) = job {
                self.attach(*attach);
            }
        }
        let slots: Vec<usize> = self.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if self.connections[slot].gateway.is_some() {
                self.expel(slot, RESTART, Closed::ByUs { code: RESTART });
            }
            self.flush(slot, Scope::From(0));
        }
    }
}
