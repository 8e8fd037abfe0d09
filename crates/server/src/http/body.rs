//! JSON bodies, in and out.

use super::error::Refusal;
use crate::app::{App, FRAME_BYTES};
use axum::body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use protocol::ErrorCode;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Beyond the limit this much more is read and dropped, so that the client is listening when it is told.
const DROPPED: usize = 4 * 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest part of a parser's complaint that is told: it quotes what it read.
const COMPLAINT: usize = 200;

/// A JSON body, read as a `T`. Unknown fields are ignored.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Refusal> {
        let is_json = is_json(&request);
        let bytes = tokio::time::timeout(PATIENCE, read(request.into_body())).await.map_err(|_| {
            Refusal::new(ErrorCode::BadRequest, "The body did not arrive in time.")
                .with(StatusCode::REQUEST_TIMEOUT)
        })??;
        if !is_json {
            let message =
                "The body must be JSON. Send the header Content-Type: application/json (curl: --json).";
            return Err(Refusal::new(ErrorCode::BadRequest, message).with(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let complaint: String = error.to_string().chars().take(COMPLAINT).collect();
            Refusal::new(ErrorCode::BadRequest, format!("The body is not what this path takes: {complaint}."))
        })
    }
}

/// Browsers ask before they let one site send this content type to another, and we never allow it.
fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
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
