//! Reactions to messages.

use crate::caller::Caller;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::rights::Membership;
use crate::store::{Tx, memberships, messages, reactions};
use crate::visitors::{Visitor, become_member};
use protocol::{EventKind, NewReaction, Reaction, RoomId, Verb};

/// The most different emoji that people react with to one message.
const KINDS: u64 = 20;
/// No emoji is longer, in bytes.
const LONGEST: usize = 64;

impl Chat {
    /// Puts the caller's reaction on a message, or takes it away. Once it is so, the same again changes
    /// nothing.
    ///
    /// # Errors
    /// `NotFound` for no such message in a room of the caller's, or a deleted one; `Invalid` for what is no emoji, and for one
    /// emoji too many.
    pub async fn react(
        &self,
        caller: &Caller,
        room: RoomId,
        seq: u64,
        reaction: &NewReaction,
    ) -> Result<Reaction> {
        let (emoji, on) = (emoji_of(&reaction.emoji)?, reaction.on);
        self.write_in(caller, room, move |tx, membership| react(tx, membership, seq, emoji, on)).await
    }

    /// The same for somebody of the simple protocol, who becomes a member by it as by a chat.
    ///
    /// # Errors
    /// As for [`Chat::react`], and as for [`Chat::chat`].
    pub async fn react_as_visitor(
        &self,
        visitor: &Visitor,
        room: RoomId,
        seq: u64,
        reaction: &NewReaction,
    ) -> Result<Caller> {
        let (emoji, on, visitor) = (emoji_of(&reaction.emoji)?, reaction.on, visitor.clone());
        if let (Visitor::Passing(_), false) = (&visitor, on) {
            return Err(Error::invalid("on", "nothing", "There is no reaction of yours to take back."));
        }
        self.write(move |tx| {
            let caller = become_member(tx, &visitor, room)?;
            let membership = memberships::prove(tx.sql, room, caller.key())?;
            react(tx, &membership, seq, emoji, on)?;
            Ok(caller)
        })
        .await
    }
}

fn react(
    tx: &mut Tx<'_>,
    membership: &Membership,
    seq: u64,
    emoji: &'static str,
    on: bool,
) -> Result<Reaction> {
    membership.must(Verb::React)?;
    let (room, user) = (membership.room(), membership.key());
    let standing = messages::find(tx.sql, room, seq)?.filter(|standing| !standing.deleted);
    standing.ok_or(Error::NotFound("message"))?;
    let count = reactions::count(tx.sql, room, seq, emoji)?;
    if reactions::exists(tx.sql, room, seq, emoji, user)? != on {
        if on && count == 0 && reactions::kinds(tx.sql, room, seq)? >= KINDS {
            return Err(too_many());
        }
        let count = if on { count + 1 } else { count - 1 };
        let kind = EventKind::MessageReacted { target: seq, emoji: emoji.to_owned(), on, count };
        let event = tx.happen(membership, kind)?;
        if on {
            reactions::insert(tx.sql, room, seq, emoji, user, event)?;
        } else {
            reactions::delete(tx.sql, room, seq, emoji, user)?;
        }
    }
    reactions::find(tx.sql, room, seq, emoji, user)
}

/// The emoji that `text` is, as Unicode writes it in full (UTS 51), so that one emoji is one reaction however it was typed.
fn emoji_of(text: &str) -> Result<&'static str> {
    let known = (text.len() <= LONGEST).then(|| emojis::get(text)).flatten();
    known.map(emojis::Emoji::as_str).ok_or_else(|| {
        Error::invalid("emoji", "emoji", "A reaction is exactly one emoji, such as 👍. Choose one.")
    })
}

fn too_many() -> Error {
    let message =
        format!("A message takes {KINDS} different emoji at most. Choose one of those that are there.");
    Error::Invalid { field: "emoji", rule: "most", max: Some(KINDS), message }
}
