//! Accounts: finding people, signing up.

use super::body::Body;
use super::error::Refusal;
use super::parameters::Asked;
use super::sessions;
use super::signed_in::{Attempt, MaybeSignedIn, SignedIn};
use crate::app::App;
use crate::door::{Answer, ask};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::Command;
use protocol::frame::UserPage;
use protocol::http::{self, SignUp};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed-in users ask for.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Whom to find.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// What the name begins with; all accounts when left out.
    #[serde(default)]
    name: String,
    /// Where to go on: `next` of the page before.
    cursor: Option<String>,
}

/// Finds accounts by the beginning of their name.
///
/// Guests cannot.
#[utoipa::path(get, operation_id = "list_users", path = "/api/v1/users", tag = "users", params(Wanted), responses((status = 200, body = UserPage)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn(caller): SignedIn,
    Asked(wanted): Asked<Wanted>,
) -> Result<Answer, Refusal> {
    let Wanted { name, cursor } = wanted;
    Ok(ask(&app, &caller, Command::ListUsers { name, cursor }).await?)
}

/// Makes an account with an invite and signs in.
///
/// Sets a cookie, or answers with a bearer token when `token` is true.
#[utoipa::path(post, operation_id = "sign_up", path = "/api/v1/users", tag = "users", request_body = SignUp,
    responses((status = 201, body = http::SignedIn)))]
pub async fn sign_up(
    State(app): State<Arc<App>>,
    Attempt(address): Attempt,
    MaybeSignedIn(caller): MaybeSignedIn,
    Body(body): Body<SignUp>,
) -> Result<Response, Refusal> {
    let room = app.chat.room_of_invite(None, &body.invite).await?;
    let chat = app.pacing.newcomer(&app.chat, room).await?;
    let session = chat.sign_up(caller.as_ref(), &body.invite, &body.name, &body.password).await;
    let session = session.inspect_err(|error| sessions::refused(address, error))?;
    Ok(sessions::let_in(&app, &session, address, body.token, StatusCode::CREATED))
}
