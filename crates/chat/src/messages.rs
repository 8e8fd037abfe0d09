//! What is said.

use crate::error::{Error, Result};
use crate::sessions::Caller;
use crate::store::messages::{self, NewMessage};
use crate::store::{Connection, Tx, log, memberships, rooms};
use crate::stream::{Committed, UserKey};
use crate::text::{Draft, weight};
use crate::{Chat, PAGE, PAGE_BYTES};
use protocol::frame::{MessagePage, Posted, Revised};
use protocol::{Event, EventKind, Message, Nonce, Role, RoomId, User};
use std::sync::Arc;

/// Which messages of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest.
    Newest,
    /// Those with a smaller `seq`.
    Before(u64),
    /// Those with a greater `seq`.
    After(u64),
    /// Those on both sides of this `seq`, it included.
    Around(u64),
}

impl Place {
    /// The place that one of three numbers names; the newest without any.
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
        text: &str,
        nonce: Nonce,
    ) -> impl Future<Output = Result<Posted>> + Send + use<> {
        let draft = Draft::new(text);
        let (author, user, now) = (caller.key(), caller.user().clone(), self.now());
        let reads = Arc::clone(&self.0.reads);
        let queued = draft.map(|draft| {
            self.0.store.write_plain(move |tx| insert(tx, author, &user, room, &draft, &nonce, now))
        });
        async move {
            let (key, posted) = queued?.await?;
            reads.has_posted(author, key, &posted);
            Ok(posted)
        }
    }

    /// Replaces the text of the caller's own message. The same text again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for no such message in a room of the caller's, `Forbidden` for somebody else's, `Invalid`.
    pub async fn edit(&self, caller: &Caller, room: RoomId, seq: u64, text: &str) -> Result<Revised> {
        let draft = Draft::new(text)?;
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                let membership = memberships::prove(&tx.sql, room, caller.key())?;
                let key = membership.room();
                let standing = messages::find(&tx.sql, key, seq)?.ok_or(Error::NotFound("message"))?;
                if standing.author != caller.key() {
                    return Err(Error::Forbidden("Only the author can edit a message."));
                }
                if standing.deleted {
                    return Err(Error::NotFound("message"));
                }
                if standing.text == draft.text() {
                    return Ok(Revised { rev: standing.rev });
                }
                let rev = rooms::advance(&tx.sql, key)?;
                messages::edit(&tx.sql, key, seq, draft.text(), rev, now)?;
                log::insert(&tx.sql, key, rev, log::Kind::MessageEdited, Some(seq), caller.key(), now, None)?;
                let text = draft.text().to_owned();
                let kind =
                    EventKind::MessageEdited { target: seq, text, rev, edited_at: now, deleted: false };
                let event = Event { room, seq: rev, at: now, by: caller.user().clone(), kind };
                tx.told.push(Committed::Event { room: key, event });
                Ok(Revised { rev })
            })
            .await
    }

    /// Takes the text of a message away for everyone. Deleting again changes nothing.
    ///
    /// # Errors
    /// `NotFound` for no such message in a room of the caller's; `Forbidden` unless it is their own, they opened the
    /// room, or they moderate the server.
    pub async fn delete(&self, caller: &Caller, room: RoomId, seq: u64) -> Result<Revised> {
        let (caller, now) = (caller.clone(), self.now());
        self.0
            .store
            .write(move |tx| {
                let membership = memberships::prove(&tx.sql, room, caller.key())?;
                let key = membership.room();
                let standing = messages::find(&tx.sql, key, seq)?.ok_or(Error::NotFound("message"))?;
                let may = standing.author == caller.key()
                    || membership.view().role == Role::Owner
                    || caller.role() >= Role::Moderator;
                if !may {
                    return Err(Error::Forbidden("Only the author or a moderator can delete a message."));
                }
                if standing.deleted {
                    return Ok(Revised { rev: standing.rev });
                }
                let rev = rooms::advance(&tx.sql, key)?;
                messages::delete(&tx.sql, key, seq, rev)?;
                log::insert(
                    &tx.sql,
                    key,
                    rev,
                    log::Kind::MessageDeleted,
                    Some(seq),
                    caller.key(),
                    now,
                    None,
                )?;
                let kind = EventKind::MessageDeleted { target: seq, rev };
                let event = Event { room, seq: rev, at: now, by: caller.user().clone(), kind };
                tx.told.push(Committed::Event { room: key, event });
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
        place: Place,
        limit: Option<u32>,
    ) -> Result<MessagePage> {
        let user = caller.key();
        let limit = limit.unwrap_or(50).clamp(1, PAGE);
        self.0
            .store
            .read(move |sql| {
                let membership = memberships::prove(sql, room, user)?;
                let key = membership.room();
                let mut page = MessagePage {
                    as_of: membership.view().head,
                    messages: Vec::new(),
                    more_before: false,
                    more_after: false,
                };
                match place {
                    Place::Newest => older(sql, key, u64::MAX >> 1, (limit, PAGE_BYTES), &mut page)?,
                    Place::Before(seq) => {
                        older(sql, key, bounded(seq), (limit, PAGE_BYTES), &mut page)?;
                        page.more_after = true;
                    }
                    Place::After(seq) => {
                        newer(sql, key, bounded(seq), (limit, PAGE_BYTES), &mut page)?;
                        page.more_before = true;
                    }
                    Place::Around(seq) => {
                        let half = limit.div_ceil(2);
                        let bytes = PAGE_BYTES / 2;
                        older(sql, key, bounded(seq.saturating_add(1)), (half, bytes), &mut page)?;
                        newer(sql, key, bounded(seq), (limit - half, bytes), &mut page)?;
                    }
                }
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
    sql: &Connection,
    room: crate::RoomKey,
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
    sql: &Connection,
    room: crate::RoomKey,
    seq: u64,
    (limit, bytes): (u32, usize),
    page: &mut MessagePage,
) -> Result<()> {
    let mut found = messages::after(sql, room, seq, limit + 1, bytes)?;
    page.more_after = bound(&mut found, limit, bytes);
    page.messages.extend(found);
    Ok(())
}

/// Cuts a page to `limit` messages and to `bytes`, never to less than one message. Whether something was cut.
pub(crate) fn bound(found: &mut Vec<Message>, limit: u32, bytes: usize) -> bool {
    let mut size = 0;
    let fit = found.iter().take_while(|message| {
        size += weight(&message.text);
        size <= bytes
    });
    let fit = fit.count().max(1).min(limit as usize);
    let more = found.len() > fit;
    found.truncate(fit);
    more
}

/// Posts inside a batch. A refusal has changed nothing, so it needs no savepoint. Without a key when it was posted
/// before.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    author: UserKey,
    by: &User,
    room: RoomId,
    draft: &Draft,
    nonce: &Nonce,
    now: i64,
) -> Result<(crate::RoomKey, Posted)> {
    let new = NewMessage { room, author, text: draft.text(), digest: draft.digest(room), nonce, now };
    if let Some(found) = messages::find_by_nonce(&tx.sql, &new)? {
        return Ok(found);
    }
    let (key, posted) = messages::insert(tx, &new)?;
    let kind = EventKind::MessagePosted {
        n: posted.n,
        text: draft.text().to_owned(),
        nonce: nonce.clone(),
        rev: posted.seq,
        edited_at: None,
        deleted: false,
    };
    let event = Event { room, seq: posted.seq, at: now, by: by.clone(), kind };
    tx.told.push(Committed::Event { room: key, event });
    Ok((key, posted))
}
