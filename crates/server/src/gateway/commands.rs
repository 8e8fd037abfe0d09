//! Everything a native client can ask for: parse, call `chat`, answer. The one screen of it.

use super::missed::Missed;
use super::native::Connection;
use chat::{Chat, Place, RESUME_EVENTS, Result};
use protocol::frame::{Done, Resumed};
use protocol::{Command, Error, RoomId};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// The way to do what a command asks: what writes into a room waits until its readers can follow.
///
/// # Errors
/// `slow_down`.
pub(super) async fn admit(connection: &Connection, command: &Command) -> std::result::Result<Chat, Error> {
    let (app, caller) = (&connection.app, &connection.caller);
    match command {
        Command::PostMessage { room, text, .. } | Command::EditMessage { room, text, .. } => {
            app.pacing.member(&app.chat, caller, *room, text.len()).await
        }
        Command::DeleteMessage { room, .. }
        | Command::LeaveRoom { room }
        | Command::InviteMember { room, .. }
        | Command::RemoveMember { room, .. } => app.pacing.member(&app.chat, caller, *room, 0).await,
        Command::JoinRoom { room } => app.pacing.joiner(&app.chat, caller, *room).await,
        Command::MarkRead { .. }
        | Command::OpenRoom { .. }
        | Command::Resume { .. }
        | Command::ListRooms { .. }
        | Command::ListMessages { .. }
        | Command::ListMembers { .. }
        | Command::ListUsers { .. }
        | Command::CreateInvite { .. }
        | Command::ListInvites {}
        | Command::RevokeInvite { .. } => Ok(app.chat.clone()),
    }
}

/// Does what a command asks.
pub(super) async fn run(connection: &Arc<Connection>, chat: &Chat, command: Command) -> Result<Value> {
    let caller = &connection.caller;
    match command {
        Command::PostMessage { room, text, nonce } => value(chat.post(caller, room, &text, nonce).await?),
        Command::EditMessage { room, seq, text } => value(chat.edit(caller, room, seq, &text).await?),
        Command::DeleteMessage { room, seq } => value(chat.delete(caller, room, seq).await?),
        Command::MarkRead { room, seq } => value(chat.mark_read(caller, room, seq).await?),
        Command::OpenRoom { name, kind, nonce } => {
            let guests_may = connection.app.settings.guests_open_rooms;
            value(chat.open_room(caller, &name, kind, nonce, guests_may).await?)
        }
        Command::JoinRoom { room } => value(chat.join_room(caller, room).await?),
        Command::LeaveRoom { room } => done(chat.leave_room(caller, room).await),
        Command::InviteMember { room, user } => done(chat.invite_member(caller, room, user).await),
        Command::RemoveMember { room, user } => done(chat.remove_member(caller, room, user).await),
        Command::Resume { room, after } => resume(connection, room, after).await,
        Command::ListRooms { cursor } => value(chat.list_rooms(caller, cursor.as_deref()).await?),
        Command::ListMessages { room, before, after, around, limit } => {
            let place = Place::named(before, after, around)?;
            value(chat.list_messages(caller, room, place, limit).await?)
        }
        Command::ListMembers { room, cursor } => members(connection, room, cursor).await,
        Command::ListUsers { name, cursor } => {
            value(chat.list_users(caller, &name, cursor.as_deref()).await?)
        }
        Command::CreateInvite { room, uses, hours, nonce } => {
            value(chat.create_invite(caller, room, uses, hours, nonce).await?)
        }
        Command::ListInvites {} => value(chat.list_invites(caller).await?),
        Command::RevokeInvite { invite } => done(chat.revoke_invite(caller, invite).await),
    }
}

async fn resume(connection: &Arc<Connection>, room: RoomId, after: u64) -> Result<Value> {
    let missing = || chat::Error::NotFound("room");
    let head = connection.resume(room, after, Some(RESUME_EVENTS)).await.ok_or_else(missing)?;
    if after <= head {
        if head - after > RESUME_EVENTS {
            connection.catch_up(room, Missed::ALL);
        }
        return value(Resumed { head });
    }
    // A page of the log may reach further than what was published until now.
    let committed = connection.app.chat.membership(connection.caller.key(), room).await?.view().head;
    if after <= committed {
        connection.resume(room, after, None).await.ok_or_else(missing)?;
    } else {
        connection.catch_up(room, Missed::ALL);
    }
    value(Resumed { head: committed })
}

async fn members(connection: &Arc<Connection>, room: RoomId, cursor: Option<String>) -> Result<Value> {
    let here = match connection.room(room) {
        Some(key) => connection.app.live.here(key).await,
        None => return Err(chat::Error::NotFound("room")),
    };
    let chat = &connection.app.chat;
    let mut page =
        chat.list_members(&connection.caller, room, cursor.as_deref(), Arc::new(here.users)).await?;
    page.here = here.count;
    value(page)
}

fn done(done: Result<()>) -> Result<Value> {
    done.and_then(|()| value(Done {}))
}

fn value(answer: impl Serialize) -> Result<Value> {
    // The types of the protocol have string keys and no floats, so they always have a JSON form.
    Ok(serde_json::to_value(answer).unwrap_or_default())
}
