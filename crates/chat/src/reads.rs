//! How far members have read.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::Result;
use crate::marks::further;
use crate::store::{memberships, messages, reads};
use crate::stream::Committed;
use protocol::frame::ReadMarked;
use protocol::{PersonalFrame, ReadMark, RoomId};

impl Chat {
    /// Notes that the caller has read up to `seq`; beyond the head counts as the head. Marks only move forward.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn mark_read(&self, caller: &Caller, room: RoomId, seq: u64) -> Result<ReadMark> {
        let user = caller.key();
        let (key, stored, read) = self
            .read(move |sql| {
                let membership = memberships::prove(sql, room, user)?;
                let seq = seq.min(membership.view().head);
                let n = messages::ordinal_at(sql, membership.room(), seq)?;
                Ok((membership.room(), membership.view().read, ReadMark { seq, n }))
            })
            .await?;
        let before = self.0.marks.newest(user, key, stored);
        let read = further(before, read);
        if read != before {
            let read = self.0.marks.advance(user, key, read);
            let frame = PersonalFrame::ReadMarked(ReadMarked { room, read });
            self.tell(Committed::Personal { user, frame }).await;
            return Ok(read);
        }
        Ok(read)
    }

    /// Writes the marks that wait. Called once a second and before the end.
    ///
    /// # Errors
    /// When the database fails; the marks then wait for the next time.
    pub async fn write_reads(&self) -> Result<()> {
        let marks = self.0.marks.take();
        if marks.is_empty() {
            return Ok(());
        }
        let writing = marks.clone();
        let written = self
            .write(move |tx| {
                for ((user, room), read) in writing {
                    reads::advance(tx.sql, room, user, read)?;
                }
                Ok(())
            })
            .await;
        if written.is_err() {
            for ((user, room), read) in marks {
                self.0.marks.advance(user, room, read);
            }
        }
        written
    }
}
