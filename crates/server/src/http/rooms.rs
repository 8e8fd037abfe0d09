//! Rooms.

use super::body::Body;
use super::error::Refusal;
use super::messages::new_nonce;
use super::parameters::{Asked, PageToken};
use super::signed_in::{MaybeSignedIn, Peer, SignedIn};
use crate::app::App;
use crate::door::{Answer, ask};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use protocol::frame::RoomPage;
use protocol::http::NewRoom;
use protocol::simple::SimpleRooms;
use protocol::{Command, Room};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed-in users ask for.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, open))
}

/// Lists one's own rooms and the open ones.
///
/// The own ones on the first page only.
#[utoipa::path(get, operation_id = "list_rooms", path = "/api/v1/rooms", tag = "rooms", params(PageToken), responses((status = 200, body = RoomPage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Asked(asked): Asked<PageToken>,
) -> Result<Answer, Refusal> {
    Ok(ask(&app, &caller, Command::ListRooms { cursor: asked.cursor }).await?)
}

/// Opens a room.
///
/// The same nonce again gives the same room.
#[utoipa::path(post, operation_id = "open_room", path = "/api/v1/rooms", tag = "rooms", request_body = NewRoom,
    responses((status = 201, body = Room)))]
pub async fn open(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Body(body): Body<NewRoom>,
) -> Result<(StatusCode, Answer), Refusal> {
    let NewRoom { name, kind, nonce } = body;
    let nonce = nonce.map_or_else(new_nonce, Ok)?;
    let room = ask(&app, &caller, Command::OpenRoom { name, kind, nonce }).await?;
    Ok((StatusCode::CREATED, room))
}

/// Lists open rooms with somebody connected, and who that is.
///
/// Part of the simple protocol: for whoever is signed in or may come in as a guest.
#[utoipa::path(get, operation_id = "list_rooms_with_people", path = "/api/rooms", tag = "simple", responses((status = 200, body = SimpleRooms)))]
pub async fn simple(
    State(app): State<Arc<App>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    MaybeSignedIn(caller): MaybeSignedIn,
) -> Result<Json<SimpleRooms>, Refusal> {
    if caller.is_none() && !app.doors.admits_guest(&headers, peer) {
        return Err(Refusal::unauthenticated());
    }
    Ok(Json(app.live.simple_rooms().await))
}
