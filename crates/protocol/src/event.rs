//! What has happened in a room, for ever.

use crate::ids::{Nonce, RoomId};
use crate::model::{Message, Role, User, is_false};
use serde::{Deserialize, Serialize};

/// A durable event: it has a place in its room's order and is never lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Event {
    /// Where it happened.
    pub room: RoomId,
    /// Its place: 1, 2, 3 … without holes.
    pub seq: u64,
    /// When, in milliseconds since 1970 UTC. Never orders anything.
    pub at: i64,
    /// Who did it.
    pub by: User,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. A replayed event carries the text as it stands now, so `rev` may lie beyond the event's `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// Somebody said something.
    MessagePosted {
        /// Its ordinal among the room's messages.
        n: u64,
        /// What it says now; empty once deleted.
        text: String,
        /// The author's name for it: turns a pending message into this one.
        nonce: Nonce,
        /// The `seq` of the last event that touched it.
        rev: u64,
        /// When it was last edited; left out if never.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edited_at: Option<i64>,
        /// True once deleted; left out otherwise.
        #[serde(default, skip_serializing_if = "is_false")]
        deleted: bool,
    },
    /// The author changed what a message says.
    MessageEdited {
        /// Which message.
        target: u64,
        /// What it says now; empty once deleted.
        text: String,
        /// The `seq` of the last event that touched the message.
        rev: u64,
        /// When it was last edited.
        edited_at: i64,
        /// True once deleted; left out otherwise.
        #[serde(default, skip_serializing_if = "is_false")]
        deleted: bool,
    },
    /// The text of a message was taken away.
    MessageDeleted {
        /// Which message.
        target: u64,
        /// The `seq` of the last event that touched the message.
        rev: u64,
    },
    /// Somebody became a member; `by` somebody else when invited.
    MemberJoined {
        /// Who.
        user: User,
        /// Their role in the room.
        role: Role,
    },
    /// Somebody is no longer a member; `by` somebody else when removed.
    MemberLeft {
        /// Who.
        user: User,
    },
}

impl Event {
    /// The message a `message_posted` speaks of, as a history page would show it.
    pub fn message(&self) -> Option<Message> {
        match &self.kind {
            EventKind::MessagePosted { n, text, nonce, rev, edited_at, deleted } => Some(Message {
                seq: self.seq,
                n: *n,
                at: self.at,
                by: self.by.clone(),
                text: text.clone(),
                rev: *rev,
                nonce: nonce.clone(),
                edited_at: *edited_at,
                deleted: *deleted,
            }),
            EventKind::MessageEdited { .. }
            | EventKind::MessageDeleted { .. }
            | EventKind::MemberJoined { .. }
            | EventKind::MemberLeft { .. } => None,
        }
    }
}
