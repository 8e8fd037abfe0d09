//! The document that describes the HTTP interface to programs, made from the routes themselves.

use crate::http;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use bytes::Bytes;
use protocol::http::ErrorBody;
use serde_json::{Value, json};
use std::sync::OnceLock;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

const ABOUT: &str = "Everything Roomful does, over HTTP. Errors are `{code, params, message, request_id}`; not there \
    and not yours look alike. Lists are paged by `cursor`. `{room}` is a room's id, or the name of an open room. \
    Every creation takes a `nonce`, so that a retry creates nothing twice.";

// `FIXTURES`: by name, the examples that the wire's own tests read, as far as they are bodies over HTTP.
include!(concat!(env!("OUT_DIR"), "/fixtures.rs"));

/// The body of every refusal, which no operation names by itself.
#[derive(OpenApi)]
#[openapi(components(schemas(ErrorBody)))]
struct Base;

/// `GET /api/v1/openapi.json`.
#[utoipa::path(get, operation_id = "get_openapi", path = "/api/v1/openapi.json", tag = "about", summary = "Describes this interface.",
    responses((status = 200, description = "An OpenAPI document.", body = Object)))]
pub async fn get() -> impl IntoResponse {
    // Made at the first request and then kept: most servers are never asked for it.
    static DOCUMENT: OnceLock<Bytes> = OnceLock::new();
    let document = DOCUMENT.get_or_init(|| document().to_string().into());
    ([(CONTENT_TYPE, "application/json")], document.clone())
}

fn document() -> Value {
    let described = |api: OpenApiRouter<_>| serde_json::to_value(api.into_openapi()).unwrap_or_default();
    let mut document = described(http::api(Base::openapi()));
    let for_users = described(http::for_users(Base::openapi()));
    document["info"] =
        json!({ "title": "Roomful", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT });
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "roomful" },
    });
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            let needs_user = for_users["paths"][path].get(method).is_some();
            complete(operation, needs_user);
        }
    }
    document
}

/// Adds to an operation what its annotation leaves out: examples, refusals, and how a user shows who they are.
fn complete(operation: &mut Value, needs_user: bool) {
    if let Some(request) = operation.get_mut("requestBody") {
        add_example(request);
    }
    for response in operation["responses"].as_object_mut().into_iter().flatten() {
        add_example(response.1);
    }
    operation["responses"]["default"] = json!({
        "description": "A refusal.",
        "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/ErrorBody" }, "example": example("http.error"),
        } },
    });
    if needs_user {
        operation["security"] = json!([{ "bearer": [] }, { "cookie": [] }]);
    }
}

/// Adds to a body the example of its type; to a body of no type of ours an empty object.
fn add_example(body: &mut Value) {
    let content = &mut body["content"]["application/json"];
    content["example"] = match type_in(&content["schema"]).map(file_name) {
        Some(name) => example(&format!("http.{name}")).or_else(|| example(&format!("reply.{name}"))).into(),
        None => json!({}),
    };
}

/// The type that a schema refers to, itself or in one of its alternatives.
fn type_in(schema: &Value) -> Option<&str> {
    match schema {
        Value::Object(fields) => match fields.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference.rsplit('/').next(),
            None => fields.values().find_map(type_in),
        },
        Value::Array(alternatives) => alternatives.iter().find_map(type_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What the fixture of a type is called: `NewRoom` is in `new_room`.
fn file_name(name: &str) -> String {
    let mut file = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !file.is_empty() {
            file.push('_');
        }
        file.push(letter.to_ascii_lowercase());
    }
    file
}

/// A fixture; of a reply its body alone.
fn example(name: &str) -> Option<Value> {
    let (_, fixture) = FIXTURES.iter().find(|(known, _)| *known == name)?;
    let mut value: Value = serde_json::from_str(fixture).ok()?;
    Some(if value["type"] == "reply" { value["ok"].take() } else { value })
}
