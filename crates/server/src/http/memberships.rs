//! Who is in a room.

use super::error::Refusal;
use super::parameters::{Asked, PageToken, Path, parsed, room};
use super::signed_in::SignedIn;
use crate::app::App;
use crate::door::{Answer, ask};
use axum::extract::State;
use chat::Caller;
use protocol::frame::{Done, MemberPage};
use protocol::{Command, Room, UserId};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed-in users ask for.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(add, remove))
}

/// What stands in a path for the caller's own id.
const ME: &str = "me";

/// Lists the roster of a room.
///
/// By name, with who is connected now.
#[utoipa::path(get, operation_id = "list_members", path = "/api/v1/rooms/{room}/members", tag = "members",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."), PageToken),
    responses((status = 200, body = MemberPage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(named): Path<String>,
    Asked(asked): Asked<PageToken>,
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    Ok(ask(&app, &caller, Command::ListMembers { room, cursor: asked.cursor }).await?)
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
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    let command = match somebody_else(&caller, &user)? {
        None => Command::JoinRoom { room },
        Some(user) => Command::InviteMember { room, user },
    };
    Ok(ask(&app, &caller, command).await?)
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
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    let command = match somebody_else(&caller, &user)? {
        None => Command::LeaveRoom { room },
        Some(user) => Command::RemoveMember { room, user },
    };
    Ok(ask(&app, &caller, command).await?)
}

/// The user whom a path names; none for the caller.
fn somebody_else(caller: &Caller, named: &str) -> Result<Option<UserId>, Refusal> {
    if named == ME {
        return Ok(None);
    }
    let user = parsed(named, "user")?;
    Ok(Some(user).filter(|user| *user != caller.user().id))
}
