//! Which connections write when: first those with something of their own, then the audiences in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sabotage::Point;

use crate::backlog::{Item, What};
use crate::connection::Connection;
use crate::flush::{Flushed, Scope, flush};
use crate::gateway::Gateway;
use crate::shard::Shard;

/// Writes between two looks at what has become readable, writable or published.
const SENDS: usize = 256;
/// The same while a message is unanswered. An answer needs the threads that store the message, and those need the
/// processor.
const SENDS_WHILE_ASKED: usize = 32;
/// Bytes written to audiences between two looks. Under load frames gather, and one write is many times as long as
/// usual. Everything else on the shard waits for these writes.
const BYTES: u64 = 256 << 10;
/// Followers passed over between two looks, because their sockets are full or they lack nothing.
const VISITS: usize = 4096;
/// Writes to one connection before the others get theirs.
const WRITES: usize = 4;

/// How much a pass may still write to audiences.
struct Left {
    sends: usize,
    visits: usize,
    /// The pass is over when it has written so many bytes.
    written: u64,
}

impl Shard {
    /// Flushes the connections that have something of their own, each at most once.
    pub(crate) fn flush_ready(&mut self) {
        for _ in 0..self.ready.len().min(SENDS) {
            let Some(slot) = self.ready.pop_front() else { return };
            let Some(conn) = self.connections.get_mut(slot) else { continue };
            conn.ready = false;
            if !conn.blocked {
                let first = usize::from(conn.first);
                self.flush(slot, Scope::From(first));
            }
        }
    }

    /// Gives dirty audiences their turns until this pass has used up its writes. An audience whose turn is cut short
    /// goes to the end of the line.
    pub(crate) fn take_turns(&mut self) {
        let sends = if self.unanswered > 0 { SENDS_WHILE_ASKED } else { SENDS };
        let mut left = Left { sends, visits: VISITS, written: self.tally.bytes + BYTES };
        while let Some(audience) = self.dirty.pop_front() {
            self.take_turn(audience, &mut left);
            let unfinished = self.audiences.get(audience).is_some_and(|audience| audience.pass.dirty);
            if unfinished {
                self.dirty.push_back(audience);
                return;
            }
            self.release_fleeting(audience);
        }
    }

    fn take_turn(&mut self, index: u32, left: &mut Left) {
        while left.sends > 0 && left.visits > 0 && self.tally.bytes < left.written {
            let Some(audience) = self.audiences.get_mut(index) else { return };
            let Some(follower) = audience.next() else { return };
            let (slot, cursor) = (follower.slot as usize, follower.cursor as usize);
            let conn = &self.connections[slot];
            left.visits -= 1;
            if conn.blocked || conn.cursors[cursor].offset >= audience.tail.end() {
                continue;
            }
            left.sends -= 1;
            // When nothing else waits, the connection lacks frames of this audience alone.
            let alone = self.dirty.is_empty() && conn.backlog.is_none() && !conn.ready;
            self.flush(slot, if alone { Scope::Only(cursor) } else { Scope::From(cursor) });
        }
    }

    /// Writes what is due to a connection, until its socket is full or the others have waited long enough.
    pub(crate) fn flush(&mut self, slot: usize, scope: Scope) {
        if self.connections.get(slot).is_some_and(|conn| conn.backlog.is_some()) {
            self.flush_owed(slot, scope);
        } else {
            self.write(slot, scope);
        }
    }

    /// The same for a connection with a backlog. When its peer has taken enough of the backlog, the shard reads from
    /// it again. A function of its own, because few connections have a backlog, and else every delivery would pay for
    /// it.
    #[inline(never)]
    fn flush_owed(&mut self, slot: usize, scope: Scope) {
        let Some(conn) = self.connections.get(slot) else { return };
        let (was_paused, asked) = (conn.paused(&self.options), conn.asked);
        self.write(slot, scope);
        if was_paused {
            self.hear_again(slot);
        }
        if asked {
            self.tell_if_taken(slot);
        }
    }

    fn write(&mut self, slot: usize, mut scope: Scope) {
        for _ in 0..WRITES {
            let Some(conn) = self.connections.get_mut(slot) else { return };
            let mut drained = 0;
            let flushed =
                flush(conn, &self.audiences, scope, &mut self.pieces, &mut self.tally, &mut drained);
            let id = conn.id;
            for _ in 0..drained {
                self.tell(slot, |gateway| gateway.on_drained(id));
            }
            match flushed {
                Flushed::Done => return sabotage::pass(Point::MidFanOut),
                Flushed::More => {}
                Flushed::Full => {
                    self.block(slot);
                    return;
                }
                Flushed::Lagged(cursor) => self.lag(slot, cursor),
                Flushed::Turn => self.turn(slot),
                Flushed::Farewell => {
                    self.farewell(slot);
                    return;
                }
                Flushed::Broken => {
                    self.lose(slot);
                    return;
                }
            }
            // The indexes of cursors may have changed.
            scope = Scope::From(0);
        }
        if let Some(conn) = self.connections.get_mut(slot) {
            // When more keys are due than one write takes, the keys take turns at the head.
            let next = (usize::from(conn.first) + 1) % conn.cursors.len().max(1);
            conn.first = u16::try_from(next).unwrap_or(0);
            self.wake(slot);
        }
    }

    /// Calls a connection's gateway, unless it was told already that the connection is over.
    pub(crate) fn tell(&mut self, slot: usize, call: impl FnOnce(&dyn Gateway)) {
        let Some(Connection { gateway: Some(gateway), .. }) = self.connections.get(slot) else { return };
        if guarded(|| call(gateway.as_ref())).is_none() {
            self.tally.panics += 1;
        }
    }

    fn block(&mut self, slot: usize) {
        let conn = &mut self.connections[slot];
        conn.blocked = true;
        if conn.stalled_at == 0 {
            conn.stalled_at = self.now;
        }
    }

    /// Does the first item of a backlog, which is not a frame.
    fn turn(&mut self, slot: usize) {
        let conn = &mut self.connections[slot];
        let item = conn.backlog().pop();
        conn.tidy();
        let Some(Item { stamp, what }) = item else { return };
        match what {
            What::Start { key, after } => self.start(slot, key, after, stamp),
            What::Stop { key } => self.stop_following(slot, key),
            What::Frame(..) => {}
        }
    }
}

/// Calls into a gateway; `None` if it panicked. The mistake of one gateway must not end a thread that serves
/// thousands of connections.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}
