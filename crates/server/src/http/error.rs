//! Refusals over HTTP: which status an error has, and how it leaves.

use crate::refusal::refusal;
use crate::seats::COME_BACK;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::{Error, ErrorCode};
use serde_json::Map;
use std::time::Duration;

/// What handlers answer when they do not do what was asked. The body is written by [`super::envelope`], which knows
/// the request's id.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: Box<Error>,
}

impl Refusal {
    /// A refusal with the status of its code. `message` says what happened and what to do.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error { code, params: Map::new(), message: message.into(), retry_after_ms: None }.into()
    }

    /// Not there, or not yours.
    pub fn not_found(what: &'static str) -> Self {
        chat::Error::NotFound(what).into()
    }

    /// Nobody is signed in, or no longer.
    pub fn unauthenticated() -> Self {
        Self::new(
            ErrorCode::Unauthenticated,
            "Nobody is signed in. Sign in, or send a bearer token that still works.",
        )
    }

    /// Too many attempts.
    pub fn rate_limited(wait: Duration) -> Self {
        Self::later(ErrorCode::RateLimited, "Too many attempts. Wait a moment and try again.", wait)
    }

    /// Not now: come back after `wait`.
    pub fn later(code: ErrorCode, message: &str, wait: Duration) -> Self {
        let mut refusal = Self::new(code, message);
        refusal.error.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
        refusal
    }

    /// An address or a user has as many connections as it may have.
    pub fn too_many_connections() -> Self {
        let message = "Too many connections are open already. Close some, or come back later.";
        Self::later(ErrorCode::RateLimited, message, COME_BACK)
    }

    /// The path is known, the method is not.
    pub fn method_not_allowed() -> Self {
        Self::new(
            ErrorCode::BadRequest,
            "This path does not know this method. The Allow header says which it knows.",
        )
        .with(StatusCode::METHOD_NOT_ALLOWED)
    }

    /// The same refusal with another status than that of its code.
    #[must_use]
    pub fn with(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { status: status(error.code), error: Box::new(error) }
    }
}

impl From<chat::Error> for Refusal {
    fn from(error: chat::Error) -> Self {
        refusal(&error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(wait) = self.error.retry_after_ms {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.div_ceil(1000)));
        }
        response.extensions_mut().insert(*self.error);
        response
    }
}

const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadRequest | ErrorCode::UnknownCommand => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated | ErrorCode::BadCredentials => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Conflict | ErrorCode::NameTaken => StatusCode::CONFLICT,
        ErrorCode::LinkSpent => StatusCode::GONE,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::RateLimited | ErrorCode::SlowDown => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Overloaded | ErrorCode::Unknown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
