//! Who sends a request: found by bearer token, else by cookie.

use super::error::Refusal;
use crate::app::{App, Settings};
use crate::doors::OriginVerdict;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue};
use chat::{Caller, Token};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How long browsers keep the cookie: the longest they allow. The server decides when the session ends.
const COOKIE_SECONDS: u32 = 400 * 24 * 60 * 60;

/// The user who sends a request. Where nobody is signed in, the request is answered 401.
pub struct SignedIn(pub Caller);

/// The user who sends a request, if anybody is signed in.
pub struct MaybeSignedIn(pub Option<Caller>);

/// An attempt to get in: counted, and refused beyond the limit. Holds the client's address.
pub struct Attempt(pub IpAddr);

impl FromRequestParts<Arc<App>> for MaybeSignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let token = match bearer(&parts.headers) {
            Some(token) => Some(token.to_owned()),
            None => cookie(app, &parts.headers, Peer::of(&parts.extensions).0),
        };
        let Some(token) = token else { return Ok(Self(None)) };
        Ok(Self(app.chat.session(&token).await?))
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let MaybeSignedIn(caller) = MaybeSignedIn::from_request_parts(parts, app).await?;
        caller.map(Self).ok_or_else(Refusal::unauthenticated)
    }
}

impl FromRequestParts<Arc<App>> for Attempt {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let Peer(peer) = Peer::of(&parts.extensions);
        let address = app.doors.client_address(&parts.headers, peer);
        app.doors.try_door(&parts.headers, peer).map_err(|wait| {
            tracing::info!(%address, "too many attempts to get in");
            Refusal::rate_limited(wait)
        })?;
        Ok(Self(address))
    }
}

/// The other end of the connection.
pub struct Peer(pub SocketAddr);

impl Peer {
    /// As the listener noted it.
    pub fn of(extensions: &Extensions) -> Self {
        let known = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        // Every listener notes the peer. If one did not, this address would at least pass for none at this machine.
        Self(known.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0))))
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The token in `Authorization: Bearer …`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token in our cookie. None when the request says it comes from somebody else's page.
pub fn cookie(app: &App, headers: &HeaderMap, peer: SocketAddr) -> Option<String> {
    if app.doors.origin_is_ours(headers, peer) == OriginVerdict::Foreign {
        return None;
    }
    read_cookie(headers, cookie_name(&app.settings)).map(str::to_owned)
}

/// The value of a cookie.
pub fn read_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The `Set-Cookie` that signs a browser in.
pub fn set_cookie(settings: &Settings, token: &Token) -> Option<HeaderValue> {
    cookie_header(settings, token.reveal(), COOKIE_SECONDS)
}

/// The `Set-Cookie` that signs a browser out.
pub fn clear_cookie(settings: &Settings) -> Option<HeaderValue> {
    cookie_header(settings, "", 0)
}

fn cookie_header(settings: &Settings, value: &str, seconds: u32) -> Option<HeaderValue> {
    let (name, secure) = (cookie_name(settings), if settings.is_secure() { "; Secure" } else { "" });
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

/// The cookie's name. Browsers take a cookie named `__Host-…` only from this very host and by https, so that no other host
/// of the domain can plant one.
fn cookie_name(settings: &Settings) -> &'static str {
    if settings.is_secure() { "__Host-roomful" } else { "roomful" }
}
