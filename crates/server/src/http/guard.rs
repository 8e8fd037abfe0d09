//! Turns requests away before they are served: those that another site's page sends in our user's name (CSRF), and those
//! of connections that are not served.

use super::error::Refusal;
use super::signed_in::{self, Peer};
use crate::app::App;
use crate::doors::{OriginVerdict, host};
use crate::seats::COME_BACK;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, LOCATION, UPGRADE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::ErrorCode;
use std::sync::Arc;

/// Why the requests of a connection are answered and not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// The connection speaks plain HTTP where TLS is spoken.
    Insecure,
    /// The server has as many connections as it may have.
    Crowded,
    /// The connection's address has as many as it may have.
    TooMany,
}

/// Lets a request pass, unless it would change something and a browser may have sent it for another site's page. No browser
/// sends a bearer token on its own, so a request with one is not forged.
pub async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if let Some(turned_away) = request.extensions().get::<TurnedAway>().copied() {
        let asks_after_us = ["/healthz", "/readyz"].contains(&request.uri().path());
        let mut response = match turned_away {
            // A full server is alive: a watchdog must not take it for dead and restart it.
            TurnedAway::Crowded | TurnedAway::TooMany if asks_after_us => next.run(request).await,
            TurnedAway::Insecure | TurnedAway::Crowded | TurnedAway::TooMany => {
                turned_away.answer(&app, &request)
            }
        };
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    let Peer(peer) = Peer::of(request.extensions());
    if is_counted(request.uri().path())
        && let Err(wait) = app.doors.try_request(request.headers(), peer)
    {
        let message = "Too many requests. Wait a moment and try again.";
        return Refusal::later(ErrorCode::RateLimited, message, wait).into_response();
    }
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if safe || signed_in::bearer(request.headers()).is_some() {
        return next.run(request).await;
    }
    match app.doors.origin_is_ours(request.headers(), peer) {
        OriginVerdict::Ours => next.run(request).await,
        OriginVerdict::Foreign => foreign(&app).into_response(),
        OriginVerdict::Absent => {
            let headers = request.headers();
            let cookie = signed_in::cookie(&app, headers, peer).is_some();
            match site(headers) {
                Some("same-origin" | "none") => next.run(request).await,
                Some(_) => foreign(&app).into_response(),
                None if cookie => Refusal::new(
                    ErrorCode::Forbidden,
                    "A request with the session cookie needs an Origin header. Scripts use a bearer token instead.",
                )
                .into_response(),
                None => next.run(request).await,
            }
        }
    }
}

/// Whether a request counts against the address's limit: it costs more than a file from memory.
fn is_counted(path: &str) -> bool {
    path.starts_with("/api/") || path == "/ws" || path.starts_with("/ws/")
}

impl TurnedAway {
    fn answer(self, app: &App, request: &Request) -> Response {
        match self {
            Self::Insecure => insecure(app, request),
            Self::Crowded => {
                let message = "The server has as many connections as it may have. Come back later.";
                Refusal::later(ErrorCode::Overloaded, message, COME_BACK).into_response()
            }
            Self::TooMany => Refusal::too_many_connections().into_response(),
        }
    }
}

/// The answer to plain HTTP where TLS is spoken: a browser is redirected, a program is told what to do.
fn insecure(app: &App, request: &Request) -> Response {
    let page = request.method() == Method::GET && !request.headers().contains_key(UPGRADE);
    let base = match &app.settings.public_url {
        Some(url) => Some(url.to_string()),
        None => host(request.headers()).map(|host| format!("https://{host}")),
    };
    let location = base.map(|base| format!("{base}{}", request.uri()));
    match location.and_then(|location| HeaderValue::try_from(location).ok()).filter(|_| page) {
        Some(location) => (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response(),
        None => {
            let message = "This port speaks TLS. Use https:// or wss://.";
            Refusal::new(ErrorCode::BadRequest, message).into_response()
        }
    }
}

fn foreign(app: &App) -> Refusal {
    let advice = match &app.settings.public_url {
        Some(url) => format!("This came from another site. Use {url}."),
        None => {
            "This came from another site. Behind a proxy, keep the Host header or set public_url.".to_owned()
        }
    };
    Refusal::new(ErrorCode::Forbidden, advice)
}

fn site(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or("cross-site"))
}
