//! The one door for commands: what each of them means, by whichever way it comes.
//!
//! The native gateway and the HTTP handlers build the same [`Command`]. Here it is paced, handed to the function of
//! `chat` that does it, and answered. `chat` decides what the caller may do. Two things have a way of their own: a post on
//! a native connection, which is the commonest of all, and `resume`, which only means something to a connection.

use crate::app::App;
use crate::refusal::refusal;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chat::{Caller, Chat, Window};
use protocol::frame::Done;
use protocol::{Command, Error, ErrorCode, RoomId};
use serde::Serialize;
use serde_json::Map;
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;

/// The body of a reply, ready for the wire. Over HTTP it is the body of the answer.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Answer(Box<RawValue>);

/// A command that may be done now.
pub struct Admitted {
    command: Command,
    /// Keeps the place in the room's pace until what the command did has been told.
    chat: Chat,
}

/// Does what a command asks, once it may be done.
///
/// # Errors
/// Why it was refused, as the wire tells it.
pub async fn ask(app: &App, caller: &Caller, command: Command) -> Result<Answer, Error> {
    admit(app, caller, command).await?.run(app, caller).await
}

/// Waits until a command may be done: what writes into a room waits until the room's readers can follow.
///
/// # Errors
/// `slow_down`.
pub async fn admit(app: &App, caller: &Caller, command: Command) -> Result<Admitted, Error> {
    let chat = match &command {
        Command::PostMessage { room, body, .. } => {
            app.pacing.member(&app.chat, caller, *room, body.text.len()).await?
        }
        Command::EditMessage { room, text, .. } => {
            app.pacing.member(&app.chat, caller, *room, text.len()).await?
        }
        Command::DeleteMessage { room, .. }
        | Command::React { room, .. }
        | Command::LeaveRoom { room }
        | Command::InviteMember { room, .. }
        | Command::RemoveMember { room, .. } => app.pacing.member(&app.chat, caller, *room, 0).await?,
        Command::JoinRoom { room } => app.pacing.joiner(&app.chat, caller, *room).await?,
        Command::MarkRead { .. }
        | Command::OpenRoom { .. }
        | Command::Resume { .. }
        | Command::ListRooms { .. }
        | Command::ListMessages { .. }
        | Command::ListMembers { .. }
        | Command::ListUsers { .. }
        | Command::CreateInvite { .. }
        | Command::ListInvites {}
        | Command::RevokeInvite { .. } => app.chat.clone(),
    };
    Ok(Admitted { command, chat })
}

impl Admitted {
    /// Does what the command asks.
    ///
    /// # Errors
    /// Why it was refused, as the wire tells it.
    pub async fn run(self, app: &App, caller: &Caller) -> Result<Answer, Error> {
        let Self { command, chat } = self;
        match command {
            Command::PostMessage { room, body, nonce } => answer(chat.post(caller, room, body, nonce).await),
            Command::EditMessage { room, seq, text } => answer(chat.edit(caller, room, seq, &text).await),
            Command::DeleteMessage { room, seq } => answer(chat.delete(caller, room, seq).await),
            Command::React { room, seq, reaction } => answer(chat.react(caller, room, seq, &reaction).await),
            Command::MarkRead { room, seq } => answer(chat.mark_read(caller, room, seq).await),
            Command::OpenRoom { name, kind, nonce } => {
                let guests_may = app.settings.guests_open_rooms;
                answer(chat.open_room(caller, &name, kind, nonce, guests_may).await)
            }
            Command::JoinRoom { room } => answer(chat.join_room(caller, room).await),
            Command::LeaveRoom { room } => done(chat.leave_room(caller, room).await),
            Command::InviteMember { room, user } => done(chat.invite_member(caller, room, user).await),
            Command::RemoveMember { room, user } => done(chat.remove_member(caller, room, user).await),
            Command::Resume { .. } => Err(needs_a_connection()),
            Command::ListRooms { cursor } => answer(chat.list_rooms(caller, cursor.as_deref()).await),
            Command::ListMessages { room, before, after, around, limit } => {
                let window = Window::named(before, after, around).map_err(|error| refusal(&error))?;
                answer(chat.list_messages(caller, room, window, limit).await)
            }
            Command::ListMembers { room, cursor } => answer(members(app, caller, room, cursor).await),
            Command::ListUsers { name, cursor } => {
                answer(chat.list_users(caller, &name, cursor.as_deref()).await)
            }
            Command::CreateInvite { room, uses, hours, nonce } => {
                answer(chat.create_invite(caller, room, uses, hours, nonce).await)
            }
            Command::ListInvites {} => answer(chat.list_invites(caller).await),
            Command::RevokeInvite { invite } => done(chat.revoke_invite(caller, invite).await),
        }
    }
}

/// The roster, with how many people are connected now.
async fn members(
    app: &App,
    caller: &Caller,
    room: RoomId,
    cursor: Option<String>,
) -> chat::Result<protocol::frame::MemberPage> {
    let membership = app.chat.membership(caller.key(), room).await?;
    let here = app.live.here(membership.room()).await;
    let page = app.chat.list_members(caller, room, cursor.as_deref(), Arc::new(here.users)).await?;
    Ok(protocol::frame::MemberPage { here: here.count, ..page })
}

/// What came of a command, as the wire tells it.
pub fn answer(came: chat::Result<impl Serialize>) -> Result<Answer, Error> {
    match came {
        // The types of the protocol have string keys and no floats, so they always have a JSON form.
        Ok(body) => Ok(Answer(to_raw_value(&body).unwrap_or_default())),
        Err(error) => Err(refusal(&error)),
    }
}

fn done(came: chat::Result<()>) -> Result<Answer, Error> {
    answer(came.map(|()| Done {}))
}

fn needs_a_connection() -> Error {
    let message = "Only a WebSocket connection can resume a room. Over HTTP, list its events.".to_owned();
    Error { code: ErrorCode::BadRequest, params: Map::new(), message, retry_after_ms: None }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], Box::<str>::from(self.0).into_string()).into_response()
    }
}
