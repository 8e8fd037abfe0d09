//! What a connection lacks of a room, by more than one account.

use delivery::Refusal;

/// What a connection lacks of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    /// Everything behind this `seq`. `None` is more than is told one by one, or nobody knows how much.
    pub(super) after: Option<u64>,
    /// By which it is known.
    pub(super) refusal: Refusal,
}

impl Missed {
    /// More than is told one by one, of a room that was not refused.
    pub(super) const ALL: Self = Self { after: None, refusal: Refusal::NONE };

    /// Whether one catch-up can end both: where there was no refusal, the end of one is none of the other's.
    pub(super) fn is_like(self, other: Self) -> bool {
        (self.refusal == Refusal::NONE) == (other.refusal == Refusal::NONE)
    }

    /// What is lacking by both accounts: where one of them was refused while the other still waited, the later one must not
    /// hide what only the earlier one told of.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            // `None`, all of it, is the least.
            after: self.after.min(other.after),
            refusal: self.refusal.max(other.refusal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_comes_later_does_not_hide_what_an_earlier_one_lacks() {
        let refusal = Refusal::NONE;
        let (early, late) = (Missed { after: Some(3), refusal }, Missed { after: Some(21), refusal });
        assert_eq!((early.and(late), late.and(early)), (early, early));
        assert_eq!((Missed::ALL.and(late), late.and(Missed::ALL)), (Missed::ALL, Missed::ALL));
        assert!(early.is_like(Missed::ALL));
    }
}
