//! What a client asks for.

use crate::family::family;
use crate::ids::{InviteId, Nonce, RoomId, UserId};
use crate::model::{Body, NewReaction, RoomKind};
use serde::{Deserialize, Serialize};

/// One text frame from a native client: a command under an id of the client's choosing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFrame {
    /// Comes back in the reply. Below 2^53; its order means nothing.
    pub id: u64,
    /// What is asked.
    #[serde(flatten)]
    pub command: Command,
}

family! {
    /// Everything a client can ask for, over a WebSocket or by the HTTP route of the same meaning.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "type")]
    pub enum Command {
        /// Says something in a room. Answered by [`crate::frame::Posted`], once it is on the disk.
        "post_message" => PostMessage {
            /// Where.
            room: RoomId,
            /// What.
            #[serde(flatten)]
            body: Body,
            /// The author's name for it; the same on every retry.
            nonce: Nonce,
        },
        /// Replaces the text of one's own message. Answered by [`crate::frame::Revised`].
        "edit_message" => EditMessage {
            /// Where it is.
            room: RoomId,
            /// Which.
            seq: u64,
            /// What it says from now on.
            text: String,
        },
        /// Takes the text of a message away for everyone. Answered by [`crate::frame::Revised`].
        "delete_message" => DeleteMessage {
            /// Where it is.
            room: RoomId,
            /// Which.
            seq: u64,
        },
        /// Puts one's own reaction on a message, or takes it away. Answered by the [`crate::model::Reaction`] as it then
        /// stands.
        "react" => React {
            /// Where the message is.
            room: RoomId,
            /// Which.
            seq: u64,
            /// With what, and whether it is there from now on.
            #[serde(flatten)]
            reaction: NewReaction,
        },
        /// Notes how far one has read. Answered by the [`crate::ReadMark`] as it then stands.
        "mark_read" => MarkRead {
            /// Where.
            room: RoomId,
            /// Up to and with this `seq`.
            seq: u64,
        },
        /// Opens a room. Answered by the [`crate::Room`].
        "open_room" => OpenRoom {
            /// Its name, 1 to 64 characters.
            name: String,
            /// Open or closed.
            kind: RoomKind,
            /// The client's name for the room; the same on every retry.
            nonce: Nonce,
        },
        /// Becomes a member of an open room. Answered by the [`crate::Room`].
        "join_room" => JoinRoom {
            /// Which.
            room: RoomId,
        },
        /// Stops being a member.
        "leave_room" => LeaveRoom {
            /// Which.
            room: RoomId,
        },
        /// Makes somebody a member of a room one is in.
        "invite_member" => InviteMember {
            /// Where.
            room: RoomId,
            /// Whom.
            user: UserId,
        },
        /// Ends somebody's membership.
        "remove_member" => RemoveMember {
            /// Where.
            room: RoomId,
            /// Whose.
            user: UserId,
        },
        /// Asks for every event of a room after `after`; they follow as frames of their own. Answered by
        /// [`crate::frame::Resumed`].
        "resume" => Resume {
            /// Which room.
            room: RoomId,
            /// The last `seq` the client has applied.
            after: u64,
        },
        /// Lists one's own rooms and the open ones. Answered by [`crate::frame::RoomPage`].
        "list_rooms" => ListRooms {
            /// Where to go on, from the page before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
        },
        /// Lists messages of a room, oldest first. Without a place: the newest. Answered by
        /// [`crate::frame::MessagePage`].
        "list_messages" => ListMessages {
            /// Which room.
            room: RoomId,
            /// Those with a smaller `seq`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            before: Option<u64>,
            /// Those with a greater `seq`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            after: Option<u64>,
            /// Those on both sides of this `seq`, it included.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            around: Option<u64>,
            /// How many at most; 50 when left out.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            limit: Option<u32>,
        },
        /// Lists the roster of a room. Answered by [`crate::frame::MemberPage`].
        "list_members" => ListMembers {
            /// Which room.
            room: RoomId,
            /// Where to go on, from the page before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
        },
        /// Finds accounts by the beginning of their name. Answered by [`crate::frame::UserPage`].
        "list_users" => ListUsers {
            /// What the name begins with; empty for all.
            #[serde(default)]
            name: String,
            /// Where to go on, from the page before.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            cursor: Option<String>,
        },
        /// Makes an invite link. Answered by [`crate::frame::NewInvite`].
        "create_invite" => CreateInvite {
            /// The room that whoever uses it also joins.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            room: Option<RoomId>,
            /// How often it may be used; 25 when left out, 1000 at most.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            uses: Option<u32>,
            /// How long it works, in hours; 168 when left out, 8760 at most.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            hours: Option<u32>,
            /// The client's name for the invite.
            nonce: Nonce,
        },
        /// Lists the invites that still work. Answered by [`crate::frame::InvitePage`].
        "list_invites" => ListInvites {},
        /// Stops an invite from working.
        "revoke_invite" => RevokeInvite {
            /// Which.
            invite: InviteId,
        },
    }
}
