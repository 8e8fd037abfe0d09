//! Rooms.

use super::body::Body;
use super::error::Refusal;
use super::messages::new_nonce;
use super::parameters::{Asked, Cursor};
use super::signed_in::{MaybeSignedIn, Peer, SignedIn};
use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use protocol::Room;
use protocol::frame::RoomPage;
use protocol::http::NewRoom;
use protocol::simple::SimpleRooms;
use std::sync::Arc;

/// Lists one's own rooms and the open ones.
///
/// The own ones on the first page only.
#[utoipa::path(get, operation_id = "list_rooms", path = "/api/v1/rooms", tag = "rooms", params(Cursor), responses((status = 200, body = RoomPage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Asked(asked): Asked<Cursor>,
) -> Result<Json<RoomPage>, Refusal> {
    Ok(Json(app.chat.list_rooms(&caller, asked.cursor.as_deref()).await?))
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
) -> Result<(StatusCode, Json<Room>), Refusal> {
    let nonce = body.nonce.map_or_else(new_nonce, Ok)?;
    let guests_may = app.settings.guests_open_rooms;
    let room = app.chat.open_room(&caller, &body.name, body.kind, nonce, guests_may).await?;
    Ok((StatusCode::CREATED, Json(room)))
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
