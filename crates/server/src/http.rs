//! HTTP: the interface under `/api/v1`, the page, the web client's files, and what every answer has in common.

pub mod error;
pub(crate) mod parameters;
pub mod signed_in;

mod body;
mod envelope;
mod guard;
mod health;
mod invites;
mod memberships;
mod messages;
mod page;
mod reads;
mod rooms;
mod sessions;
mod users;

use crate::app::App;
use crate::{assets, gateway, openapi};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use error::Refusal;
pub(crate) use guard::TurnedAway;
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Everything a server answers.
pub fn routes(app: Arc<App>) -> Router {
    let (api, _) = api(OpenApi::default()).split_for_parts();
    let pages = ["/", "/rooms", "/rooms/{*path}", "/invite", "/setup", "/sign-in"];
    let pages = pages.into_iter().fold(Router::new(), |router, path| router.route(path, get(page::get)));
    let files = Router::new()
        .route("/assets/{build}/{*path}", get(assets::get))
        .route("/favicon.ico", get(assets::favicon));
    Router::new()
        .merge(api)
        .merge(pages)
        .merge(files)
        .merge(gateway::routes())
        .fallback(async || Refusal::not_found("page"))
        .method_not_allowed_fallback(async || Refusal::method_not_allowed())
        .layer(from_fn_with_state(Arc::clone(&app), guard::check))
        .layer(from_fn_with_state(Arc::clone(&app), envelope::wrap))
        .with_state(app)
}

/// The interface for programs: its routes, and added to `base` the document that describes exactly these.
pub(crate) fn api(base: OpenApi) -> OpenApiRouter<Arc<App>> {
    for_users(base)
        .routes(routes!(sessions::get, sessions::sign_in, sessions::sign_out))
        .routes(routes!(sessions::come_in))
        .routes(routes!(sessions::set_up))
        .routes(routes!(users::sign_up))
        .routes(routes!(invites::view))
        .routes(routes!(openapi::get))
        .routes(routes!(rooms::simple))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

/// The part of [`api`] that answers 401 where nobody is signed in.
pub(crate) fn for_users(base: OpenApi) -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(base)
        .merge(users::routes())
        .merge(invites::routes())
        .merge(rooms::routes())
        .merge(memberships::routes())
        .merge(messages::routes())
        .merge(reads::routes())
}
