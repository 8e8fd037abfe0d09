//! What a connection lacks of a room, by more than one account.

use delivery::Shortfall;

/// What a connection lacks of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    /// Everything behind this `seq`. `None` is more than is told one by one, or nobody knows how much.
    pub(super) after: Option<u64>,
    /// By which it is known.
    pub(super) shortfall: Shortfall,
}

impl Missed {
    /// More than is told one by one, of a room that was not refused.
    pub(super) const ALL: Self = Self { after: None, shortfall: Shortfall::NONE };

    /// Whether one catch-up can end both: where there was no shortfall, the end of one is none of the other's.
    pub(super) fn is_like(self, other: Self) -> bool {
        (self.shortfall == Shortfall::NONE) == (other.shortfall == Shortfall::NONE)
    }

    /// What is lacking by both accounts: where one of them was refused while the other still waited, the later one must not
    /// hide what only the earlier one told of.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            // `None`, all of it, is the least.
            after: self.after.min(other.after),
            shortfall: self.shortfall.max(other.shortfall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortfall_that_comes_later_does_not_hide_what_an_earlier_one_lacks() {
        let shortfall = Shortfall::NONE;
        let (early, late) = (Missed { after: Some(3), shortfall }, Missed { after: Some(21), shortfall });
        assert_eq!((early.and(late), late.and(early)), (early, early));
        assert_eq!((Missed::ALL.and(late), late.and(Missed::ALL)), (Missed::ALL, Missed::ALL));
        assert!(early.is_like(Missed::ALL));
    }
}
