//! Which connections and tails of a shard have their turn in which tick.

use std::time::Duration;

use crate::options::Options;

/// Ticks in the shortest interval.
const TICKS: u32 = 25;
/// Slots that have their turns in the same tick. Connections with neighbouring slots were made one after the other,
/// so their data lies together, here and in the kernel. Looking at one brings much of the next into the processor's
/// caches.
const NEIGHBOURS: usize = 32;

/// One walk over all connections and tails of a shard, a part in each tick, in place of a timer for each.
pub(crate) struct Sweep {
    /// Milliseconds between ticks.
    pub(crate) tick: u64,
    pub(crate) next: u64,
    pub(crate) count: usize,
    /// Ticks in which each connection gets one beat.
    pub(crate) beat_round: usize,
    /// Ticks in which each connection and each tail is looked at once.
    pub(crate) look_round: usize,
    /// A look closes a connection that has been silent for this long: at the next look it would have been silent for
    /// too long.
    pub(crate) silence: Duration,
    /// The slots whose beat is due since the last tick.
    pub(crate) due: Part,
}

/// The slots that have their turn in one tick: blocks of neighbours at even distances.
pub(crate) struct Part {
    at: usize,
    end: usize,
    /// How far apart the blocks begin.
    stride: usize,
}

impl Part {
    pub(crate) fn of(tick: usize, round: usize, end: usize) -> Part {
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

/// Whole milliseconds, at least one.
pub(crate) fn millis(duration: Duration) -> u64 {
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
