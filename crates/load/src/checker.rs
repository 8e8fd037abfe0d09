//! Whether everything came, once and in order.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::AddAssign;

/// How many deliveries went wrong, by how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Never came.
    pub lost: u64,
    /// Came again.
    pub doubled: u64,
    /// Came after a later one.
    pub misplaced: u64,
    /// Connections that ended, or never opened.
    pub broken: u64,
    /// Posts that were refused for good.
    pub refused: u64,
}

impl Faults {
    /// Whether nothing went wrong.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Faults {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.misplaced += other.misplaced;
        self.broken += other.broken;
        self.refused += other.refused;
    }
}

/// The most missing numbers that are remembered. A greater hole is lost for good.
const REMEMBERED: u64 = 100_000;

/// How far one connection has come in one stream of numbers without holes: a room's `seq`, or a sender's counter.
#[derive(Debug, Clone, Default)]
pub struct Track {
    next: u64,
    /// Numbers jumped over; empty, it holds no memory.
    missing: BTreeSet<u64>,
}

impl Track {
    /// A stream whose next number is `next`.
    pub fn starting(next: u64) -> Self {
        Self { next, missing: BTreeSet::new() }
    }

    /// The next number.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes a number that came. Returns whether it came for the first time.
    pub fn take(&mut self, number: u64, faults: &mut Faults) -> bool {
        if number == self.next {
            self.next += 1;
            return true;
        }
        if number > self.next {
            self.jump(number, faults);
            return true;
        }
        let late = self.missing.remove(&number);
        if late {
            faults.lost -= 1;
            faults.misplaced += 1;
        } else {
            faults.doubled += 1;
        }
        late
    }

    /// Ends the stream, in which `end` would have been the next number.
    pub fn end(&self, end: u64, faults: &mut Faults) {
        faults.lost += end.saturating_sub(self.next);
    }

    fn jump(&mut self, number: u64, faults: &mut Faults) {
        faults.lost += number - self.next;
        self.missing.extend(self.next.max(number.saturating_sub(REMEMBERED))..number);
        self.next = number + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u64], end: u64) -> Faults {
        let (mut track, mut faults) = (Track::starting(1), Faults::default());
        for number in numbers {
            track.take(*number, &mut faults);
        }
        track.end(end, &mut faults);
        faults
    }

    #[test]
    fn what_comes_once_and_in_order_is_right() {
        assert!(after(&[1, 2, 3], 4).none());
    }

    #[test]
    fn a_lost_frame_is_noticed() {
        assert_eq!(after(&[1, 3], 4), Faults { lost: 1, ..Faults::default() });
    }

    #[test]
    fn the_loss_of_the_last_frames_is_noticed() {
        assert_eq!(after(&[1], 4), Faults { lost: 2, ..Faults::default() });
    }

    #[test]
    fn a_doubled_frame_is_noticed() {
        assert_eq!(after(&[1, 2, 2, 3], 4), Faults { doubled: 1, ..Faults::default() });
    }

    #[test]
    fn swapped_frames_are_noticed_and_not_lost() {
        assert_eq!(after(&[2, 1, 3], 4), Faults { misplaced: 1, ..Faults::default() });
    }

    #[test]
    fn a_frame_that_comes_late_and_then_again_is_misplaced_and_doubled() {
        assert_eq!(after(&[2, 1, 1, 3], 4), Faults { misplaced: 1, doubled: 1, ..Faults::default() });
    }
}
