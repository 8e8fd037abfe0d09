//! What there is to say, by name: a new variant does not compile until it has a line here, and a line here fails
//! until it has a fixture and a place in the document.

use protocol::event::EventKind;
use protocol::simple::{SimpleCommand, SimpleFrame};
use protocol::{CloseCode, Command, ErrorCode, ServerFrame};

macro_rules! names {
    ($(#[$doc:meta])* $list:ident, $name_of:ident($of:ty) { $($variant:pat => $name:literal,)* }) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($name),*];

        pub fn $name_of(of: &$of) -> &'static str {
            match of {
                $($variant => $name,)*
            }
        }
    };
}

names! {
    /// `command.*.json`
    COMMANDS, command(Command) {
        Command::PostMessage { .. } => "post_message",
        Command::EditMessage { .. } => "edit_message",
        Command::DeleteMessage { .. } => "delete_message",
        Command::MarkRead { .. } => "mark_read",
        Command::OpenRoom { .. } => "open_room",
        Command::JoinRoom { .. } => "join_room",
        Command::LeaveRoom { .. } => "leave_room",
        Command::InviteMember { .. } => "invite_member",
        Command::RemoveMember { .. } => "remove_member",
        Command::Resume { .. } => "resume",
        Command::ListRooms { .. } => "list_rooms",
        Command::ListMessages { .. } => "list_messages",
        Command::ListMembers { .. } => "list_members",
        Command::ListUsers { .. } => "list_users",
        Command::CreateInvite { .. } => "create_invite",
        Command::ListInvites {} => "list_invites",
        Command::RevokeInvite { .. } => "revoke_invite",
    }
}

names! {
    /// `frame.*.json`, but for events and frames from a later version.
    FRAMES, frame(ServerFrame) {
        ServerFrame::Hello(_) => "hello",
        ServerFrame::Reply(_) => "reply",
        ServerFrame::Beat(_) => "beat",
        ServerFrame::Presence(_) => "presence",
        ServerFrame::Reset(_) => "reset",
        ServerFrame::Lagged(_) => "lagged",
        ServerFrame::RoomJoined(_) => "room_joined",
        ServerFrame::RoomLeft(_) => "room_left",
        ServerFrame::ReadMarked(_) => "read_marked",
        ServerFrame::SessionEnded {} => "session_ended",
        ServerFrame::Unknown(_) => "unknown",
        ServerFrame::Event(_) => "event",
    }
}

names! {
    /// `event.*.json`
    EVENTS, event(EventKind) {
        EventKind::MessagePosted { .. } => "message_posted",
        EventKind::MessageEdited { .. } => "message_edited",
        EventKind::MessageDeleted { .. } => "message_deleted",
        EventKind::MemberJoined { .. } => "member_joined",
        EventKind::MemberLeft { .. } => "member_left",
    }
}

names! {
    /// `simple.client.*.json`
    SIMPLE_COMMANDS, simple_command(SimpleCommand) {
        SimpleCommand::Join { .. } => "join",
        SimpleCommand::Chat { .. } => "chat",
        SimpleCommand::Leave {} => "leave",
    }
}

names! {
    /// `simple.server.*.json`
    SIMPLE_FRAMES, simple_frame(SimpleFrame) {
        SimpleFrame::Welcome { .. } => "welcome",
        SimpleFrame::Joined { .. } => "joined",
        SimpleFrame::Left { .. } => "left",
        SimpleFrame::Roster { .. } => "roster",
        SimpleFrame::Chat(_) => "chat",
        SimpleFrame::Error { .. } => "error",
    }
}

names! {
    /// `error_codes.json`, in this order.
    ERROR_CODES, error_code(ErrorCode) {
        ErrorCode::BadRequest => "bad_request",
        ErrorCode::UnknownCommand => "unknown_command",
        ErrorCode::Invalid => "invalid",
        ErrorCode::NotFound => "not_found",
        ErrorCode::Forbidden => "forbidden",
        ErrorCode::Conflict => "conflict",
        ErrorCode::NameTaken => "name_taken",
        ErrorCode::Unauthenticated => "unauthenticated",
        ErrorCode::BadCredentials => "bad_credentials",
        ErrorCode::LinkSpent => "link_spent",
        ErrorCode::TooLarge => "too_large",
        ErrorCode::RateLimited => "rate_limited",
        ErrorCode::SlowDown => "slow_down",
        ErrorCode::Overloaded => "overloaded",
        ErrorCode::Unknown => "unknown",
        ErrorCode::Internal => "internal",
    }
}

macro_rules! close_codes {
    ($($variant:ident => $name:literal,)*) => {
        /// `close_codes.json`, in this order.
        pub const CLOSE_CODES: &[(CloseCode, &str)] = &[$((CloseCode::$variant, $name)),*];

        // Its match is what refuses to compile when a code has no line here.
        pub fn close_code(of: CloseCode) -> &'static str {
            match of {
                $(CloseCode::$variant => $name,)*
            }
        }
    };
}

close_codes! {
    Protocol => "protocol",
    NotUtf8 => "not_utf8",
    Limit => "limit",
    TooLarge => "too_large",
    Restart => "restart",
    Lagging => "lagging",
    SessionEnded => "session_ended",
    NotAllowed => "not_allowed",
}
