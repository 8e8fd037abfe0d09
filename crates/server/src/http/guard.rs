//! Keeps other people's pages from acting in our users' names (CSRF).

use super::error::Refusal;
use super::signed_in;
use crate::app::App;
use crate::doors::OriginVerdict;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::ErrorCode;
use std::sync::Arc;

/// Lets a request pass unless it would change something and a browser may have sent it for somebody else's page. A
/// bearer token is never sent by a browser on its own, so with one there is nothing to forge.
pub async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if safe || signed_in::bearer(request.headers()).is_some() {
        return next.run(request).await;
    }
    match app.doors.origin_is_ours(request.headers()) {
        OriginVerdict::Ours => next.run(request).await,
        OriginVerdict::Foreign => foreign(&app).into_response(),
        OriginVerdict::Absent => {
            let headers = request.headers();
            let cookie = signed_in::cookie(&app, headers).is_some();
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
