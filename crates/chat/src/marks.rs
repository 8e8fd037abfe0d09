//! Read marks that the database does not know yet: merged in memory, written once a second.

use crate::stream::{RoomKey, UserKey};
use protocol::ReadMark;
use protocol::frame::Posted;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Marks that are newer than the database's. This is the one write that is answered before its commit: a crash may
/// take a second of reading back, which shows as unread again.
pub(crate) struct Marks(Mutex<Known>);

pub(crate) type Map = HashMap<(UserKey, RoomKey), ReadMark>;

#[derive(Default)]
struct Known {
    waiting: Map,
    /// Those that were written last. They stay until the next time: whoever read the database just before their commit
    /// would otherwise find them in neither place.
    written: Map,
}

impl Known {
    fn newest(&self, user: UserKey, room: RoomKey, stored: ReadMark) -> ReadMark {
        let known = [&self.written, &self.waiting].into_iter().filter_map(|marks| marks.get(&(user, room)));
        known.fold(stored, |newest, mark| further(newest, *mark))
    }
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Moves a mark forward; one that stands further stays. Answers with where it stands.
    pub(crate) fn advance(&self, user: UserKey, room: RoomKey, read: ReadMark) -> ReadMark {
        let mut marks = self.lock();
        let read = marks.newest(user, room, read);
        marks.waiting.insert((user, room), read);
        read
    }

    /// Moves an author's mark to what they have posted; also when they ask again, for whoever asked first may have gone
    /// before the answer.
    pub(crate) fn has_posted(&self, author: UserKey, room: RoomKey, posted: &Posted) {
        self.advance(author, room, ReadMark { seq: posted.seq, n: posted.n });
    }

    /// The mark as it stands, given what the database says.
    pub(crate) fn newest(&self, user: UserKey, room: RoomKey, stored: ReadMark) -> ReadMark {
        self.lock().newest(user, room, stored)
    }

    /// The marks that wait, which count as written from now on.
    pub(crate) fn take(&self) -> Map {
        let mut marks = self.lock();
        marks.written = std::mem::take(&mut marks.waiting);
        marks.written.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn further(one: ReadMark, other: ReadMark) -> ReadMark {
    ReadMark { seq: one.seq.max(other.seq), n: one.n.max(other.n) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEN: UserKey = UserKey(1);
    const LOBBY: RoomKey = RoomKey(1);
    const OLD: ReadMark = ReadMark { seq: 1, n: 1 };
    const NEW: ReadMark = ReadMark { seq: 5, n: 4 };

    #[test]
    fn whoever_read_the_database_just_before_a_mark_was_written_still_finds_it() {
        let marks = Marks::new();
        marks.advance(BEN, LOBBY, NEW);
        assert_eq!(marks.take().len(), 1);
        assert_eq!(marks.newest(BEN, LOBBY, OLD), NEW);
        assert_eq!(marks.take().len(), 0, "written once");
        assert_eq!(marks.newest(BEN, LOBBY, OLD), OLD, "the database knows it by now");
    }

    #[test]
    fn a_mark_never_moves_back() {
        let marks = Marks::new();
        marks.advance(BEN, LOBBY, NEW);
        marks.take();
        assert_eq!(marks.advance(BEN, LOBBY, OLD), NEW);
        assert_eq!(marks.newest(BEN, LOBBY, OLD), NEW);
    }
}
