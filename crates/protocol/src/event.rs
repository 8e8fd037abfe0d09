//! What has happened in a room, for ever.

use crate::family::family;
use crate::ids::{Nonce, RoomId};
use crate::model::{Beside, Body, Message, Role, User, is_false};
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

family! {
    /// What happened. A replayed event carries the text as it stands now, so `rev` may lie beyond the event's `seq`.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    #[serde(tag = "type")]
    pub enum EventKind {
        /// Somebody said something.
        "message_posted" => MessagePosted(MessagePosted),
        /// The author changed what a message says.
        "message_edited" => MessageEdited {
            /// Which message.
            target: u64,
            /// What it says now; empty once deleted.
            text: String,
            /// The `seq` of the last event that changed the text.
            rev: u64,
            /// When it was last edited.
            edited_at: i64,
            /// True once deleted; left out otherwise.
            #[serde(default, skip_serializing_if = "is_false")]
            deleted: bool,
        },
        /// The text of a message was taken away.
        "message_deleted" => MessageDeleted {
            /// Which message.
            target: u64,
            /// The `seq` of the last event that changed the text.
            rev: u64,
        },
        /// Somebody reacted to a message, or took their reaction back.
        "message_reacted" => MessageReacted {
            /// Which message.
            target: u64,
            /// The emoji.
            emoji: String,
            /// Whether the reaction is there from now on.
            on: bool,
            /// How many people have reacted with this emoji, after this event.
            count: u64,
        },
        /// Somebody became a member; `by` somebody else when invited.
        "member_joined" => MemberJoined {
            /// Who.
            user: User,
            /// Their role in the room.
            role: Role,
        },
        /// Somebody is no longer a member; `by` somebody else when removed.
        "member_left" => MemberLeft {
            /// Who.
            user: User,
        },
    }
}

/// What a `message_posted` says of its message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessagePosted {
    /// Its ordinal among the room's messages.
    pub n: u64,
    /// What it says now; empty once deleted.
    #[serde(flatten)]
    pub body: Body,
    /// The author's name for it: turns a pending message into this one.
    pub nonce: Nonce,
    /// The `seq` of the last event that changed the text.
    pub rev: u64,
    /// When it was last edited; left out if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<i64>,
    /// True once deleted; left out otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
}

impl EventKind {
    /// The `seq` of the message that the event changes; none for an event that is about no other one.
    pub const fn target(&self) -> Option<u64> {
        match self {
            Self::MessageEdited { target, .. }
            | Self::MessageDeleted { target, .. }
            | Self::MessageReacted { target, .. } => Some(*target),
            Self::MessagePosted(_) | Self::MemberJoined { .. } | Self::MemberLeft { .. } => None,
        }
    }

    /// The text that the event carries; empty for an event that carries none.
    pub fn text(&self) -> &str {
        match self {
            Self::MessagePosted(posted) => &posted.body.text,
            Self::MessageEdited { text, .. } => text,
            Self::MessageDeleted { .. }
            | Self::MessageReacted { .. }
            | Self::MemberJoined { .. }
            | Self::MemberLeft { .. } => "",
        }
    }

    /// The message that the event posts; none for every other event.
    pub const fn posted(&self) -> Option<&MessagePosted> {
        match self {
            Self::MessagePosted(posted) => Some(posted),
            Self::MessageEdited { .. }
            | Self::MessageDeleted { .. }
            | Self::MessageReacted { .. }
            | Self::MemberJoined { .. }
            | Self::MemberLeft { .. } => None,
        }
    }

    /// Who became a member by the event (`true`) or stopped being one (`false`); none for every other event.
    pub const fn membership(&self) -> Option<(&User, bool)> {
        match self {
            Self::MemberJoined { user, .. } => Some((user, true)),
            Self::MemberLeft { user } => Some((user, false)),
            Self::MessagePosted(_)
            | Self::MessageEdited { .. }
            | Self::MessageDeleted { .. }
            | Self::MessageReacted { .. } => None,
        }
    }

    /// Whether all that the event says is what its message says: its text, and what became of it.
    pub const fn is_of_the_text(&self) -> bool {
        match self {
            Self::MessagePosted(_) | Self::MessageEdited { .. } | Self::MessageDeleted { .. } => true,
            Self::MessageReacted { .. } | Self::MemberJoined { .. } | Self::MemberLeft { .. } => false,
        }
    }

    /// Whether the event takes back a text that an earlier event carried. Wherever events are kept to be told again, an
    /// event that takes text back ends the life of the earlier ones of its room.
    pub const fn takes_text_back(&self) -> bool {
        match self {
            Self::MessageEdited { .. } | Self::MessageDeleted { .. } => true,
            Self::MessagePosted(_)
            | Self::MessageReacted { .. }
            | Self::MemberJoined { .. }
            | Self::MemberLeft { .. } => false,
        }
    }
}

impl Event {
    /// The message that a `message_posted` speaks of, as a history page would show it.
    pub fn message(&self) -> Option<Message> {
        match &self.kind {
            EventKind::MessagePosted(posted) => Some(Message {
                seq: self.seq,
                n: posted.n,
                at: self.at,
                by: self.by.clone(),
                body: posted.body.clone(),
                rev: posted.rev,
                nonce: posted.nonce.clone(),
                edited_at: posted.edited_at,
                deleted: posted.deleted,
                beside: Beside::default(),
            }),
            EventKind::MessageEdited { .. }
            | EventKind::MessageDeleted { .. }
            | EventKind::MessageReacted { .. }
            | EventKind::MemberJoined { .. }
            | EventKind::MemberLeft { .. } => None,
        }
    }
}
