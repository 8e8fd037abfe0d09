//! How far somebody has read.

use super::body::Body;
use super::error::Refusal;
use super::parameters::{Path, room};
use super::signed_in::SignedIn;
use crate::app::App;
use crate::door::{Answer, ask};
use axum::extract::State;
use protocol::http::ReadTo;
use protocol::{Command, ReadMark};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed-in users ask for.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(mark))
}

/// Notes how far one has read.
///
/// Marks only move forward; the answer says where it stands.
#[utoipa::path(put, operation_id = "mark_read", path = "/api/v1/rooms/{room}/read", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room.")),
    request_body = ReadTo, responses((status = 200, body = ReadMark)))]
pub async fn mark(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(named): Path<String>,
    Body(body): Body<ReadTo>,
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    Ok(ask(&app, &caller, Command::MarkRead { room, seq: body.seq }).await?)
}
