//! People of the simple protocol: in a room without being members, until they say something.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::memberships;
use crate::messages;
use crate::pages::{PAGE_BYTES, bound};
use crate::rights::may_enter;
use crate::store::rooms::NewRoom;
use crate::store::{Tx, accounts, memberships as members, messages as stored, rooms};
use crate::stream::{RoomKey, RoomRef};
use crate::text::{Draft, Name};
use protocol::frame::Posted;
use protocol::{Body, Message, Nonce, Role, RoomId, RoomKind};
use std::sync::Arc;

/// Somebody who speaks the simple protocol.
#[derive(Debug, Clone)]
pub enum Visitor {
    /// Not known to the database: goes by a name as long as the connection lives.
    Passing(Name),
    /// Signed in with a token, or known since their first chat.
    Known(Caller),
}

/// What was said last in a room, and when that was read.
#[derive(Debug, Clone)]
pub struct History {
    /// The room's head when the messages were read.
    pub as_of: u64,
    /// The last messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether the visitor was a member of the room then.
    pub member: bool,
}

impl Chat {
    /// The room somebody means by `name`: the open room of this name, or, for a known visitor, one of their rooms by
    /// its id. An open room that does not exist is opened provisionally where `may_open` says so.
    ///
    /// # Errors
    /// `NotFound`, `Invalid` for a bad name.
    pub async fn room_named(&self, visitor: &Visitor, name: &str, may_open: bool) -> Result<RoomRef> {
        if let (Visitor::Known(caller), Ok(id)) = (visitor, name.parse::<RoomId>()) {
            let user = caller.key();
            let found = self.read(move |sql| members::prove(sql, id, user)).await;
            if let Ok(membership) = found {
                return Ok(membership.place());
            }
        }
        // A name in the form of an id is somebody's closed room, or nothing.
        if name.parse::<RoomId>().is_ok() {
            return Err(Error::NotFound("room"));
        }
        let name = Name::new("room", name)?;
        let folded = name.folded().to_owned();
        if let Some(room) = self.read(move |sql| rooms::find_open(sql, &folded)).await? {
            return Ok(room);
        }
        if !may_open {
            return Err(Error::NotFound("room"));
        }
        let (by, now) = (visitor.caller().map(Caller::key), self.now());
        self.write(move |tx| {
            if let Some(room) = rooms::find_open(tx.sql, name.folded())? {
                return Ok(room);
            }
            let new = NewRoom { name: &name, kind: RoomKind::Open, by, nonce: None, provisional: true, now };
            rooms::insert(tx.sql, &new)
        })
        .await
    }

    /// Whether a name belongs to an account or a living guest other than the visitor: nobody else may go by it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_reserved(&self, name: &Name, visitor: &Visitor) -> Result<bool> {
        let (folded, now) = (name.folded().to_owned(), self.now());
        let but = visitor.caller().map(|caller| caller.user().id);
        self.read(move |sql| accounts::is_reserved(sql, &folded, but, now)).await
    }

    /// The last `count` messages of a room, for whoever may be in it: anybody for an open room.
    ///
    /// # Errors
    /// `NotFound` for a room that is gone, or closed to the visitor.
    pub async fn history(&self, visitor: &Visitor, room: RoomKey, count: u32) -> Result<History> {
        let user = visitor.caller().map(Caller::key);
        self.read(move |sql| {
            let place = rooms::find_key(sql, room)?.ok_or(Error::NotFound("room"))?;
            let member = match user {
                Some(user) => members::exists(sql, room, user)?,
                None => false,
            };
            if !may_enter(place.kind) && !member {
                return Err(Error::NotFound("room"));
            }
            let mut found = stored::before(sql, room, u64::MAX >> 1, count, PAGE_BYTES)?;
            bound(&mut found, count, PAGE_BYTES);
            found.reverse();
            Ok(History { as_of: place.head, messages: found, member })
        })
        .await
    }

    /// Posts what a visitor says. With the first chat in a room comes the membership, and for somebody passing the
    /// user row, all in the same commit.
    ///
    /// # Errors
    /// As for [`Chat::post`], and `TooManyRooms`.
    pub fn chat(
        &self,
        visitor: &Visitor,
        room: RoomId,
        body: Body,
        nonce: Nonce,
    ) -> impl Future<Output = Result<(Caller, Posted)>> + Send + use<> {
        let (marks, visitor) = (Arc::clone(&self.0.marks), visitor.clone());
        let queued = Draft::new(body).map(|draft| {
            self.write(move |tx| {
                let caller = become_member(tx, &visitor, room)?;
                let (key, posted) = messages::insert(tx, caller.key(), caller.user(), room, &draft, &nonce)?;
                Ok((caller, key, posted))
            })
        });
        async move {
            let (caller, key, posted) = queued?.await?;
            marks.has_posted(caller.key(), key, &posted);
            Ok((caller, posted))
        }
    }
}

/// Makes a visitor a member of the room that they speak in, and somebody passing a user. For a member it changes nothing.
///
/// # Errors
/// `NotFound` for a room that is closed to the visitor; `NameTaken` where the name of somebody passing belongs to a user
/// by now.
pub(crate) fn become_member(tx: &mut Tx<'_>, visitor: &Visitor, room: RoomId) -> Result<Caller> {
    let place = rooms::find(tx.sql, room)?.ok_or(Error::NotFound("room"))?;
    let account = match visitor {
        Visitor::Passing(name) => {
            // Somebody may have made it theirs since the visitor came.
            if accounts::is_reserved(tx.sql, name.folded(), None, tx.now)? {
                return Err(Error::NameTaken(name.shown().to_owned()));
            }
            accounts::insert(tx.sql, name, Role::Guest, None, tx.now)?
        }
        Visitor::Known(caller) => accounts::find(tx.sql, caller.user().id)?.ok_or(Error::NotFound("user"))?,
    };
    let member = members::exists(tx.sql, place.key, account.key)?;
    if !member && !may_enter(place.kind) {
        return Err(Error::NotFound("room"));
    }
    if !member {
        memberships::join(tx, &place, &account, Role::Member, None)?;
    }
    Ok(Caller::of(account, visitor.caller().and_then(Caller::session)))
}

impl Visitor {
    /// Who they are to the database; nobody for somebody passing.
    pub const fn caller(&self) -> Option<&Caller> {
        match self {
            Self::Passing(_) => None,
            Self::Known(caller) => Some(caller),
        }
    }
}
