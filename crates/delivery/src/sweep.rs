//! The rounds of a shard: it pings connections, closes dead ones, and takes memory back from quiet tails.

use std::time::Duration;

use crate::audience::{Audience, Follower};
use crate::connection::Phase;
use crate::farewell::{TOO_SLOW, WENT_AWAY};
use crate::flush::Scope;
use crate::frame;
use crate::gateway::Closed;
use crate::rounds::{Part, millis};
use crate::shard::Shard;
use crate::turns::guarded;

/// A tail in which nothing was published for this long gives its memory back.
const QUIET: Duration = Duration::from_secs(60);
/// Beats between two looks at what has become readable, writable or published. The pongs of so many come in one wait.
const BEATS: usize = 128;

impl Shard {
    /// Does the part of a tick when it is due, and beats a bounded number of times.
    pub(crate) fn sweep(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        for _ in 0..BEATS {
            let Some(slot) = self.sweep.due.next() else { return self.tick() };
            self.beat(slot);
        }
    }

    fn tick(&mut self) {
        if self.now < self.sweep.next {
            return;
        }
        self.sweep.next = (self.sweep.next + self.sweep.tick).max(self.now);
        self.sweep.count = self.sweep.count.wrapping_add(1);
        let (count, look) = (self.sweep.count, self.sweep.look_round);
        for slot in Part::of(count, look, self.connections.capacity()) {
            self.look_after(slot);
        }
        for audience in Part::of(count, look, self.audiences.capacity()) {
            self.release_quiet(audience as u32);
        }
        self.sweep.due = Part::of(count, self.sweep.beat_round, self.connections.capacity());
    }

    /// Closes a connection that has been dead for too long.
    fn look_after(&mut self, slot: usize) {
        let Some(conn) = self.connections.get(slot) else { return };
        let over = |since: u64, limit: Duration| self.now.saturating_sub(since) > millis(limit);
        match conn.phase {
            Phase::Open if conn.stalled_at > 0 && over(conn.stalled_at, self.options.stall) => {
                self.expel(slot, TOO_SLOW, Closed::Slow);
            }
            // No ping is written to a full socket, so its silence says nothing.
            Phase::Open if conn.blocked || conn.paused(&self.options) => {}
            Phase::Open if over(conn.heard_at, self.sweep.silence) => {
                self.expel(slot, WENT_AWAY, Closed::Silent);
            }
            Phase::Closing { since, .. } if over(since, self.options.stall) => self.lose(slot),
            Phase::Lingering { until, .. } if self.now > until => self.lose(slot),
            Phase::Open | Phase::Closing { .. } | Phase::Lingering { .. } => {}
        }
    }

    /// Sends a ping and the gateway's frame in one write. Nothing is queued while the socket is full.
    fn beat(&mut self, slot: usize) {
        let Some(conn) = self.connections.get_mut(slot) else { return };
        conn.controls = 0;
        let (Phase::Open, false, Some(gateway)) = (conn.phase, conn.blocked, &conn.gateway) else { return };
        let id = conn.id;
        let beat = if conn.cursors.is_empty() { Some(None) } else { guarded(|| gateway.on_beat(id)) };
        self.tally.panics += u64::from(beat.is_none());
        let stamp = self.next_stamp();
        let conn = &mut self.connections[slot];
        let lacks_nothing = conn.backlog.is_none() && !conn.ready && self.dirty.is_empty();
        conn.queue_frame(stamp, frame::ping_before(beat.flatten()));
        if lacks_nothing {
            // Written at once, without a look at the keys that the connection follows: on a quiet server nothing else
            // is in the processor's caches.
            self.flush(slot, Scope::Nothing);
        } else {
            self.wake(slot);
        }
    }

    /// Takes the memory of a tail back, when nothing was published for a minute and every follower has everything.
    fn release_quiet(&mut self, index: u32) {
        let Some(audience) = self.audiences.get(index) else { return };
        let end = audience.tail.end();
        let quiet = audience.tail.capacity() > 0
            && self.now.saturating_sub(audience.published_at) > millis(QUIET)
            && self.offsets(audience).all(|offset| offset >= end);
        if quiet {
            self.audiences.release(index);
        }
    }

    /// Takes the memory of a tail back at once, when it holds nothing that catching up could need and every follower
    /// has everything.
    ///
    /// In a quiet room there is only presence. Kept for a minute, each of many rooms would have a piece of memory for
    /// it while all clients come back, between pieces that stay.
    pub(crate) fn release_fleeting(&mut self, index: u32) {
        let Some(audience) = self.audiences.get(index) else { return };
        let end = audience.tail.end();
        if audience.tail.is_only_fleeting() && self.offsets(audience).all(|offset| offset == end) {
            self.audiences.release(index);
        }
    }

    /// The offsets of the followers of an audience.
    fn offsets(&self, audience: &Audience) -> impl Iterator<Item = u64> {
        let cursor =
            |follower: &Follower| &self.connections[follower.slot as usize].cursors[follower.cursor as usize];
        audience.followers.iter().map(move |follower| cursor(follower).offset)
    }
}
