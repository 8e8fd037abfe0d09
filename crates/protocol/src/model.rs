//! The things that commands, replies and events speak of.

use crate::ids::{InviteId, Nonce, RoomId, UserId};
use crate::may::May;
#[cfg(feature = "schema")]
use crate::may::Verb;
use serde::{Deserialize, Serialize};

/// A user as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct User {
    /// Who it is.
    pub id: UserId,
    /// The display name, 1 to 64 characters.
    pub name: String,
    /// True for a user without a password; left out otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guest: bool,
}

/// What a user may do on this server, or in one room. Ordered: a greater role may do all that a lesser one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Came without a password: talks in open rooms.
    Guest,
    /// Opens rooms, invites.
    Member,
    /// Removes people and messages.
    Moderator,
    /// Keeps accounts and settings.
    Admin,
    /// Of the server: set it up. Of a room: opened it.
    Owner,
}

/// Who finds and enters a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Everybody on the server finds it and may join.
    Open,
    /// Members alone know it; one enters by being invited.
    Closed,
    /// Between two people; has no name of its own.
    Direct,
}

/// How far a member has read. Only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReadMark {
    /// The `seq` up to which all is read.
    pub seq: u64,
    /// The ordinal among the room's messages up to which all is read: unread = the room's `n` − this.
    pub n: u64,
}

/// A room as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// Its name, 1 to 64 characters.
    pub name: String,
    /// Who finds and enters it.
    pub kind: RoomKind,
    /// The room's latest `seq`; 0 when nothing has happened yet.
    pub head: u64,
    /// How many messages were ever posted in it.
    pub n: u64,
    /// How far the member has read.
    pub read: ReadMark,
    /// The member's role in this room: [`Role::Owner`] opened it.
    pub role: Role,
    /// What the member may do in it now.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Verb>))]
    pub may: May,
}

/// An open room in the list of rooms one may join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OpenRoom {
    /// Which room.
    pub id: RoomId,
    /// Its name, unique among open rooms.
    pub name: String,
    /// How many accounts are members of it; guests come and go.
    pub members: u64,
    /// Whether the one who asks is a member.
    pub joined: bool,
}

/// Somebody on the roster of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Member {
    /// Who it is.
    #[serde(flatten)]
    pub user: User,
    /// Their role in the room, or on the server where that is greater.
    pub role: Role,
    /// Whether they are connected now.
    pub here: bool,
    /// What the one who asks may do to them; left out where that is nothing.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Verb>))]
    #[serde(default, skip_serializing_if = "May::is_empty")]
    pub may: May,
}

/// What an author says: the same before the message has a place (a draft), in `message_posted`, and on every page.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Body {
    /// The text; empty once deleted.
    pub text: String,
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

/// A message as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Message {
    /// Its place in the room; with the room's id the permalink.
    pub seq: u64,
    /// Its ordinal among the room's messages: 1, 2, 3 …
    pub n: u64,
    /// When it was committed, in milliseconds since 1970 UTC. For people to read; never orders anything.
    pub at: i64,
    /// Who wrote it.
    pub by: User,
    /// What was said.
    #[serde(flatten)]
    pub body: Body,
    /// The `seq` of the last event that changed the text. Of two versions the one with the higher `rev` is right.
    pub rev: u64,
    /// The author's name for it.
    pub nonce: Nonce,
    /// When it was last edited; left out if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<i64>,
    /// True once deleted; left out otherwise.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// What others have made of it.
    #[serde(flatten)]
    pub beside: Beside,
}

/// What pages show beside the body of a message: a feature that shows something there adds a field here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Beside {
    /// The reactions to it, in the order in which each emoji came first; left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
}

/// Puts one's own reaction on a message, or takes it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewReaction {
    /// One emoji.
    pub emoji: String,
    /// Whether the reaction is there from now on.
    pub on: bool,
}

/// One emoji that people have reacted with to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// How many people have reacted with it.
    pub count: u64,
    /// Whether the one who asks is among them.
    pub mine: bool,
    /// The first of them, three at most.
    pub users: Vec<User>,
}

/// An invite as its maker sees it. The token of its link is told once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Invite {
    /// Which invite.
    pub id: InviteId,
    /// The room that whoever uses it also joins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// Who made it.
    pub by: User,
    /// When it was made, in milliseconds since 1970 UTC.
    pub at: i64,
    /// When it stops working.
    pub expires_at: i64,
    /// How often it may be used in all.
    pub uses: u32,
    /// How often it was used.
    pub used: u32,
}

/// Numbers a client would otherwise have to guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Limits {
    /// The longest message, in characters (Unicode scalar values).
    pub text_chars: u32,
    /// The longest name of a room or user, in characters.
    pub name_chars: u32,
    /// The largest frame the server reads, in bytes.
    pub frame_bytes: u32,
    /// The most items a page holds.
    pub page: u32,
    /// Commands that may be under way at once on a connection.
    pub unanswered: u32,
    /// How often a client sends a read mark at most, in milliseconds.
    pub mark_read_ms: u32,
    /// The shortest password for a new account, in characters.
    pub password_chars: u32,
}

pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
