//! Messages, and the log they are part of.

use super::body::Body;
use super::error::Refusal;
use super::parameters::{Asked, Path, parsed, room};
use super::signed_in::SignedIn;
use crate::app::App;
use crate::door::{Answer, ask};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use protocol::frame::{EventPage, MessagePage, Posted, Revised};
use protocol::http::{NewMessage, NewText};
use protocol::{Command, ErrorCode, NewReaction, Nonce, Reaction};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// What signed-in users ask for.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, post))
        .routes(routes!(edit, delete))
        .routes(routes!(events))
        .routes(routes!(react))
}

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Which messages: the newest, unless one of the places is given.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Those with a smaller `seq`.
    before: Option<u64>,
    /// Those with a greater `seq`.
    after: Option<u64>,
    /// Those on both sides of this `seq`, it included.
    around: Option<u64>,
    /// How many at most; 50 when left out.
    limit: Option<u32>,
}

/// From where on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Since {
    /// Those with a greater `seq`; all when left out.
    #[serde(default)]
    after: u64,
}

/// Lists messages of a room.
///
/// Oldest first. Without a place: the newest.
#[utoipa::path(get, operation_id = "list_messages", path = "/api/v1/rooms/{room}/messages", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."), Wanted),
    responses((status = 200, body = MessagePage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(named): Path<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Answer, Refusal> {
    let Wanted { before, after, around, limit } = wanted;
    let room = room(&app, &caller, &named).await?;
    Ok(ask(&app, &caller, Command::ListMessages { room, before, after, around, limit }).await?)
}

/// Posts a message.
///
/// Answered once it is on the disk. The same nonce (in the body, or as `Idempotency-Key`) and text again give the
/// same answer and post nothing.
#[utoipa::path(post, operation_id = "post_message", path = "/api/v1/rooms/{room}/messages", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."),
        ("Idempotency-Key" = Option<String>, Header, description = "The nonce, when it does not stand in the body.")),
    request_body = NewMessage, responses((status = 201, body = Posted)))]
pub async fn post(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(named): Path<String>,
    headers: HeaderMap,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Answer), Refusal> {
    let NewMessage { body, nonce } = new;
    let nonce = nonce_in(&headers, nonce)?;
    let room = room(&app, &caller, &named).await?;
    let posted = ask(&app, &caller, Command::PostMessage { room, body, nonce }).await?;
    Ok((StatusCode::CREATED, posted))
}

/// Replaces the text of one's own message.
#[utoipa::path(patch, operation_id = "edit_message", path = "/api/v1/rooms/{room}/messages/{seq}", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."),
        ("seq" = u64, Path, description = "The message's place in the room.")),
    request_body = NewText, responses((status = 200, body = Revised)))]
pub async fn edit(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path((named, seq)): Path<(String, String)>,
    Body(body): Body<NewText>,
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    let seq = parsed(&seq, "message")?;
    Ok(ask(&app, &caller, Command::EditMessage { room, seq, text: body.text }).await?)
}

/// Takes the text of a message away for everyone.
#[utoipa::path(delete, operation_id = "delete_message", path = "/api/v1/rooms/{room}/messages/{seq}", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."),
        ("seq" = u64, Path, description = "The message's place in the room.")),
    responses((status = 200, body = Revised)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path((named, seq)): Path<(String, String)>,
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    let seq = parsed(&seq, "message")?;
    Ok(ask(&app, &caller, Command::DeleteMessage { room, seq }).await?)
}

/// Reacts to a message, or takes the reaction back.
///
/// One for each person and emoji; `on` says whether it is there from now on.
#[utoipa::path(post, operation_id = "react", path = "/api/v1/rooms/{room}/messages/{seq}/reactions", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."),
        ("seq" = u64, Path, description = "The message's place in the room.")),
    request_body = NewReaction, responses((status = 200, body = Reaction)))]
pub async fn react(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path((named, seq)): Path<(String, String)>,
    Body(reaction): Body<NewReaction>,
) -> Result<Answer, Refusal> {
    let room = room(&app, &caller, &named).await?;
    let seq = parsed(&seq, "message")?;
    Ok(ask(&app, &caller, Command::React { room, seq, reaction }).await?)
}

/// Lists events of a room, in order and without holes.
///
/// With the texts as they stand now. `more` says whether to ask again after the last.
#[utoipa::path(get, operation_id = "list_events", path = "/api/v1/rooms/{room}/events", tag = "messages",
    params(("room" = String, Path, description = "The room's id, or the name of an open room."), Since),
    responses((status = 200, body = EventPage)))]
pub async fn events(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Path(named): Path<String>,
    Asked(since): Asked<Since>,
) -> Result<Json<EventPage>, Refusal> {
    let room = room(&app, &caller, &named).await?;
    Ok(Json(app.chat.events(caller.key(), room, since.after).await?))
}

/// A nonce for a request without one. A retry of such a request creates something new.
pub fn new_nonce() -> Result<Nonce, Refusal> {
    nonce_of(&Uuid::now_v7().to_string())
}

fn nonce_in(headers: &HeaderMap, body: Option<Nonce>) -> Result<Nonce, Refusal> {
    let header =
        headers.get(IDEMPOTENCY_KEY).map(|value| nonce_of(value.to_str().unwrap_or_default())).transpose()?;
    match (body, header) {
        (Some(body), Some(header)) if body != header => {
            let message = "Idempotency-Key and the nonce in the body differ. Send one of them.";
            Err(Refusal::new(ErrorCode::BadRequest, message))
        }
        (Some(nonce), _) | (None, Some(nonce)) => Ok(nonce),
        (None, None) => new_nonce(),
    }
}

fn nonce_of(text: &str) -> Result<Nonce, Refusal> {
    Nonce::new(text)
        .map_err(|error| Refusal::new(ErrorCode::BadRequest, format!("Idempotency-Key: {error}.")))
}
