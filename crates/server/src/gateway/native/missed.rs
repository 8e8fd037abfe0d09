//! What a connection has missed of its rooms, until it has caught up with them.

use delivery::Shortfall;
use protocol::RoomId;
use std::collections::VecDeque;

/// How much a connection has missed of a room, as one of two accounts says: the tail that did not reach back, or the
/// client's own `resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    /// The connection lacks every event behind this `seq`. `None`: it lacks more than is told one by one, or nobody knows
    /// how much.
    pub(super) after: Option<u64>,
    /// The shortfall of the tail that told of it; [`Shortfall::NONE`] where no tail fell short.
    pub(super) shortfall: Shortfall,
}

/// The rooms that a connection is to catch up with, in turn. A room stands here once, or twice: because its tail fell short,
/// and for what the client itself missed too much of.
#[derive(Default)]
pub(super) struct Behind {
    rooms: VecDeque<(RoomId, Missed)>,
    running: bool,
}

impl Missed {
    /// More than is told one by one, of a room whose tail did not fall short.
    pub(super) const ALL: Self = Self { after: None, shortfall: Shortfall::NONE };

    /// Whether one catch-up can stand for both: the end of a catch-up ends the shortfall it answers, so that one without a
    /// shortfall does not stand for one with a shortfall.
    fn is_like(self, other: Self) -> bool {
        (self.shortfall == Shortfall::NONE) == (other.shortfall == Shortfall::NONE)
    }

    /// What is missing by both accounts together. A tail that falls short a second time says where that was; what was missing
    /// by its first shortfall is still missing.
    fn and(self, other: Self) -> Self {
        Self {
            // `None`, all of it, is the least.
            after: self.after.min(other.after),
            shortfall: self.shortfall.max(other.shortfall),
        }
    }
}

impl Behind {
    /// Adds what was missed of a room. Answers whether somebody has to start catching up.
    pub(super) fn add(&mut self, room: RoomId, missed: Missed) -> bool {
        match self.rooms.iter_mut().find(|(other, wish)| *other == room && wish.is_like(missed)) {
            Some((_, wish)) => *wish = wish.and(missed),
            None => self.rooms.push_back((room, missed)),
        }
        !std::mem::replace(&mut self.running, true)
    }

    /// The room to catch up with next. Without one, the catching up is over.
    pub(super) fn next(&mut self) -> Option<(RoomId, Missed)> {
        let next = self.rooms.pop_front();
        if next.is_none() {
            self.forget();
        }
        next
    }

    /// Nothing is to be caught up with any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
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
