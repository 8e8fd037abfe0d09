//! Parameters in a request's path and query.

use super::error::Refusal;
use crate::app::App;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chat::{Caller, RoomRef, Visitor};
use protocol::{ErrorCode, RoomId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use std::sync::Arc;
use utoipa::IntoParams;

/// The parameters in the path. A path that cannot be read is answered as a page that is not there.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let path = axum::extract::Path::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Refusal::not_found("page"))
    }
}

/// The parameters in the query. Unknown names are ignored.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refusal> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(value)| Self(value)).map_err(|error| {
            let complaint: String = error.to_string().chars().take(200).collect();
            Refusal::new(
                ErrorCode::BadRequest,
                format!("The query is not what this path takes: {complaint}."),
            )
        })
    }
}

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageToken {
    /// Where to go on: `next` of the page before.
    pub cursor: Option<String>,
}

/// An id or number in the path. A text that is none is answered as `what` that is not there.
pub fn parsed<T: FromStr>(text: &str, what: &'static str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::not_found(what))
}

/// The room that `{room}` names: by id, else the open room of this name.
pub async fn room(app: &App, caller: &Caller, named: &str) -> Result<RoomId, Refusal> {
    match named.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(found(app, caller, named).await?.id),
    }
}

/// The room that `{room}` names, as far as the caller may know of it.
pub async fn found(app: &App, caller: &Caller, named: &str) -> Result<RoomRef, Refusal> {
    let found = app.chat.room_named(&Visitor::Known(caller.clone()), named, false).await;
    found.map_err(|error| match error {
        // No room has a name that breaks the rules.
        chat::Error::Invalid { .. } => Refusal::not_found("room"),
        other => other.into(),
    })
}
