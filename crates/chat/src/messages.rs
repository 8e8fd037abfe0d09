//! What is said.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::pages::{PAGE, PAGE_BYTES, bound};
use crate::sql::Sql;
use crate::store::messages::{self, NewMessage};
use crate::store::{Post, Tx, memberships, reactions};
use crate::stream::{Committed, RoomKey, UserKey};
use crate::text::Draft;
use protocol::frame::{MessagePage, Posted, Revised};
use protocol::{Body, Event, EventKind, MessagePosted, Nonce, RoomId, User, Verb};
use std::sync::Arc;

/// Which messages of a room a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The newest.
    Newest,
    /// Those with a smaller `seq`.
    Before(u64),
    /// Those with a greater `seq`.
    After(u64),
    /// Those on both sides of this `seq`, it included.
    Around(u64),
}

impl Window {
    /// The window that one of three numbers names; the newest without any.
    ///
    /// # Errors
    /// `Invalid` when more than one is given.
    pub fn named(before: Option<u64>, after: Option<u64>, around: Option<u64>) -> Result<Self> {
        match (before, after, around) {
            (None, None, None) => Ok(Self::Newest),
            (Some(seq), None, None) => Ok(Self::Before(seq)),
            (None, Some(seq), None) => Ok(Self::After(seq)),
            (None, None, Some(seq)) => Ok(Self::Around(seq)),
            _ => Err(Error::invalid("before", "one", "Give one of before, after and around.")),
        }
    }
}

impl Chat {
    /// Posts a message and tells the room. The work is queued at once, so that posts keep the order of the calls; the
    /// answer comes after the commit that put it on the disk. The same nonce and draft again give the first answer.
    ///
    /// # Errors
    /// `Invalid`, `NotFound` for whoever is no member, `Conflict` for a nonce of another draft, `Overloaded`,
    /// `Unknown` when the batch failed.
    pub fn post(
        &self,
        caller: &Caller,
        room: RoomId,
        body: Body,
        nonce: Nonce,
    ) -> impl Future<Output = Result<Posted>> + Send + use<> {
        let (author, user) = (caller.key(), caller.user().clone());
        let marks = Arc::clone(&self.0.marks);
        let queued = Draft::new(body).map(|draft| {
            // With extras it has a savepoint of its own: a row that fails must fail this post alone.
            let post = draft.is_plain().then(|| Post { room, author, nonce: nonce.clone() });
            self.write_post(post, move |tx| insert(tx, author, &user, room, &draft, &nonce))
        });
        async move {
            let (key, posted) = queued?.await?;
            marks.has_posted(author, key, &posted);
            Ok(posted)
        }
    }

    /// Replaces the text of the caller's own message. The same text again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for no such message in a room of the caller's, `Forbidden` for somebody else's, `Invalid`.
    pub async fn edit(&self, caller: &Caller, room: RoomId, seq: u64, text: &str) -> Result<Revised> {
        let draft = Draft::new(Body { text: text.to_owned() })?;
        self.write_in(caller, room, move |tx, membership| {
            membership.must(Verb::Post)?;
            let key = membership.room();
            let standing = messages::find(tx.sql, key, seq)?.ok_or(Error::NotFound("message"))?;
            if standing.author != membership.key() {
                return Err(Error::Forbidden("Only the author can edit a message."));
            }
            if standing.deleted {
                return Err(Error::NotFound("message"));
            }
            if standing.text == draft.text() {
                return Ok(Revised { rev: standing.rev });
            }
            let (text, edited_at) = (draft.text().to_owned(), tx.now);
            let edited = |rev| EventKind::MessageEdited { target: seq, text, rev, edited_at, deleted: false };
            let rev = tx.happen_at(membership, edited)?;
            messages::edit(tx.sql, key, seq, draft.text(), rev, edited_at)?;
            Ok(Revised { rev })
        })
        .await
    }

