//! From an HTTP request to a WebSocket: who may, and with which protocol (RFC 6455 §4.2).

use super::admission::Admission;
use super::{native, simple};
use crate::app::App;
use crate::doors::OriginVerdict;
use crate::http::error::Refusal;
use crate::http::parameters::{Asked, Path};
use crate::http::signed_in;
use crate::live::{NATIVE, SIMPLE, plain};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use chat::Caller;
use delivery::{ConnId, Deflate, Encoding, Malformed, Socket};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use protocol::simple::SimpleFrame;
use protocol::{CloseCode, ErrorCode, SUBPROTOCOL};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::server::TlsStream;

/// The WebSocket routes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/ws", get(open))
        .route("/ws/", get(open_nowhere))
        .route("/ws/{room}", get(open_in_room))
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    username: String,
}

async fn open(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let Ok(offered) = delivery::subprotocols(values(request.headers(), SEC_WEBSOCKET_PROTOCOL)) else {
        let message = "Sec-WebSocket-Protocol is no list of names.";
        return Refusal::new(ErrorCode::BadRequest, message).into_response();
    };
    if offered.is_empty() {
        return open_simple(app, peer, request, None).await;
    }
    if !offered.contains(&SUBPROTOCOL) {
        let message = format!("None of the subprotocols offered is known. Offer {SUBPROTOCOL}, or none.");
        return Refusal::new(ErrorCode::BadRequest, message).into_response();
    }
    open_native(app, peer, request).await
}

async fn open_in_room(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(room): Path<String>,
    Asked(entry): Asked<Entry>,
    request: Request,
) -> Response {
    open_simple(app, peer, request, Some((room, entry.username))).await
}

/// A path that names no room. It is refused as every name that no room can have.
async fn open_nowhere(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Asked(entry): Asked<Entry>,
    request: Request,
) -> Response {
    open_simple(app, peer, request, Some((String::new(), entry.username))).await
}

async fn open_native(app: Arc<App>, peer: SocketAddr, mut request: Request) -> Response {
    let caller = match native_caller(&app, request.headers(), peer).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    let admission = match Admission::of(&app, &request, peer, Some(caller.key())) {
        Ok(admission) => admission,
        Err(refusal) => return refusal.into_response(),
    };
    let Shaken { response, upgrading, deflate } = match shake_hands(&app, &mut request, Some(SUBPROTOCOL)) {
        Ok(shaken) => shaken,
        Err(refusal) => return refusal,
    };
    tokio::spawn(async move {
        let Some((socket, leftover)) = take_socket(upgrading).await else { return };
        let conn = app.delivery.reserve(spoken(NATIVE, deflate));
        let Some((_arrival, rooms)) = app.live.register(conn, caller.clone()).await else { return };
        let socket = admission.bound(socket);
        let connection = native::Connection::new(Arc::clone(&app), caller, conn, admission, rooms);
        let gateway = Arc::new(native::Native(Arc::clone(&connection)));
        app.delivery.attach(conn, socket, leftover, gateway);
        connection.greet().await;
    });
    response
}

/// The user of a native connection. A cookie counts only from our own pages: another site's page can make a browser send
/// the cookie (cross-site WebSocket hijacking), but it cannot forge `Origin`.
async fn native_caller(app: &App, headers: &HeaderMap, peer: SocketAddr) -> Result<Caller, Refusal> {
    let foreign = "This came from another site, which may not use this server's cookie.";
    let token = match (signed_in::bearer(headers), app.doors.origin_is_ours(headers, peer)) {
        (Some(token), _) => token.to_owned(),
        (None, OriginVerdict::Ours) => {
            signed_in::cookie(app, headers, peer).ok_or_else(Refusal::unauthenticated)?
        }
        (None, OriginVerdict::Absent) => return Err(Refusal::unauthenticated()),
        (None, OriginVerdict::Foreign) => return Err(Refusal::new(ErrorCode::Forbidden, foreign)),
    };
    app.chat.session(&token).await?.ok_or_else(Refusal::unauthenticated)
}

async fn open_simple(
    app: Arc<App>,
    peer: SocketAddr,
    mut request: Request,
    entry: Option<(String, String)>,
) -> Response {
    let visitor = simple_visitor(&app, peer, &mut request).await;
    let user = visitor.as_ref().ok().and_then(Option::as_ref).map(Caller::key);
    let admission = match Admission::of(&app, &request, peer, user) {
        Ok(admission) => admission,
        Err(refusal) => return refusal.into_response(),
    };
    let Shaken { response, upgrading, deflate } = match shake_hands(&app, &mut request, None) {
        Ok(shaken) => shaken,
        Err(refusal) => return refusal,
    };
    tokio::spawn(async move {
        let Some((socket, leftover)) = take_socket(upgrading).await else { return };
        let socket = admission.bound(socket);
        let conn = app.delivery.reserve(spoken(SIMPLE, deflate));
        match visitor {
            Ok(caller) => {
                app.live.visit(conn, caller.clone());
                let connection = simple::Connection::new(Arc::clone(&app), conn, admission, caller.clone());
                let (now, attached) = oneshot::channel();
                if let Some((room, username)) = entry {
                    connection.join_first(room, username, attached);
                }
                app.delivery.attach(conn, socket, leftover, Arc::new(simple::Simple(connection)));
                still_signed_in(&app, conn, caller.as_ref()).await;
                // Without a room in the path nothing waits for this.
                let _ = now.send(());
            }
            Err(message) => {
                // A browser cannot read the answer to an upgrade, so the refusal is told inside.
                let refused = Arc::new(simple::Refused { _admission: admission });
                app.delivery.attach(conn, socket, leftover, refused);
                app.delivery.unicast(conn, plain(&SimpleFrame::Error { message: message.to_owned() }));
                app.delivery.close(conn, CloseCode::NotAllowed.number(), "not allowed");
            }
        }
    });
    response
}

