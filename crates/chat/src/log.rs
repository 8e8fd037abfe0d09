//! Telling again what happened.

use crate::error::{Error, Result};
use crate::messages::bound;
use crate::store::{log, messages, rooms};
use crate::stream::UserKey;
use crate::{Chat, PAGE_BYTES};
use protocol::frame::{EventPage, Reset};
use protocol::{ReadMark, RoomId};
use std::sync::Arc;

/// The most events on a page of the log.
const EVENTS: u32 = 256;
/// Messages on the page that a reset starts from.
const RESET_MESSAGES: u32 = 50;

impl Chat {
    /// A page of a room's events after `seq`, for a user who is a member now. The texts are as they stand now. When many
    /// come back at once and ask the same, the log is read once for all of them.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn events(&self, user: UserKey, room: RoomId, seq: u64) -> Result<Arc<EventPage>> {
        let seq = seq.min(u64::MAX >> 1);
        let page = self.0.pages.ask((room, seq), || self.read_events(room, seq)).await?;
        // After the page was read: whoever is a member now was not removed before anything on it happened.
        self.membership(user, room).await?;
        Ok(page)
    }

    async fn read_events(&self, room: RoomId, seq: u64) -> Result<EventPage> {
        let chat = self.clone();
        let read = self.0.store.read(move |sql| {
            chat.0.pages.begin(&(room, seq));
            let room = rooms::find(sql, room)?.ok_or(Error::NotFound("room"))?;
            let events = log::after(sql, &room, seq, EVENTS, PAGE_BYTES)?;
            let as_of = room.head;
            let more = events.last().map_or(seq, |event| event.seq) < as_of && !events.is_empty();
            Ok(EventPage { as_of, events, more })
        });
        read.await
    }

    /// Pages of the log and newest pages read from the database since the start: each once for all who asked at once.
    pub fn log_reads(&self) -> u64 {
        self.0.pages.looks() + self.0.resets.looks()
    }

    /// The page a client starts from when it missed too much, read once for all who ask at once; and the user's read mark:
    /// what they wrote on another device may be among what was missed.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn reset(&self, user: UserKey, room: RoomId) -> Result<(Arc<Reset>, ReadMark)> {
        let reset = self.0.resets.ask(room, || self.read_reset(room)).await?;
        let membership = self.membership(user, room).await?;
        Ok((reset, self.0.reads.newest(user, membership.room(), membership.view().read)))
    }

    async fn read_reset(&self, room: RoomId) -> Result<Reset> {
        let chat = self.clone();
        let read = self.0.store.read(move |sql| {
            chat.0.resets.begin(&room);
            let found = rooms::find(sql, room)?.ok_or(Error::NotFound("room"))?;
            let mut newest = messages::before(sql, found.key, u64::MAX >> 1, RESET_MESSAGES + 1, PAGE_BYTES)?;
            let more = bound(&mut newest, RESET_MESSAGES, PAGE_BYTES);
            newest.reverse();
            Ok(Reset { room, as_of: found.head, messages: newest, more })
        });
        read.await
    }
}
