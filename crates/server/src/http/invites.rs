//! Invite links.

use super::body::Body;
use super::error::Refusal;
use super::messages::new_nonce;
use super::parameters::{Path, parsed};
use super::signed_in::SignedIn;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::Room;
use protocol::frame::{Done, InvitePage, NewInvite};
use protocol::http::{InviteToken, InviteView, NewInviteLink};
use std::sync::Arc;

/// Lists the invites that still work.
///
/// One's own; all of them for admins. Guests have none.
#[utoipa::path(get, operation_id = "list_invites", path = "/api/v1/invites", tag = "invites", responses((status = 200, body = InvitePage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
) -> Result<Json<InvitePage>, Refusal> {
    Ok(Json(app.chat.list_invites(&caller).await?))
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
) -> Result<(StatusCode, Json<NewInvite>), Refusal> {
    let nonce = body.nonce.map_or_else(new_nonce, Ok)?;
    let invite = app.chat.create_invite(&caller, body.room, body.uses, body.hours, nonce).await?;
    Ok((StatusCode::CREATED, Json(invite)))
}

/// Stops an invite from working.
#[utoipa::path(delete, operation_id = "revoke_invite", path = "/api/v1/invites/{id}", tag = "invites", params(("id" = String, Path, description = "The invite's id.")),
    responses((status = 200, body = Done)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Done>, Refusal> {
    app.chat.revoke_invite(&caller, parsed(&id, "invite")?).await?;
    Ok(Json(Done {}))
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
