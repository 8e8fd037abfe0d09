//! Telling again what happened, and noting what happens.

use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::pages::{PAGE_BYTES, bound};
use crate::replays::Replay;
use crate::rights::Membership;
use crate::sql::Sql;
use crate::store::{Tx, log, memberships, messages, reactions, rooms};
use crate::stream::{Committed, RoomRef, UserKey};
use crate::together::Answers;
use protocol::frame::{EventPage, Reset};
use protocol::{Event, EventKind, ReadMark, RoomId};
use std::sync::Arc;

/// The most events on a page of the log. A shared page ends at a multiple of this number, so that clients that come
/// back from different places are told the same pages.
const EVENTS: u64 = 256;
/// Messages on the page that a reset starts from.
const RESET_MESSAGES: u32 = 50;

impl Tx<'_> {
    /// Something happens in a room, by the member whose `membership` this is: the room's head advances, the log has it, and
    /// everybody in the room will be told once it is committed. Answers with its `seq`.
    pub(crate) fn happen(&mut self, membership: &Membership, kind: EventKind) -> Result<u64> {
        let room = membership.room();
        let seq = rooms::advance(self.sql, room)?;
        self.note(membership, seq, kind)?;
        Ok(seq)
    }

    /// The same for an event that tells its own `seq`, as the `rev` of a message.
    pub(crate) fn happen_at(
        &mut self,
        membership: &Membership,
        kind: impl FnOnce(u64) -> EventKind,
    ) -> Result<u64> {
        let seq = rooms::advance(self.sql, membership.room())?;
        self.note(membership, seq, kind(seq))?;
        Ok(seq)
    }

    fn note(&mut self, membership: &Membership, seq: u64, kind: EventKind) -> Result<()> {
        let (room, id, at) = (membership.room(), membership.view().id, self.now);
        log::insert(self.sql, room, seq, &kind, membership.key(), at)?;
        let event = Event { room: id, seq, at, by: membership.user().clone(), kind };
        self.told.push(Committed::Event { room, event });
        Ok(())
    }
}

impl Chat {
    /// A page of a room's events after `seq`, for a user who is a member, as of now: shared with nobody, so that whoever
    /// asks finds what they just posted. The texts are as they stand now.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn events(&self, user: UserKey, room: RoomId, seq: u64) -> Result<EventPage> {
        let seq = seq.min(u64::MAX >> 1);
        let read = self.read(move |sql| {
            let membership = memberships::prove(sql, room, user)?;
            page(sql, &membership.place(), seq, EVENTS)
        });
        read.await
    }

    /// A page of a room's events after `seq`, for a user who is a member now and comes back. The texts are as they stand
    /// now; the newest events may be missing. The log is read once for all who come back within half a minute, wherever
    /// they left.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn replay(&self, user: UserKey, room: RoomId, seq: u64) -> Result<Replay> {
        let seq = seq.min(u64::MAX >> 1);
        let mut replay = self.shared(room, seq, |pages| shared_start(pages, seq)).await?;
        if replay.falls_short() {
            // The page that was likeliest to reach further does not.
            replay = self.shared(room, seq, |_| seq).await?;
        }
        // The membership is looked at after the page was read. Thus a user who was removed is not shown what happened since.
        self.membership(user, room).await?;
        Ok(replay)
    }

    async fn shared(
        &self,
        room: RoomId,
        seq: u64,
        choose: impl FnOnce(&Answers<EventPage>) -> u64,
    ) -> Result<Replay> {
        let read = |start| async move {
            let read = self.read(move |sql| {
                let room = rooms::find(sql, room)?.ok_or(Error::NotFound("room"))?;
                page(sql, &room, start, EVENTS - start % EVENTS)
            });
            read.await
        };
        let found = self.0.replays.pages.ask(room, choose, read).await?;
        if found.value.events.is_empty() {
            // Whoever asks again does so because there is something.
            found.forget();
        }
        let from = found.value.events.partition_point(|event| event.seq <= seq);
        Ok(Replay::new(found.value, from))
    }

    /// Pages of the log and newest pages read from the database since the start, for those who came back.
    pub fn log_reads(&self) -> u64 {
        self.0.replays.pages.looks() + self.0.replays.resets.looks()
    }

    /// Lets go of the pages that nobody is likely to ask for any more. To be called now and then.
    pub fn forget_replays(&self) {
        self.0.replays.pages.tidy();
        self.0.replays.resets.tidy();
    }

    /// The page a client starts from when it missed too much, read once for all who come back while nothing happens in the
    /// room, and never older than the call; and the user's read mark:
    /// what they wrote on another device may be among what was missed.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn reset(&self, user: UserKey, room: RoomId) -> Result<(Reset, ReadMark)> {
        let head = self.membership(user, room).await?.view().head;
        let resets = &self.0.replays.resets;
        let ask = || resets.ask(room, |_| 0, |_| self.read_reset(room));
        let mut found = ask().await?;
        if found.value.as_of < head {
            // What is read from here on is as new as this user may have heard of.
            found.forget();
            found = ask().await?;
        }
        let mut reset = Arc::unwrap_or_clone(found.value);
        // After the page was read: whoever is a member now was not removed before anything on it happened.
        let read = self.read(move |sql| {
            let membership = memberships::prove(sql, room, user)?;
            reactions::claim(sql, membership.room(), user, &mut reset.messages)?;
            Ok((reset, membership))
        });
        let (reset, membership) = read.await?;
        Ok((reset, self.0.marks.newest(user, membership.room(), membership.view().read)))
    }

    async fn read_reset(&self, room: RoomId) -> Result<Reset> {
        let read = self.read(move |sql| {
            let found = rooms::find(sql, room)?.ok_or(Error::NotFound("room"))?;
            let mut newest = messages::before(sql, found.key, u64::MAX >> 1, RESET_MESSAGES + 1, PAGE_BYTES)?;
            let more = bound(&mut newest, RESET_MESSAGES, PAGE_BYTES);
            newest.reverse();
            reactions::fill(sql, found.key, None, &mut newest)?;
            Ok(Reset { room, as_of: found.head, messages: newest, more })
        });
        read.await
    }
}

/// After which `seq` the shared page begins that tells a client what comes after `seq`.
///
/// A page that was read, or is being read, is chosen if there is one that reaches back far enough. The first client has a
/// page read from its own `seq`. When a second client needs events of the same page from before that, many are coming back,
/// and the page is read from its beginning.
fn shared_start(pages: &Answers<EventPage>, seq: u64) -> u64 {
    let beginning = seq - seq % EVENTS;
    let mut known = pages.range(beginning..=seq).rev();
    let reaching = known.find(|(_, page)| {
        page.get().is_none_or(|page| page.events.last().is_some_and(|event| event.seq > seq))
    });
    let is_second = || pages.range(beginning..beginning + EVENTS).next().is_some();
    match reaching {
        Some((start, _)) => *start,
        None if is_second() && !pages.contains_key(&beginning) => beginning,
        None => seq,
    }
}

fn page(sql: Sql<'_>, room: &RoomRef, seq: u64, limit: u64) -> Result<EventPage> {
    let events = log::after(sql, room, seq, limit, PAGE_BYTES)?;
    let more = events.last().map_or(seq, |event| event.seq) < room.head && !events.is_empty();
    Ok(EventPage { as_of: room.head, events, more })
}
