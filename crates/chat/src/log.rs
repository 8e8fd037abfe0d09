//! Telling again what happened.

use crate::error::Result;
use crate::messages::bound;
use crate::store::{log, memberships, messages};
use crate::stream::UserKey;
use crate::{Chat, PAGE_BYTES};
use protocol::frame::{EventPage, Reset};
use protocol::{ReadMark, RoomId};

/// The most events on a page of the log.
const EVENTS: u32 = 256;
/// Messages on the page that a reset starts from.
const RESET_MESSAGES: u32 = 50;

impl Chat {
    /// A page of a room's events after `seq`, for a user who is a member now. The texts are as they stand now.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn events(&self, user: UserKey, room: RoomId, seq: u64) -> Result<EventPage> {
        self.0
            .store
            .read(move |sql| {
                let membership = memberships::prove(sql, room, user)?;
                let seq = seq.min(u64::MAX >> 1);
                let events = log::after(sql, membership.room(), room, seq, EVENTS, PAGE_BYTES)?;
                let as_of = membership.view().head;
                let more = events.last().map_or(seq, |event| event.seq) < as_of && !events.is_empty();
                Ok(EventPage { as_of, events, more })
            })
            .await
    }

    /// The page a client starts from when it missed too much, and its read mark: what it wrote on another device may be
    /// among what it missed.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn reset(&self, user: UserKey, room: RoomId) -> Result<(Reset, ReadMark)> {
        let chat = self.clone();
        self.0
            .store
            .read(move |sql| {
                let membership = memberships::prove(sql, room, user)?;
                let mut found = messages::before(sql, membership.room(), u64::MAX >> 1, RESET_MESSAGES + 1)?;
                let more = bound(&mut found, RESET_MESSAGES);
                found.reverse();
                let read = chat.0.reads.newest(user, membership.room(), membership.view().read);
                Ok((Reset { room, as_of: membership.view().head, messages: found, more }, read))
            })
            .await
    }
}
