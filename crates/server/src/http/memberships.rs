//! Who is in a room.

use super::error::Refusal;
use super::parameters::{Asked, Cursor, Path, found, parsed, room};
use super::signed_in::SignedIn;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chat::Caller;
use protocol::frame::{Done, MemberPage};
use protocol::{Room, UserId};
use std::sync::Arc;

/// How callers name themselves in a path.
const ME: &str = "me";

/// Lists the roster of a room.
///
/// By name, with who is connected now.
#[utoipa::path(get, operation_id = "list_members", path = "/api/v1/rooms/{room}/members", tag = "members",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."), Cursor),
    responses((status = 200, body = MemberPage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(named): Path<String>,
    Asked(asked): Asked<Cursor>,
) -> Result<Json<MemberPage>, Refusal> {
    let room = found(&app, &caller, &named).await?;
    let here = app.live.here(room.key).await;
    let page = app.chat.list_members(&caller, room.id, asked.cursor.as_deref(), Arc::new(here.users));
    Ok(Json(MemberPage { here: here.count, ..page.await? }))
}

/// Joins an open room, or brings somebody into a room.
///
/// `me` or one's own id joins and answers with the room; somebody else's id makes them a member and answers `{}`.
#[utoipa::path(put, operation_id = "add_member", path = "/api/v1/rooms/{room}/members/{user}", tag = "members",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."),
        ("user" = String, Path, description = "A user's id, or `me`.")),
    responses((status = 200, body = Room)))]
pub async fn add(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path((named, user)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let room = room(&app, &caller, &named).await?;
    match somebody_else(&caller, &user)? {
        None => {
            let chat = app.pacing.joiner(&app.chat, &caller, room).await?;
            Ok(Json(chat.join_room(&caller, room).await?).into_response())
        }
        Some(user) => {
            let chat = app.pacing.member(&app.chat, &caller, room, 0).await?;
            chat.invite_member(&caller, room, user).await?;
            Ok(Json(Done {}).into_response())
        }
    }
}

/// Leaves a room, or ends somebody's membership.
///
/// `me` or one's own id leaves.
#[utoipa::path(delete, operation_id = "remove_member", path = "/api/v1/rooms/{room}/members/{user}", tag = "members",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."),
        ("user" = String, Path, description = "A user's id, or `me`.")),
    responses((status = 200, body = Done)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path((named, user)): Path<(String, String)>,
) -> Result<Json<Done>, Refusal> {
    let room = room(&app, &caller, &named).await?;
    let somebody_else = somebody_else(&caller, &user)?;
    let chat = app.pacing.member(&app.chat, &caller, room, 0).await?;
    match somebody_else {
        None => chat.leave_room(&caller, room).await?,
        Some(user) => chat.remove_member(&caller, room, user).await?,
    }
    Ok(Json(Done {}))
}

/// Whom a path names; none for the caller.
fn somebody_else(caller: &Caller, named: &str) -> Result<Option<UserId>, Refusal> {
    if named == ME {
        return Ok(None);
    }
    let user = parsed(named, "user")?;
    Ok(Some(user).filter(|user| *user != caller.user().id))
}