    /// Takes the text of a message away for everyone. Deleting again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for no such message in a room of the caller's; `Forbidden` for somebody else's, unless they may delete
    /// any.
    pub async fn delete(&self, caller: &Caller, room: RoomId, seq: u64) -> Result<Revised> {
        self.write_in(caller, room, move |tx, membership| {
            let key = membership.room();
            let standing = messages::find(tx.sql, key, seq)?.ok_or(Error::NotFound("message"))?;
            membership.must(if standing.author == membership.key() {
                Verb::Post
            } else {
                Verb::DeleteAny
            })?;
            if standing.deleted {
                return Ok(Revised { rev: standing.rev });
            }
            let rev = tx.happen_at(membership, |rev| EventKind::MessageDeleted { target: seq, rev })?;
            messages::delete(tx.sql, key, seq, rev)?;
            reactions::delete_all(tx.sql, key, seq)?;
            Ok(Revised { rev })
        })
        .await
    }

    /// A page of a room's messages, oldest first, all of one moment.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub async fn list_messages(
        &self,
        caller: &Caller,
        room: RoomId,
        window: Window,
        limit: Option<u32>,
    ) -> Result<MessagePage> {
        let user = caller.key();
        let limit = limit.unwrap_or(50).clamp(1, PAGE);
        self.read(move |sql| {
            let membership = memberships::prove(sql, room, user)?;
            let key = membership.room();
            let mut page = MessagePage {
                as_of: membership.view().head,
                messages: Vec::new(),
                more_before: false,
                more_after: false,
            };
            match window {
                Window::Newest => older(sql, key, u64::MAX >> 1, (limit, PAGE_BYTES), &mut page)?,
                Window::Before(seq) => {
                    older(sql, key, bounded(seq), (limit, PAGE_BYTES), &mut page)?;
                    page.more_after = true;
                }
                Window::After(seq) => {
                    newer(sql, key, bounded(seq), (limit, PAGE_BYTES), &mut page)?;
                    page.more_before = true;
                }
                Window::Around(seq) => {
                    let half = limit.div_ceil(2);
                    let bytes = PAGE_BYTES / 2;
                    older(sql, key, bounded(seq.saturating_add(1)), (half, bytes), &mut page)?;
                    newer(sql, key, bounded(seq), (limit - half, bytes), &mut page)?;
                }
            }
            reactions::fill(sql, key, Some(user), &mut page.messages)?;
            Ok(page)
        })
        .await
    }
}

/// Larger numbers do not fit the database; no `seq` ever gets there.
const fn bounded(seq: u64) -> u64 {
    if seq > u64::MAX >> 1 { u64::MAX >> 1 } else { seq }
}

fn older(
    sql: Sql<'_>,
    room: RoomKey,
    seq: u64,
    (limit, bytes): (u32, usize),
    page: &mut MessagePage,
) -> Result<()> {
    let mut found = messages::before(sql, room, seq, limit + 1, bytes)?;
    page.more_before = bound(&mut found, limit, bytes);
    page.messages.extend(found.into_iter().rev());
    Ok(())
}

fn newer(
    sql: Sql<'_>,
    room: RoomKey,
    seq: u64,
    (limit, bytes): (u32, usize),
    page: &mut MessagePage,
) -> Result<()> {
    let mut found = messages::after(sql, room, seq, limit + 1, bytes)?;
    page.more_after = bound(&mut found, limit, bytes);
    page.messages.extend(found);
    Ok(())
}

/// Posts inside a batch. A refusal has changed nothing. Whether the author may post is decided where the room's head is
/// read, once for all their posts of a batch.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    author: UserKey,
    by: &User,
    room: RoomId,
    draft: &Draft,
    nonce: &Nonce,
) -> Result<(RoomKey, Posted)> {
    let now = tx.now;
    let new = NewMessage { room, author, text: draft.text(), digest: draft.digest(room), nonce, now };
    if let Some(found) = messages::find_by_nonce(tx, &new)? {
        return Ok(found);
    }
    let (key, posted) = messages::insert(tx, &new)?;
    let kind = EventKind::MessagePosted(MessagePosted {
        n: posted.n,
        body: draft.body().clone(),
        nonce: nonce.clone(),
        rev: posted.seq,
        edited_at: None,
        deleted: false,
    });
    let event = Event { room, seq: posted.seq, at: now, by: by.clone(), kind };
    tx.told.push(Committed::Event { room: key, event });
    Ok((key, posted))
}
