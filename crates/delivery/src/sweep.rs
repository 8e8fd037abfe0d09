//! The rounds of a shard: it pings connections, closes dead ones, and takes memory back from quiet tails.

use std::time::Duration;

use crate::audience::{Audience, Follower};
use crate::connection::Phase;
use crate::farewell::{TOO_SLOW, WENT_AWAY};
use crate::flush::Scope;
use crate::frame;
use crate::gateway::Closed;
use crate::options::Options;
use crate::shard::Shard;
use crate::turns::guarded;

/// Ticks in the shortest interval.
const TICKS: u32 = 25;
/// A tail in which nothing was published for this long gives its memory back.
const QUIET: Duration = Duration::from_secs(60);
/// Slots that have their turns in the same tick. Connections with neighbouring slots were made one after the other,
/// so their data lies together, here and in the kernel. Looking at one brings much of the next into the processor's
/// caches.
const NEIGHBOURS: usize = 32;
/// Beats between two looks at what has become readable, writable or published. The pongs of so many come in one wait.
const BEATS: usize = 128;

/// One walk over all connections and tails of a shard, a part in each tick, in place of a timer for each.
pub(crate) struct Sweep {
    /// Milliseconds between ticks.
    tick: u64,
    next: u64,
    count: usize,
    /// Ticks in which each connection gets one beat.
    beat_round: usize,
    /// Ticks in which each connection and each tail is looked at once.
    look_round: usize,
    /// A look closes a connection that has been silent for this long: at the next look it would have been silent for
    /// too long.
    silence: Duration,
    /// The slots whose beat is due since the last tick.
    due: Part,
}

/// The slots that have their turn in one tick: blocks of neighbours at even distances.
struct Part {
    at: usize,
    end: usize,
    /// How far apart the blocks begin.
    stride: usize,
}

impl Part {
    fn of(tick: usize, round: usize, end: usize) -> Part {
        Part { at: tick % round * NEIGHBOURS, end, stride: round.saturating_mul(NEIGHBOURS) }
    }
}

impl Iterator for Part {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let slot = self.at;
        if slot >= self.end {
            return None;
        }
        self.at += 1;
        if self.at.is_multiple_of(NEIGHBOURS) {
            self.at = (slot - slot % NEIGHBOURS).saturating_add(self.stride);
        }
        Some(slot)
    }
}

impl Sweep {
    pub(crate) fn new(options: &Options) -> Sweep {
        let patience = options.silence.min(options.stall);
        let tick = millis(options.heartbeat.min(patience) / TICKS);
        let round =
            |interval: Duration| usize::try_from(millis(interval) / tick).unwrap_or(usize::MAX).max(1);
        Sweep {
            tick,
            next: 0,
            count: 0,
            beat_round: round(options.heartbeat),
            look_round: round(patience / 6),
            silence: options.silence.saturating_sub(patience / 6),
            due: Part::of(0, 1, 0),
        }
    }

    /// Starts the clock, when the first connection comes.
    pub(crate) fn begin(&mut self, now: u64) {
        self.next = now + self.tick;
    }

    pub(crate) fn due_in(&self, now: u64) -> Duration {
        if self.due.at < self.due.end {
            return Duration::ZERO;
        }
        Duration::from_millis(self.next.saturating_sub(now))
    }
}

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

/// Whole milliseconds, at least one.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_a_silent_peer_is_let_go_within_75_seconds_and_not_before_it_missed_two_beats() {
        let options = Options::default();
        let sweep = Sweep::new(&options);
        let between_looks = Duration::from_millis(sweep.tick) * u32::try_from(sweep.look_round).expect("few");
        assert!(sweep.silence + between_looks <= Duration::from_secs(75));
        assert!(sweep.silence > 2 * options.heartbeat + between_looks);
    }

    #[test]
    fn every_slot_has_one_turn_in_a_round_and_neighbours_have_it_together() {
        for end in [0, 1, 31, 32, 33, 800, 9_001] {
            let turns: Vec<usize> = (1..26).flat_map(|tick| Part::of(tick, 25, end)).collect();
            let mut sorted = turns.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..end).collect::<Vec<_>>());
            assert!(turns.chunk_by(|one, next| one + 1 == *next).all(|run| run[0] % NEIGHBOURS == 0));
        }
    }

    #[test]
    fn many_connections_are_spread_over_all_ticks() {
        let most = (0..25).map(|tick| Part::of(tick, 25, 9_000).count()).max();
        assert_eq!(most, Some(9_000_usize.div_ceil(25 * NEIGHBOURS) * NEIGHBOURS));
    }
}
