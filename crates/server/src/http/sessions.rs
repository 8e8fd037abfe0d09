//! Sessions: signing in and out, coming in as a guest, setting up.

use super::body::Body;
use super::error::Refusal;
use super::signed_in::{self, Attempt, MaybeSignedIn, Peer};
use crate::app::App;
use crate::doors::Doors;
use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chat::{Caller, NewSession};
use protocol::ErrorCode;
use protocol::frame::Done;
use protocol::http::{ComeIn, Session, SetUp, SignIn, SignedIn};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Says who is signed in and what the front door offers.
///
/// Answers 200 also when nobody is signed in.
#[utoipa::path(get, operation_id = "get_session", path = "/api/v1/session", tag = "sessions", responses((status = 200, body = Session)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    MaybeSignedIn(caller): MaybeSignedIn,
) -> Result<Json<Session>, Refusal> {
    Ok(Json(describe(&app, caller.as_ref(), &headers, peer).await?))
}

/// Signs in.
///
/// Sets a cookie, or answers with a bearer token when `token` is true.
#[utoipa::path(post, operation_id = "sign_in", path = "/api/v1/session", tag = "sessions", request_body = SignIn,
    responses((status = 200, body = SignedIn)))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    Attempt(address): Attempt,
    Body(body): Body<SignIn>,
) -> Result<Response, Refusal> {
    let session =
        app.chat.sign_in(&body.name, &body.password).await.inspect_err(|error| refused(address, error))?;
    Ok(let_in(&app, &session, address, body.token, StatusCode::OK))
}

/// Signs out.
///
/// Ends the session; its connections close. Without a session it does nothing.
#[utoipa::path(delete, operation_id = "sign_out", path = "/api/v1/session", tag = "sessions", responses((status = 200, body = Done)))]
pub async fn sign_out(
    State(app): State<Arc<App>>,
    MaybeSignedIn(caller): MaybeSignedIn,
) -> Result<Response, Refusal> {
    if let Some(caller) = caller {
        app.chat.sign_out(&caller).await?;
        tracing::info!(user = %caller.user().id, "signed out");
    }
    Ok(with_cookie(Json(Done {}).into_response(), signed_in::clear_cookie(&app.settings)))
}

/// Comes in as a guest.
///
/// Under a name that nobody owns, where guests are admitted.
#[utoipa::path(post, operation_id = "come_in", path = "/api/v1/guests", tag = "sessions", request_body = ComeIn,
    responses((status = 201, body = SignedIn)))]
pub async fn come_in(
    State(app): State<Arc<App>>,
    Peer(peer): Peer,
    headers: HeaderMap,
    Attempt(address): Attempt,
    Body(body): Body<ComeIn>,
) -> Result<Response, Refusal> {
    must_admit_guest(&app.doors, &headers, peer)?;
    // Visitors of the simple protocol have no row in the database until they say something.
    if app.live.is_name_here(chat::fold(&body.name)).await {
        return Err(chat::Error::NameTaken(body.name).into());
    }
    let chat = app.pacing.newcomer(&app.chat, app.chat.lobby().await?).await?;
    let session = chat.come_in(&body.name).await.inspect_err(|error| refused(address, error))?;
    Ok(let_in(&app, &session, address, body.token, StatusCode::CREATED))
}

/// Makes the first owner.
///
/// With the token of the link that the server printed when it started. Works once.
#[utoipa::path(post, operation_id = "set_up", path = "/api/v1/setup", tag = "sessions", request_body = SetUp,
    responses((status = 201, body = SignedIn)))]
pub async fn set_up(
    State(app): State<Arc<App>>,
    Attempt(address): Attempt,
    Body(body): Body<SetUp>,
) -> Result<Response, Refusal> {
    if !app.setup.fits(&body.token, app.chat.now()) {
        tracing::info!(%address, "a setup link was refused");
        let message = "This setup link does not work any more. Restart the server for a new one.";
        return Err(Refusal::new(ErrorCode::LinkSpent, message));
    }
    let session = app.chat.set_up(&body.name, &body.password).await.inspect_err(|error| {
        refused(address, error);
        if matches!(error, chat::Error::LinkSpent) {
            app.setup.spend();
        }
    })?;
    app.setup.spend();
    tracing::info!(%address, user = %session.caller.user().id, "the owner was made");
    Ok(let_in(&app, &session, address, false, StatusCode::CREATED))
}

/// Who is signed in, and what the front door offers to a client that sends these headers.
pub async fn describe(
    app: &App,
    caller: Option<&Caller>,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Session, Refusal> {
    Ok(Session {
        user: caller.map(|caller| caller.user().clone()),
        role: caller.map(Caller::role),
        session: caller.and_then(Caller::session),
        guests: app.doors.admits_guest(headers, peer),
        // The operator may have made an owner beside the running server.
        setup: app.setup.waits() && app.chat.waits_for_owner().await?,
        name: app.settings.name.clone(),
        build: app.settings.build.to_owned(),
        limits: app.limits(),
    })
}

/// The answer to a client that got in: it has a bearer token, if it asked for one, and otherwise a cookie.
pub fn let_in(app: &App, session: &NewSession, address: IpAddr, token: bool, status: StatusCode) -> Response {
    let caller = &session.caller;
    tracing::info!(%address, user = %caller.user().id, role = ?caller.role(), "signed in");
    let told = token.then(|| session.token.reveal().to_owned());
    let body = SignedIn { user: caller.user().clone(), role: caller.role(), token: told };
    let cookie = if token { None } else { signed_in::set_cookie(&app.settings, &session.token) };
    with_cookie((status, Json(body)).into_response(), cookie)
}

/// Notes why somebody did not get in. The name is not logged, since people type passwords into the wrong field.
pub fn refused(address: IpAddr, error: &chat::Error) {
    tracing::info!(%address, code = ?error.wire().code, "not let in");
}

fn must_admit_guest(doors: &Doors, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Refusal> {
    if doors.admits_guest(headers, peer) {
        return Ok(());
    }
    let message = "Guests are not admitted here. Sign in, ask for an invite, or set guests = \"on\" if this is your server.";
    Err(Refusal::new(ErrorCode::Forbidden, message))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
