//! How far members have read: merged in memory, written once a second.

use crate::Chat;
use crate::error::Result;
use crate::sessions::Caller;
use crate::store::{memberships, messages, reads};
use crate::stream::{Committed, RoomKey, UserKey};
use protocol::frame::{Posted, ReadMarked};
use protocol::{PersonalFrame, ReadMark, RoomId};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Marks that are newer than the database's. This is the one write that is answered before its commit: a crash may
/// take a second of reading back, which shows as unread again.
pub(crate) struct Reads(Mutex<Marks>);

type Map = HashMap<(UserKey, RoomKey), ReadMark>;

#[derive(Default)]
struct Marks {
    waiting: Map,
    /// Those that were written last. They stay until the next time: whoever read the database just before their commit
    /// would otherwise find them in neither place.
    written: Map,
}

impl Marks {
    fn newest(&self, user: UserKey, room: RoomKey, stored: ReadMark) -> ReadMark {
        let known = [&self.written, &self.waiting].into_iter().filter_map(|marks| marks.get(&(user, room)));
        known.fold(stored, |newest, mark| further(newest, *mark))
    }
}

impl Reads {
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
    fn take(&self) -> Map {
        let mut marks = self.lock();
        marks.written = std::mem::take(&mut marks.waiting);
        marks.written.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn further(one: ReadMark, other: ReadMark) -> ReadMark {
    ReadMark { seq: one.seq.max(other.seq), n: one.n.max(other.n) }
}

impl Chat {
    /// Notes that the caller has read up to `seq`; beyond the head counts as the head. Marks only move forward.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn mark_read(&self, caller: &Caller, room: RoomId, seq: u64) -> Result<ReadMark> {
        let user = caller.key();
        let (key, stored, read) = self
            .0
            .store
            .read(move |sql| {
                let membership = memberships::prove(sql, room, user)?;
                let seq = seq.min(membership.view().head);
                let n = messages::ordinal_at(sql, membership.room(), seq)?;
                Ok((membership.room(), membership.view().read, ReadMark { seq, n }))
            })
            .await?;
        let before = self.0.reads.newest(user, key, stored);
        let read = further(before, read);
        if read != before {
            let read = self.0.reads.advance(user, key, read);
            let frame = PersonalFrame::ReadMarked(ReadMarked { room, read });
            self.0.store.tell(Committed::Personal { user, frame }).await;
            return Ok(read);
        }
        Ok(read)
    }

    /// Writes the marks that wait. Called once a second and before the end.
    ///
    /// # Errors
    /// When the database fails; the marks then wait for the next time.
    pub async fn write_reads(&self) -> Result<()> {
        let marks = self.0.reads.take();
        if marks.is_empty() {
            return Ok(());
        }
        let writing = marks.clone();
        let written = self
            .0
            .store
            .write(move |tx| {
                for ((user, room), read) in writing {
                    reads::advance(&tx.sql, room, user, read)?;
                }
                Ok(())
            })
            .await;
        if written.is_err() {
            for ((user, room), read) in marks {
                self.0.reads.advance(user, room, read);
            }
        }
        written
    }
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
        let reads = Reads::new();
        reads.advance(BEN, LOBBY, NEW);
        assert_eq!(reads.take().len(), 1);
        assert_eq!(reads.newest(BEN, LOBBY, OLD), NEW);
        assert_eq!(reads.take().len(), 0, "written once");
        assert_eq!(reads.newest(BEN, LOBBY, OLD), OLD, "the database knows it by now");
    }

    #[test]
    fn a_mark_never_moves_back() {
        let reads = Reads::new();
        reads.advance(BEN, LOBBY, NEW);
        reads.take();
        assert_eq!(reads.advance(BEN, LOBBY, OLD), NEW);
        assert_eq!(reads.newest(BEN, LOBBY, OLD), NEW);
    }
}