/// Closes a connection whose session ended while the connection was opened: `live` did not know the connection yet, and
/// so could not close it.
async fn still_signed_in(app: &App, conn: ConnId, caller: Option<&Caller>) {
    let Some(caller) = caller else { return };
    match app.chat.is_signed_in(caller).await {
        Ok(true) => {}
        Ok(false) => app.delivery.close(conn, CloseCode::SessionEnded.number(), "session ended"),
        Err(error) => {
            tracing::error!(%error, "a session could not be read");
            app.delivery.close(conn, CloseCode::Lagging.number(), "try again");
        }
    }
}

/// The user of the token that a simple connection comes with; none for a connection without a token, where guests are
/// admitted. The simple protocol ignores cookies.
async fn simple_visitor(
    app: &App,
    peer: SocketAddr,
    request: &mut Request,
) -> Result<Option<Caller>, &'static str> {
    if let Some(token) = signed_in::bearer(request.headers()) {
        return match app.chat.session(token).await {
            Ok(Some(caller)) => Ok(Some(caller)),
            Ok(None) => Err("this token is not valid (any more)"),
            Err(error) => {
                tracing::error!(%error, "a session could not be read");
                Err("the server cannot check this token right now")
            }
        };
    }
    if app.doors.admits_guest(request.headers(), peer) {
        Ok(None)
    } else if app.doors.origin_is_ours(request.headers(), peer) == OriginVerdict::Foreign {
        Err("this came from another site, which may not come in here")
    } else {
        Err("guests are not admitted here: use a token, or ask the operator to set guests = \"on\"")
    }
}

/// A handshake that was answered.
struct Shaken {
    response: Response,
    upgrading: OnUpgrade,
    /// Compression, if both sides want it.
    deflate: Option<Deflate>,
}

/// The encoding in which delivery sends to a client of `protocol`.
fn spoken(protocol: Encoding, deflate: Option<Deflate>) -> Encoding {
    if deflate.is_some() { protocol.deflated() } else { protocol }
}

/// Answers an opening handshake. Nothing of the request is kept: its header values would pin the read buffer for as
/// long as the connection lives.
#[expect(clippy::result_large_err, reason = "the refusal is the response itself")]
fn shake_hands(app: &App, request: &mut Request, protocol: Option<&'static str>) -> Result<Shaken, Response> {
    let headers = request.headers();
    let wants = holds(headers.get(CONNECTION), "upgrade") && holds(headers.get(UPGRADE), "websocket");
    if !wants {
        return Err(upgrade_required("This is a WebSocket address.", (UPGRADE, "websocket")));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(upgrade_required("Speak WebSocket version 13.", (SEC_WEBSOCKET_VERSION, "13")));
    }
    // The header must not be there twice (RFC 6455 §11.3.1).
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).into_iter();
    let key = keys.next().filter(|_| keys.next().is_none()).and_then(|key| key.to_str().ok());
    let accept = key.and_then(delivery::accept_key).and_then(|accept| HeaderValue::try_from(accept).ok());
    let Some(accept) = accept else {
        let message = "Sec-WebSocket-Key is missing, wrong or there twice.";
        return Err(Refusal::new(ErrorCode::BadRequest, message).into_response());
    };
    let Ok(deflate) = negotiate(app, headers) else {
        let message = "Sec-WebSocket-Extensions is no list of offers.";
        return Err(Refusal::new(ErrorCode::BadRequest, message).into_response());
    };
    let Some(upgrading) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(upgrade_required("Use HTTP/1.1 to open a WebSocket.", (UPGRADE, "websocket")));
    };
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let answer = response.headers_mut();
    answer.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        answer.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    if let Some(deflate) = deflate {
        answer.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(deflate.answer()));
    }
    Ok(Shaken { response, upgrading, deflate })
}

/// The compression to agree on, unless the operator wants none.
fn negotiate(app: &App, headers: &HeaderMap) -> Result<Option<Deflate>, Malformed> {
    let offered = Deflate::negotiate(values(headers, SEC_WEBSOCKET_EXTENSIONS))?;
    Ok(offered.filter(|_| app.settings.compression))
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

fn upgrade_required(message: &str, says_how: (HeaderName, &'static str)) -> Response {
    let refusal = Refusal::new(ErrorCode::BadRequest, message).with(StatusCode::UPGRADE_REQUIRED);
    ([says_how], refusal).into_response()
}

fn holds(value: Option<&HeaderValue>, word: &str) -> bool {
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
}

/// The bare socket under an upgraded connection, its TLS if there is any, and what was read behind the request.
async fn take_socket(upgrading: OnUpgrade) -> Option<(Socket, Bytes)> {
    let upgraded = match upgrading.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "a handshake was not finished");
            return None;
        }
    };
    match taken_apart(upgraded) {
        Ok(taken) => taken,
        Err(error) => {
            tracing::debug!(%error, "an upgraded socket was lost");
            None
        }
    }
}

fn taken_apart(upgraded: Upgraded) -> std::io::Result<Option<(Socket, Bytes)>> {
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(plain) => return Ok(Some((plain.io.into_inner().into_std()?.into(), plain.read_buf))),
        Err(upgraded) => upgraded,
    };
    let Ok(encrypted) = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>() else {
        tracing::error!("an upgraded connection is neither TCP nor TLS");
        return Ok(None);
    };
    let (stream, session) = encrypted.io.into_inner().into_inner();
    Ok(Some((Socket::from(stream.into_std()?).over_tls(session), encrypted.read_buf)))
}
