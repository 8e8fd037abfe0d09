//! What the server says to a native client, and the bodies of its replies.

use crate::error_code::Error;
use crate::event::{Event, EventKind};
use crate::ids::{InviteId, Nonce, RoomId, UserId};
use crate::may::May;
use crate::model::{Invite, Limits, Member, Message, OpenRoom, ReadMark, Role, Room, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// Makes [`ServerFrame`] of its frames: the name of each stands here and nowhere else.
macro_rules! server_frames {
    ($($(#[$doc:meta])* $name:literal => $variant:ident,)*) => {
        /// One text frame to a native client.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(tag = "type")]
        pub enum ServerFrame {
            $($(#[$doc])* #[serde(rename = $name)] $variant($variant),)*
            /// A frame of a type this version does not know. Never sent.
            #[serde(skip)]
            Unknown(Unknown),
            /// A durable event.
            #[serde(untagged)]
            Event(Event),
        }

        impl ServerFrame {
            /// The names of all frames but durable events, as `type` says them.
            pub const NAMES: &[&str] = &[$($name),*];

            /// Reads a frame. A type this version does not know becomes [`ServerFrame::Unknown`], with its place if it has
            /// one.
            ///
            /// # Errors
            /// When the text is not a JSON object with a `type`, or a known frame lacks a field.
            pub fn decode(text: &str) -> Result<Self, serde_json::Error> {
                let tag: Tag<'_> = serde_json::from_str(text)?;
                Ok(match tag.kind.as_ref() {
                    $($name => Self::$variant(serde_json::from_str(text)?),)*
                    event if EventKind::NAMES.contains(&event) => Self::Event(serde_json::from_str(text)?),
                    _ => Self::Unknown(Unknown::place_of(&serde_json::from_str(text)?)),
                })
            }
        }
    };
}

server_frames! {
    /// The first frame of a connection.
    "hello" => Hello,
    /// Answers one command.
    "reply" => Reply,
    /// Heads of rooms that moved, so that a lost tail is noticed.
    "beat" => Beat,
    /// Who is connected now in a room. Absolute; told again when it changes, at most once a second.
    "presence" => Presence,
    /// Too much was missed to send it all: the client forgets what it has of the room and starts from this page.
    "reset" => Reset,
    /// The connection fell behind in a room and hears nothing of it until it answers with `resume`.
    "lagged" => Lagged,
    /// One is a member of this room from now on (on every connection of the user).
    "room_joined" => RoomJoined,
    /// One is no longer a member of this room.
    "room_left" => RoomLeft,
    /// One's read mark moved, on whichever device.
    "read_marked" => ReadMarked,
    /// The session ended; close code 4401 follows.
    "session_ended" => SessionEnded,
}

/// What a frame says of its type.
#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// The session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SessionEnded {}

/// What a client keeps of a frame it does not know: the place, so that its `seq` goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Unknown {
    /// The room of an unknown durable event.
    #[serde(default)]
    pub room: Option<RoomId>,
    /// Its place.
    #[serde(default)]
    pub seq: Option<u64>,
}

/// Greets a connection and restates everything personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The server's version, such as `0.1.0`.
    pub version: String,
    /// Names the web client's files; another one than before means there is a newer client.
    pub build: String,
    /// What this server can do beyond version 1 of the protocol.
    pub features: Vec<String>,
    /// Which life of the database this is. Another one than before: forget all and start afresh.
    pub epoch: String,
    /// Who one is.
    pub user: User,
    /// One's role on the server.
    pub role: Role,
    /// What one may do on the server.
    pub may: May,
    /// Numbers to keep to.
    pub limits: Limits,
    /// How often `beat` comes; after two silent intervals the client reconnects.
    pub heartbeat_ms: u64,
    /// The rooms one is a member of. The connection hears each from `head` on.
    pub rooms: Vec<Room>,
}

/// Answers one command: either `ok` or `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The command's id; null when none was readable.
    pub id: Option<u64>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<Value>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Heads of rooms that moved since the beat before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Room id → latest `seq`.
    pub heads: std::collections::BTreeMap<RoomId, u64>,
}

/// Who is connected now in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Which room.
    pub room: RoomId,
    /// How many people are here.
    pub count: u64,
    /// The first 100 of them, in order of arrival.
    pub here: Vec<User>,
}

/// The newest page of a room of which too much was missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// Which room.
    pub room: RoomId,
    /// The `seq` at which this page was read: the client goes on from here.
    pub as_of: u64,
    /// The newest messages, oldest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Names the room whose tail the connection fell off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lagged {
    /// Which room.
    pub room: RoomId,
}

