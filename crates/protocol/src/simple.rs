//! The simple protocol: `GET /ws` without a subprotocol, for scripts and demos.

use crate::event::{Event, EventKind};
use crate::family::family;
use crate::model::Message;
use serde::{Deserialize, Serialize};

family! {
    /// What a simple client says.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    pub enum SimpleCommand {
        /// Enters a room under a name; leaves the one before.
        "join" => Join {
            /// The room's name, or the id of a closed one.
            room: String,
            /// The name to go by.
            username: String,
        },
        /// Says something in the room one is in.
        "chat" => Chat {
            /// What.
            text: String,
        },
        /// Reacts to a message of the room one is in, or takes the reaction back.
        "react" => React {
            /// Which message.
            seq: u64,
            /// One emoji.
            emoji: String,
            /// Whether the reaction is there from now on; left out: it is.
            #[serde(default = "yes")]
            on: bool,
        },
        /// Leaves the room; the socket stays.
        "leave" => Leave {},
    }
}

family! {
    /// What the server says to a simple client.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    pub enum SimpleFrame {
        /// One is in the room.
        "welcome" => Welcome {
            /// Its name.
            room: String,
            /// One's own name.
            username: String,
            /// Who is here, in order of arrival; the first 100.
            users: Vec<String>,
            /// How many are here, when more than `users` holds.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            count: Option<u64>,
            /// The last chats, oldest first.
            history: Vec<Chat>,
        },
        /// Somebody came.
        "joined" => Joined {
            /// Where.
            room: String,
            /// Who.
            username: String,
        },
        /// Somebody went.
        "left" => Left {
            /// Where.
            room: String,
            /// Who.
            username: String,
        },
        /// Who is here.
        "roster" => Roster {
            /// Where.
            room: String,
            /// The people, in order of arrival; the first 100.
            users: Vec<String>,
            /// How many are here, when more than `users` holds.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            count: Option<u64>,
        },
        /// Somebody said something.
        "chat" => Chat(ChatIn),
        /// Somebody reacted to a message, or took their reaction back.
        "reaction" => Reaction {
            /// Where.
            room: String,
            /// To which message.
            seq: u64,
            /// Who.
            username: String,
            /// The emoji.
            emoji: String,
            /// Whether the reaction is there from now on.
            on: bool,
            /// How many people have reacted with this emoji now.
            count: u64,
        },
        /// Something could not be done; the socket stays open.
        "error" => Error {
            /// What and why.
            message: String,
        },
    }
}

const fn yes() -> bool {
    true
}

impl SimpleFrame {
    /// An event of the room named `room` as the simple protocol tells it; nothing where it does not tell such events.
    pub fn of(room: &str, event: &Event) -> Option<Self> {
        let room = room.to_owned();
        match &event.kind {
            EventKind::MessagePosted(_) => {
                let chat = event.message()?.into();
                Some(Self::Chat(ChatIn { room, chat }))
            }
            EventKind::MessageReacted { target, emoji, on, count } => Some(Self::Reaction {
                room,
                seq: *target,
                username: event.by.name.clone(),
                emoji: emoji.clone(),
                on: *on,
                count: *count,
            }),
            EventKind::MessageEdited { .. }
            | EventKind::MessageDeleted { .. }
            | EventKind::MemberJoined { .. }
            | EventKind::MemberLeft { .. } => None,
        }
    }
}

impl From<Message> for Chat {
    fn from(message: Message) -> Self {
        Self { username: message.by.name, text: message.body.text, ts: message.at, seq: message.seq }
    }
}

/// A chat, with the room it was said in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatIn {
    /// Where.
    pub room: String,
    /// What was said.
    #[serde(flatten)]
    pub chat: Chat,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Who.
    pub username: String,
    /// What.
    pub text: String,
    /// When, in milliseconds since 1970 UTC.
    pub ts: i64,
    /// Its place in the room.
    pub seq: u64,
}

/// The answer of `GET /api/rooms`: open rooms with somebody connected, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SimpleRooms {
    /// The rooms.
    pub rooms: Vec<SimpleRoom>,
}

/// An open room with somebody in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SimpleRoom {
    /// Its name.
    pub room: String,
    /// Who is here, in order of arrival; the first 100.
    pub users: Vec<String>,
    /// How many are here, when more than `users` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}
