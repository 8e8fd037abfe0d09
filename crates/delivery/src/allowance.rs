//! How much a peer may send.

use std::num::NonZero;

/// How many seconds' worth of frames and bytes may come at once.
const BURST: u64 = 10;
const NANOS: u64 = 1_000_000_000;

/// How many frames and bytes a peer may send each second. Ten seconds' worth of them may come at once. Control frames
/// and fragments count. A peer that sends more is closed with code 1008.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// Frames a second.
    pub frames: NonZero<u32>,
    /// Bytes a second, headers included.
    pub bytes: NonZero<u32>,
}

/// What a peer has used of its allowance. As in the generic cell rate algorithm (ITU-T I.371), each kind is one
/// number: the time at which everything that the peer sent would have come, had it come at the allowed rate.
pub(crate) struct Spending {
    allowance: Allowance,
    frames_at: u64,
    bytes_at: u64,
    /// Milliseconds since when the shard has not read from the peer. `None` while the shard reads everything at once.
    unread_since: Option<u64>,
}

impl Spending {
    pub(crate) fn new(allowance: Allowance) -> Spending {
        Spending { allowance, frames_at: 0, bytes_at: 0, unread_since: None }
    }

    /// From `now` on the shard does not read from the peer, for reasons of its own. What the peer sends meanwhile
    /// counts as sent meanwhile, and not as sent all at once when the shard reads it.
    pub(crate) fn pause(&mut self, now: u64) {
        self.unread_since.get_or_insert(now);
    }

    /// The shard has read everything that the peer sent.
    pub(crate) fn catch_up(&mut self) {
        self.unread_since = None;
    }

    /// Counts what came by `now`, in milliseconds; `false` if it was too much.
    pub(crate) fn allows(&mut self, now: u64, frames: u64, bytes: usize) -> bool {
        let Allowance { frames: frame_rate, bytes: byte_rate } = self.allowance;
        let since = self.unread_since.unwrap_or(now);
        let frames = spend(&mut self.frames_at, since, now, frames, frame_rate);
        let bytes = spend(&mut self.bytes_at, since, now, bytes as u64, byte_rate);
        frames && bytes
    }
}

fn spend(at: &mut u64, since: u64, now: u64, count: u64, rate: NonZero<u32>) -> bool {
    let nanos = |milliseconds: u64| milliseconds.saturating_mul(1_000_000);
    let cost = count.saturating_mul(NANOS) / u64::from(rate.get());
    *at = (*at).max(nanos(since)).saturating_add(cost);
    at.saturating_sub(nanos(now)) <= BURST * NANOS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spending(frames: u32, bytes: u32) -> Spending {
        let of = |number| NonZero::new(number).expect("not zero");
        Spending::new(Allowance { frames: of(frames), bytes: of(bytes) })
    }

    #[test]
    fn ten_seconds_worth_may_come_at_once_and_no_more() {
        let mut spending = spending(2, 1_000_000);
        assert!((0..20).all(|_| spending.allows(1, 1, 10)));
        assert!(!spending.allows(1, 1, 10));
    }

    #[test]
    fn who_keeps_to_the_rate_may_send_for_ever() {
        let mut spending = spending(2, 100);
        assert!((0..10_000).all(|turn| spending.allows(1 + turn * 500, 1, 50)));
    }

    #[test]
    fn what_was_not_read_for_our_own_reasons_counts_as_sent_meanwhile() {
        let mut spending = spending(2, 1_000_000);
        assert!(spending.allows(1, 1, 10));
        spending.pause(1);
        spending.pause(20_000);
        let now = 30_001;
        assert!((0..79).all(|_| spending.allows(now, 1, 10)), "thirty seconds' worth and a burst");
        assert!(!spending.allows(now, 1, 10), "and no more");
    }

    #[test]
    fn who_was_silent_while_not_read_has_earned_no_more_than_a_burst() {
        let mut spending = spending(2, 1_000_000);
        spending.pause(1);
        spending.catch_up();
        assert!((0..20).all(|_| spending.allows(30_001, 1, 10)));
        assert!(!spending.allows(30_001, 1, 10));
    }

    #[test]
    fn bytes_count_like_frames() {
        let mut spending = spending(1_000, 100);
        assert!(spending.allows(1, 1, 1_000));
        assert!(!spending.allows(1, 0, 1));
        assert!(spending.allows(1_102, 1, 100), "room comes back with time");
    }
}