/// One became a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomJoined {
    /// The room; the connection hears it from `head` on.
    pub room: Room,
}

/// One stopped being a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLeft {
    /// Which room.
    pub room: RoomId,
    /// The `seq` of the leave; nothing after it is told.
    pub seq: u64,
    /// Who ended it, when it was somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<User>,
}

/// A read mark moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMarked {
    /// In which room.
    pub room: RoomId,
    /// Where it is now.
    #[serde(flatten)]
    pub read: ReadMark,
}

/// The reply to `post_message`: the message is on the disk. The same for every retry, whatever became of it since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Posted {
    /// Its place in the room.
    pub seq: u64,
    /// Its ordinal among the room's messages.
    pub n: u64,
    /// When it was committed.
    pub at: i64,
    /// The author's name for it.
    pub nonce: Nonce,
}

/// The reply to `edit_message` and `delete_message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revised {
    /// The message's `rev` as it stands: the `seq` of the event that changed it last.
    pub rev: u64,
}

/// The reply to `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The room's head when the resume began; events up to it, or a `reset`, follow.
    pub head: u64,
}

/// A page of messages, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessagePage {
    /// The room's head when the page was read. Events after it that one has seen are applied again on top.
    pub as_of: u64,
    /// The messages.
    pub messages: Vec<Message>,
    /// Whether there are older ones than the first.
    pub more_before: bool,
    /// Whether there are newer ones than the last.
    pub more_after: bool,
}

/// A page of a room's log: events as the live stream would tell them now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventPage {
    /// The room's head when the page was read.
    pub as_of: u64,
    /// The events, in order, without holes.
    pub events: Vec<Event>,
    /// Whether there are newer ones than the last.
    pub more: bool,
}

/// One's own rooms, and a page of the open ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoomPage {
    /// The rooms one is a member of; on the first page only.
    pub mine: Vec<Room>,
    /// Open rooms by name.
    pub open: Vec<OpenRoom>,
    /// Where to go on; left out on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of a roster: first those who are here, then by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MemberPage {
    /// The members of this page, by name.
    pub members: Vec<Member>,
    /// How many members there are.
    pub count: u64,
    /// How many people are connected now, visitors included.
    pub here: u64,
    /// Where to go on; left out on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of accounts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UserPage {
    /// The accounts.
    pub users: Vec<User>,
    /// Where to go on; left out on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A new invite, with the link that is told this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewInvite {
    /// Which invite.
    pub id: InviteId,
    /// The secret of the link; only its hash is kept.
    pub token: String,
    /// The path and fragment to open in a browser: `/invite#token=…`, to be put behind the server's address.
    pub link: String,
    /// When it stops working.
    pub expires_at: i64,
    /// How often it may be used.
    pub uses: u32,
}

crate::http::debug_without_secrets! { NewInvite { id, expires_at, uses } }

/// The invites that still work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InvitePage {
    /// Newest first.
    pub invites: Vec<Invite>,
}

/// Nothing more to say than that it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Done {}

/// Names a user in a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Whom {
    /// Who.
    pub user: UserId,
}

impl Unknown {
    /// The place a frame names, if it names one: in a later version `room` and `seq` may be anything.
    fn place_of(frame: &Value) -> Self {
        let room = frame.get("room").and_then(Value::as_str).and_then(|id| id.parse().ok());
        Self { room, seq: frame.get("seq").and_then(Value::as_u64) }
    }
}
