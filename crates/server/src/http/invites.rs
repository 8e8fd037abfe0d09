//! Invite links.

use super::body::Body;
use super::error::Refusal;
use super::messages::new_nonce;
use super::parameters::{Path, parsed};
use super::signed_in::SignedIn;
use crate::app::App;
use crate::door::{Answer, ask};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::frame::{Done, InvitePage, NewInvite};
use protocol::http::{InviteToken, InviteView, NewInviteLink};
use protocol::{Command, Room};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed-in users ask for.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(accept))
}

/// Lists the invites that still work.
///
/// One's own; all of them for admins. Guests have none.
#[utoipa::path(get, operation_id = "list_invites", path = "/api/v1/invites", tag = "invites", responses((status = 200, body = InvitePage)))]
pub async fn list(State(app): State<Arc<App>>, SignedIn(caller): SignedIn) -> Result<Answer, Refusal> {
    Ok(ask(&app, &caller, Command::ListInvites {}).await?)
}

/// Makes an invite link.
///
/// To a room of one's own, or to the server alone. Its token is told this once.
#[utoipa::path(post, operation_id = "create_invite", path = "/api/v1/invites", tag = "invites", request_body = NewInviteLink,
    responses((status = 201, body = NewInvite)))]
pub async fn create(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Body(body): Body<NewInviteLink>,
) -> Result<(StatusCode, Answer), Refusal> {
    let NewInviteLink { room, uses, hours, nonce } = body;
    let nonce = nonce.map_or_else(new_nonce, Ok)?;
    let invite = ask(&app, &caller, Command::CreateInvite { room, uses, hours, nonce }).await?;
    Ok((StatusCode::CREATED, invite))
}

/// Stops an invite from working.
#[utoipa::path(delete, operation_id = "revoke_invite", path = "/api/v1/invites/{id}", tag = "invites", params(("id" = String, Path, description = "The invite's id.")),
    responses((status = 200, body = Done)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Answer, Refusal> {
    let invite = parsed(&id, "invite")?;
    Ok(ask(&app, &caller, Command::RevokeInvite { invite }).await?)
}

/// Says what an invite link is for.
///
/// To whoever holds it, signed in or not.
#[utoipa::path(post, operation_id = "view_invite", path = "/api/v1/invites/view", tag = "invites", request_body = InviteToken,
    responses((status = 200, body = InviteView)))]
pub async fn view(
    State(app): State<Arc<App>>,
    Body(body): Body<InviteToken>,
) -> Result<Json<InviteView>, Refusal> {
    Ok(Json(app.chat.view_invite(&body.token).await?))
}

/// Uses an invite link with an account that is there already.
///
/// Joins the link's room and answers with it, or with null for a link without a room.
#[utoipa::path(post, operation_id = "accept_invite", path = "/api/v1/invites/accept", tag = "invites", request_body = InviteToken,
    responses((status = 200, body = Option<Room>)))]
pub async fn accept(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Body(body): Body<InviteToken>,
) -> Result<Json<Option<Room>>, Refusal> {
    let room = app.chat.room_of_invite(Some(&caller), &body.token).await?;
    let chat = app.pacing.newcomer(&app.chat, room.filter(|_| !caller.user().guest)).await?;
    Ok(Json(chat.accept_invite(&caller, &body.token).await?))
}
