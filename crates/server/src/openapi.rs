//! The document that describes the HTTP interface to programs, made from the routes themselves.

use crate::http;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use protocol::http::ErrorBody;
use serde_json::{Value, json};
use std::sync::OnceLock;
use utoipa::OpenApi;

const ABOUT: &str = "Everything Roomful does, over HTTP. Errors are `{code, params, message, request_id}`; not there \
    and not yours look alike. Lists are paged by `cursor`. `{room}` is a room's id, or the name of an open room. \
    Every creation takes a `nonce`, so that a retry creates nothing twice.";

/// The examples of the wire's own tests, by file name.
macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../protocol/fixtures/", $name, ".json"))
    };
}

/// Who may use an operation without being signed in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Everybody,
    SignedIn,
}
use Access::{Everybody, SignedIn};

/// Of each operation: method, path, who may use it, an example of its request, and one of its answer.
type Operation = (&'static str, &'static str, Access, Option<&'static str>, &'static str);

const OPERATIONS: [Operation; 27] = [
    ("get", "/api/v1/session", Everybody, None, fixture!("http.session")),
    ("post", "/api/v1/session", Everybody, Some(fixture!("http.sign_in")), fixture!("http.signed_in")),
    ("delete", "/api/v1/session", Everybody, None, fixture!("reply.done")),
    ("post", "/api/v1/guests", Everybody, Some(fixture!("http.come_in")), fixture!("http.signed_in")),
    ("post", "/api/v1/setup", Everybody, Some(fixture!("http.set_up")), fixture!("http.signed_in")),
    ("get", "/api/v1/users", SignedIn, None, fixture!("reply.user_page")),
    ("post", "/api/v1/users", Everybody, Some(fixture!("http.sign_up")), fixture!("http.signed_in")),
    ("get", "/api/v1/invites", SignedIn, None, fixture!("reply.invite_page")),
    (
        "post",
        "/api/v1/invites",
        SignedIn,
        Some(fixture!("http.new_invite_link")),
        fixture!("reply.new_invite"),
    ),
    ("delete", "/api/v1/invites/{id}", SignedIn, None, fixture!("reply.done")),
    (
        "post",
        "/api/v1/invites/view",
        Everybody,
        Some(fixture!("http.invite_token")),
        fixture!("http.invite_view"),
    ),
    ("post", "/api/v1/invites/accept", SignedIn, Some(fixture!("http.invite_token")), fixture!("reply.room")),
    ("get", "/api/v1/rooms", SignedIn, None, fixture!("reply.room_page")),
    ("post", "/api/v1/rooms", SignedIn, Some(fixture!("http.new_room")), fixture!("reply.room")),
    ("get", "/api/v1/rooms/{room}/members", SignedIn, None, fixture!("reply.member_page")),
    ("put", "/api/v1/rooms/{room}/members/{user}", SignedIn, None, fixture!("reply.room")),
    ("delete", "/api/v1/rooms/{room}/members/{user}", SignedIn, None, fixture!("reply.done")),
    ("get", "/api/v1/rooms/{room}/messages", SignedIn, None, fixture!("reply.message_page")),
    (
        "post",
        "/api/v1/rooms/{room}/messages",
        SignedIn,
        Some(fixture!("http.new_message")),
        fixture!("reply.posted"),
    ),
    (
        "patch",
        "/api/v1/rooms/{room}/messages/{seq}",
        SignedIn,
        Some(fixture!("http.new_text")),
        fixture!("reply.revised"),
    ),
    ("delete", "/api/v1/rooms/{room}/messages/{seq}", SignedIn, None, fixture!("reply.revised")),
    ("get", "/api/v1/rooms/{room}/events", SignedIn, None, fixture!("http.event_page")),
    (
        "put",
        "/api/v1/rooms/{room}/read",
        SignedIn,
        Some(fixture!("http.read_to")),
        fixture!("reply.read_mark"),
    ),
    ("get", "/api/v1/openapi.json", Everybody, None, "{}"),
    ("get", "/api/rooms", Everybody, None, fixture!("http.simple_rooms")),
    ("get", "/healthz", Everybody, None, fixture!("reply.done")),
    ("get", "/readyz", Everybody, None, fixture!("reply.done")),
];

/// What no operation names by itself: every refusal has this body.
#[derive(OpenApi)]
#[openapi(components(schemas(ErrorBody)))]
struct Base;

/// `GET /api/v1/openapi.json`.
#[utoipa::path(get, operation_id = "get_openapi", path = "/api/v1/openapi.json", tag = "about", summary = "Describes this interface.",
    responses((status = 200, description = "An OpenAPI document.", body = Object)))]
pub async fn get() -> impl IntoResponse {
    // Kept from the first request on: most servers are never asked.
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| document().to_string().into());
    ([(CONTENT_TYPE, "application/json")], document.clone())
}

fn document() -> Value {
    let mut document = serde_json::to_value(http::api(Base::openapi()).into_openapi()).unwrap_or_default();
    document["info"] =
        json!({ "title": "Roomful", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT });
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "roomful" },
    });
    for operation in OPERATIONS {
        complete(&mut document, operation);
    }
    document
}

/// Adds to an operation what its annotation leaves out: examples, errors, who may use it.
fn complete(document: &mut Value, (method, path, access, request, answer): Operation) {
    let operation = &mut document["paths"][path][method];
    if let Some(request) = request {
        operation["requestBody"]["content"]["application/json"]["example"] = example(request);
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for response in responses.values_mut() {
            response["content"]["application/json"]["example"] = example(answer);
        }
    }
    operation["responses"]["default"] = json!({
        "description": "A refusal.",
        "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/ErrorBody" }, "example": example(fixture!("http.error")),
        } },
    });
    if access == SignedIn {
        operation["security"] = json!([{ "bearer": [] }, { "cookie": [] }]);
    }
}

/// A fixture; of a reply its body alone.
fn example(fixture: &str) -> Value {
    let mut value: Value = serde_json::from_str(fixture).unwrap_or_default();
    if value["type"] == "reply" { value["ok"].take() } else { value }
}
