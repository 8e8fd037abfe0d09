//! How far members have read: merged in memory, written once a second.

use crate::Chat;
use crate::error::Result;
use crate::sessions::Caller;
use crate::store::{memberships, messages, reads};
use crate::stream::{Committed, RoomKey, UserKey};
use protocol::{ReadMark, RoomId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Marks that are newer than the database's. This is the one write that is answered before its commit: a crash may
/// take a second of reading back, which shows as unread again.
pub(crate) struct Reads(Mutex<HashMap<(UserKey, RoomKey), ReadMark>>);

impl Reads {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Moves a mark forward; one that stands further stays. Answers with where it stands.
    pub(crate) fn advance(&self, user: UserKey, room: RoomKey, read: ReadMark) -> ReadMark {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = waiting.entry((user, room)).or_default();
        *mark = further(*mark, read);
        *mark
    }

    /// The mark as it stands, given what the database says.
    pub(crate) fn newest(&self, user: UserKey, room: RoomKey, stored: ReadMark) -> ReadMark {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.get(&(user, room)).map_or(stored, |mark| further(*mark, stored))
    }

    fn waiting(&self) -> Vec<(UserKey, RoomKey, ReadMark)> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().map(|((user, room), read)| (*user, *room, *read)).collect()
    }

    /// Forgets marks that are in the database, unless they have moved since.
    fn written(&self, marks: &[(UserKey, RoomKey, ReadMark)]) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (user, room, read) in marks {
            if waiting.get(&(*user, *room)) == Some(read) {
                waiting.remove(&(*user, *room));
            }
        }
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
            self.0.store.tell(Committed::ReadMarked { user, id: room, read }).await;
            return Ok(read);
        }
        Ok(read)
    }

    /// Writes the marks that wait. Called once a second and before the end.
    ///
    /// # Errors
    /// When the database fails; the marks then wait for the next time.
    pub async fn write_reads(&self) -> Result<()> {
        let marks = self.0.reads.waiting();
        if marks.is_empty() {
            return Ok(());
        }
        let writing = marks.clone();
        self.0
            .store
            .write(move |tx| {
                for (user, room, read) in writing {
                    reads::advance(&tx.sql, room, user, read)?;
                }
                Ok(())
            })
            .await?;
        // Only now: a hello that is made meanwhile must find them in one place or the other.
        self.0.reads.written(&marks);
        Ok(())
    }
}
