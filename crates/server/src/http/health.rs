//! Whether the server lives and is ready, for programs that watch it from outside.

use super::error::Refusal;
use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chat::Checked;
use protocol::ErrorCode;
use protocol::frame::Done;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Says that the server lives.
#[utoipa::path(get, operation_id = "is_live", path = "/healthz", tag = "health", responses((status = 200, body = Done)))]
pub async fn live() -> Json<Done> {
    Json(Done {})
}

/// Says that the server takes requests and can write its database.
///
/// 503 while the server stops, while its disk is full, once its disk has failed, and once its database was found damaged.
/// The message says which.
#[utoipa::path(get, operation_id = "is_ready", path = "/readyz", tag = "health", responses((status = 200, body = Done)))]
pub async fn ready(State(app): State<Arc<App>>) -> Result<Json<Done>, Refusal> {
    if app.draining.load(Ordering::Acquire) {
        return Err(Refusal::new(
            ErrorCode::Overloaded,
            "The server is stopping. Ask another one, or come back.",
        ));
    }
    app.chat.is_writable().await?;
    if let Checked::Damaged(_) = &*app.chat.checked().borrow() {
        let message = "The database is damaged. The server's log says where; restore a backup.";
        return Err(Refusal::new(ErrorCode::Internal, message).with(StatusCode::SERVICE_UNAVAILABLE));
    }
    Ok(Json(Done {}))
}
