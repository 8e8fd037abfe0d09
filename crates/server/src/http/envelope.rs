//! What every answer has in common: an id, security headers, a line in the log, and the body of a refusal.

use crate::app::App;
use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::Error;
use protocol::http::ErrorBody;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, runs it, and finishes its answer.
pub async fn wrap(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    // The span has the level of errors: so the id stands in the lines of errors, too, however little else is logged.
    let span = tracing::error_span!("request", id);
    async move {
        let started = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let address = app.doors.client_address(request.headers(), peer);
        let response = finish(next.run(request).await, &id);
        let status = response.status().as_u16();
        let ms = started.elapsed().as_secs_f32() * 1_000.0;
        tracing::debug!(%method, path, status, ms, %address, "answered");
        response
    }
    .instrument(span)
    .await
}

fn finish(mut response: Response, id: &str) -> Response {
    if let Some(error) = response.extensions_mut().remove::<Error>() {
        let body = Json(ErrorBody { error, request_id: id.to_owned() }).into_response();
        let (mut parts, _) = response.into_parts();
        let (said, body) = body.into_parts();
        parts.headers.extend(said.headers);
        response = Response::from_parts(parts, body);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    // An answer that says nothing about caching may be meant for one user alone.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
