//! The rooms in which a consumer has something to do. Pure.

use crate::news::Moved;
use crate::stream::RoomKey;
use std::collections::BTreeSet;
use std::ops::Bound;

/// The most rooms that wait by name. When more have moved, heads are compared with places instead.
const ROOMS: usize = 4096;

/// The rooms in which a consumer has something to do, in turns.
pub(super) struct Pending {
    rooms: BTreeSet<RoomKey>,
    /// The room whose turn was last.
    turn: RoomKey,
    /// The room after which heads are still to be compared with places; none when there is nothing to compare.
    compare: Option<RoomKey>,
}

/// Before all rooms.
const FIRST: RoomKey = RoomKey(0);

impl Pending {
    /// Nothing is known: all is to be compared.
    pub(super) fn new() -> Self {
        Self { rooms: BTreeSet::new(), turn: FIRST, compare: Some(FIRST) }
    }

    /// Takes note of rooms that have moved.
    pub(super) fn moved(&mut self, moved: &Moved) {
        match moved {
            Moved::Rooms(rooms) if self.rooms.len() + rooms.len() <= ROOMS => self.rooms.extend(rooms),
            Moved::Rooms(_) | Moved::Any => self.compare = Some(FIRST),
        }
    }

    /// The next rooms to look at, at most `most`: those whose turn was longest ago.
    pub(super) fn turn(&self, most: usize) -> Vec<RoomKey> {
        let (before, after) =
            (self.rooms.range(..=self.turn), (Bound::Excluded(self.turn), Bound::Unbounded));
        self.rooms.range(after).chain(before).take(most).copied().collect()
    }

    /// The turns went as far as this room.
    pub(super) fn had_turn(&mut self, room: RoomKey) {
        self.turn = room;
    }

    /// Where comparing goes on, once nothing else is to be done.
    pub(super) fn to_compare(&self) -> Option<RoomKey> {
        self.compare.filter(|_| self.rooms.is_empty())
    }

    /// Takes what comparing found: the next rooms that are behind, and whether there may be more.
    pub(super) fn compared(&mut self, behind: Vec<RoomKey>, more: bool) {
        self.compare = behind.last().copied().filter(|_| more);
        self.rooms.extend(behind);
    }

    /// A room has nothing more to do.
    pub(super) fn done(&mut self, room: RoomKey) {
        self.rooms.remove(&room);
    }

    /// A room is to be looked at again.
    pub(super) fn again(&mut self, room: RoomKey) {
        self.rooms.insert(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(numbers: impl IntoIterator<Item = i64>) -> Moved {
        Moved::Rooms(numbers.into_iter().map(RoomKey).collect())
    }

    fn compared() -> Pending {
        let mut pending = Pending::new();
        assert_eq!(pending.to_compare(), Some(FIRST));
        pending.compared(Vec::new(), false);
        assert_eq!(pending.to_compare(), None);
        pending
    }

    #[test]
    fn rooms_take_turns_until_they_are_done() {
        let mut pending = compared();
        pending.moved(&rooms([1, 2, 3]));
        assert_eq!(pending.turn(2), [RoomKey(1), RoomKey(2)]);
        pending.had_turn(RoomKey(2));
        pending.moved(&rooms([1]));
        assert_eq!(pending.turn(2), [RoomKey(3), RoomKey(1)]);
        pending.had_turn(RoomKey(1));
        pending.done(RoomKey(3));
        assert_eq!(pending.turn(9), [RoomKey(2), RoomKey(1)]);
        pending.done(RoomKey(1));
        pending.done(RoomKey(2));
        assert_eq!(pending.turn(9), []);
    }

    #[test]
    fn what_is_not_remembered_is_found_by_comparing_piece_by_piece() {
        let mut pending = compared();
        pending.moved(&rooms(0..=ROOMS as i64));
        assert_eq!(pending.to_compare(), Some(FIRST));
        pending.compared(vec![RoomKey(4), RoomKey(9)], true);
        assert_eq!(pending.to_compare(), None, "first what was found");
        pending.done(RoomKey(4));
        pending.done(RoomKey(9));
        assert_eq!(pending.to_compare(), Some(RoomKey(9)));
        pending.moved(&Moved::Any);
        assert_eq!(pending.to_compare(), Some(FIRST));
    }
}
