//! Telling again what happened.

use crate::error::{Error, Result};
use crate::messages::bound;
use crate::store::{Connection, log, memberships, messages, rooms};
use crate::stream::{Committed, RoomRef, UserKey};
use crate::together::{Answers, Together};
use crate::{Chat, PAGE_BYTES};
use protocol::frame::{EventPage, Reset};
use protocol::{Event, EventKind, ReadMark, RoomId};
use std::sync::Arc;

/// The most events on a page of the log. The pages that are shared end where a multiple of it does: so those who come
/// back from different places meet on the same pages.
const EVENTS: u64 = 256;
/// Messages on the page that a reset starts from.
const RESET_MESSAGES: u32 = 50;
/// What a shared page takes of memory for each event or message, beside its text.
const BESIDE_TEXT: usize = 320;

/// What was read of the logs for those who come back: each once for all of them, and told only while its texts stand.
pub(crate) struct Replays {
    /// By the `seq` that a page begins after.
    pages: Together<EventPage>,
    /// One of a room.
    resets: Together<Reset>,
}

/// What came after a place in a room, up to the end of a page.
pub struct Replay {
    page: Arc<EventPage>,
    from: usize,
}

impl Replay {
    /// The events, in order, without holes.
    pub fn events(&self) -> &[Event] {
        self.page.events.get(self.from..).unwrap_or_default()
    }

    /// The room's head when they were read.
    pub fn as_of(&self) -> u64 {
        self.page.as_of
    }

    /// Whether there were newer ones than the last.
    pub fn more(&self) -> bool {
        self.page.more
    }
}

impl Replays {
    pub(crate) fn new() -> Self {
        let page =
            |page: &EventPage| page.events.iter().map(|event| BESIDE_TEXT + text_of(event).len()).sum();
        let reset =
            |reset: &Reset| reset.messages.iter().map(|message| BESIDE_TEXT + message.text.len()).sum();
        Self { pages: Together::new(page), resets: Together::new(reset) }
    }

    /// Takes note of what was committed, before anybody is told: a text that was changed or taken away is not told again.
    pub(crate) fn committed(&self, committed: &[Committed]) {
        for committed in committed {
            if let Committed::Event { event, .. } = committed
                && matches!(event.kind, EventKind::MessageEdited { .. } | EventKind::MessageDeleted { .. })
            {
                self.pages.outdated(event.room);
                self.resets.outdated(event.room);
            }
        }
    }

    /// Takes note that nobody knows what was committed.
    pub(crate) fn unknown(&self) {
        self.pages.all_outdated();
        self.resets.all_outdated();
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
        let read = self.0.store.read(move |sql| {
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
        if replay.events().is_empty() && !replay.page.events.is_empty() {
            // The page that was likeliest to reach further does not.
            replay = self.shared(room, seq, |_| seq).await?;
        }
        // After the page was read: whoever is a member now was not removed before anything on it happened.
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
            let read = self.0.store.read(move |sql| {
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
        Ok(Replay { page: found.value, from })
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
    pub async fn reset(&self, user: UserKey, room: RoomId) -> Result<(Arc<Reset>, ReadMark)> {
        let head = self.membership(user, room).await?.view().head;
        let resets = &self.0.replays.resets;
        let ask = || resets.ask(room, |_| 0, |_| self.read_reset(room));
        let mut found = ask().await?;
        if found.value.as_of < head {
            // What is read from here on is as new as this user may have heard of.
            found.forget();
            found = ask().await?;
        }
        // After the page was read: whoever is a member now was not removed before anything on it happened.
        let membership = self.membership(user, room).await?;
        Ok((found.value, self.0.reads.newest(user, membership.room(), membership.view().read)))
    }

    async fn read_reset(&self, room: RoomId) -> Result<Reset> {
        let read = self.0.store.read(move |sql| {
            let found = rooms::find(sql, room)?.ok_or(Error::NotFound("room"))?;
            let mut newest = messages::before(sql, found.key, u64::MAX >> 1, RESET_MESSAGES + 1, PAGE_BYTES)?;
            let more = bound(&mut newest, RESET_MESSAGES, PAGE_BYTES);
            newest.reverse();
            Ok(Reset { room, as_of: found.head, messages: newest, more })
        });
        read.await
    }
}

/// Where the page begins that tells what comes after `seq`: one that was read, or is being read, if there is any. Whoever is
/// the first reads no more than they lack; where a second one finds themselves before that, a crowd comes, and the page is
/// read from its beginning.
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

fn page(sql: &Connection, room: &RoomRef, seq: u64, limit: u64) -> Result<EventPage> {
    let events = log::after(sql, room, seq, limit, PAGE_BYTES)?;
    let more = events.last().map_or(seq, |event| event.seq) < room.head && !events.is_empty();
    Ok(EventPage { as_of: room.head, events, more })
}

fn text_of(event: &Event) -> &str {
    match &event.kind {
        EventKind::MessagePosted { text, .. } | EventKind::MessageEdited { text, .. } => text,
        EventKind::MessageDeleted { .. } | EventKind::MemberJoined { .. } | EventKind::MemberLeft { .. } => {
            ""
        }
    }
}
