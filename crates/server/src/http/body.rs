//! JSON bodies, in and out.

use super::error::Refusal;
use crate::app::{App, FRAME_BYTES};
use crate::complaint::complaint;
use axum::body::{self, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use protocol::ErrorCode;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Of a body that is too large, so much more is read and dropped: a client reads the refusal only once it has sent all.
const DROPPED: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// After how long a client whose body was too slow may try again.
const AGAIN: Duration = Duration::from_secs(1);
const CONTINUE: &[u8] = b"100-continue";

/// A JSON body, read as a `T`. Unknown fields are ignored.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Refusal> {
        let is_json = is_json(&request);
        if expects_refusal(&request) {
            return Err(too_large().into());
        }
        let bytes = read_in_time(request.into_body(), PATIENCE).await?;
        if !is_json {
            let message =
                "The body must be JSON. Send the header Content-Type: application/json (curl: --json).";
            return Err(Refusal::new(ErrorCode::BadRequest, message).with(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let complaint = complaint(&error);
            Refusal::new(ErrorCode::BadRequest, format!("The body is not what this path takes: {complaint}."))
        })
    }
}

/// Whether the request says that its body is JSON. A browser asks the server before it lets another site's page send this
/// content type, and the server never allows it.
fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Whether the client waits to hear that its body is too large before it sends it (RFC 9110 §10.1.1).
fn expects_refusal(request: &Request) -> bool {
    let waits =
        request.headers().get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(CONTINUE));
    waits && request.body().size_hint().lower() > u64::from(FRAME_BYTES)
}

async fn read_in_time(body: body::Body, patience: Duration) -> Result<Vec<u8>, Refusal> {
    tokio::time::timeout(patience, read(body)).await.unwrap_or_else(|_| {
        let message = "The body did not arrive in time. Send it again.";
        Err(Refusal::later(ErrorCode::Overloaded, message, AGAIN).with(StatusCode::REQUEST_TIMEOUT))
    })
}

async fn read(mut body: body::Body) -> Result<Vec<u8>, Refusal> {
    let most = FRAME_BYTES as usize;
    let (mut bytes, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::new(ErrorCode::BadRequest, "The body broke off."))?;
        let Some(part) = frame.data_ref() else { continue };
        seen += part.len();
        if seen <= most {
            bytes.extend_from_slice(part);
        } else if seen > most + DROPPED {
            break;
        }
    }
    if seen > most {
        return Err(too_large().into());
    }
    Ok(bytes)
}

fn too_large() -> protocol::Error {
    let params = serde_json::Map::from_iter([("max".to_owned(), FRAME_BYTES.into())]);
    let message = format!("A body holds up to {FRAME_BYTES} bytes. Send less at once.");
    protocol::Error { code: ErrorCode::TooLarge, params, message, retry_after_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;
    use axum::response::IntoResponse;
    use bytes::Bytes;
    use http_body_util::Full;
    use std::convert::Infallible;

    #[tokio::test]
    async fn whoever_is_too_slow_with_a_body_is_told_to_come_back() {
        let end = std::future::pending::<Option<Result<HeaderMap, Infallible>>>();
        let endless = Full::new(Bytes::from_static(b"{")).with_trailers(end);
        let read = read_in_time(body::Body::new(endless), Duration::ZERO).await;
        let answer = read.map(drop).into_response();
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        let error =
            answer.extensions().get::<protocol::Error>().map(|error| (error.code, error.retry_after_ms));
        assert_eq!(error, Some((ErrorCode::Overloaded, Some(1_000))));
    }
}
