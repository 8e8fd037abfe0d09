//! The document that describes the interface.

use crate::support::Server;
use serde_json::Value;
use std::collections::BTreeSet;

async fn document() -> Value {
    let server = Server::start().await;
    let answer = server.ask("GET", "/api/v1/openapi.json").send().await;
    assert_eq!(answer.header("content-type"), "application/json");
    answer.ok()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            found.push((format!("{} {path}", method.to_uppercase()), operation));
        }
    }
    found
}

#[tokio::test]
async fn the_document_says_what_it_is() {
    let document = document().await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert_eq!(document["info"]["title"], "Roomful");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn every_operation_has_a_summary_an_example_and_its_refusals() {
    let document = document().await;
    for (name, operation) in operations(&document) {
        assert!(
            operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')),
            "{name}: {operation}"
        );
        let responses = operation["responses"].as_object().expect("responses");
        for (status, response) in responses {
            let content = &response["content"]["application/json"];
            assert!(!content["example"].is_null(), "{name} {status} has no example");
            assert!(content["schema"].is_object(), "{name} {status} has no schema");
        }
        assert!(responses.contains_key("default"), "{name} has no refusals");
        if operation["requestBody"].is_object() {
            let content = &operation["requestBody"]["content"]["application/json"];
            assert!(content["example"].is_object(), "{name} has no example of its body");
        }
    }
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let document = document().await;
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_placeholder_is_described_and_every_name_used_once() {
    let document = document().await;
    let mut names = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for placeholder in name.split(['{', '}']).skip(1).step_by(2) {
            let described = parameters.iter().any(|one| one["name"] == placeholder && one["in"] == "path");
            assert!(described, "{name} does not describe {placeholder}");
        }
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(names.insert(id.clone()), "{id} is used twice");
    }
}

#[tokio::test]
async fn every_operation_is_there() {
    let server = Server::start().await;
    let document = document().await;
    for (name, _) in operations(&document) {
        let (method, path) = name.split_once(' ').expect("a method and a path");
        let answer = server.ask(method, path).send().await;
        assert_ne!(answer.status, 405, "{name}");
        let unknown_page = answer.status == 404 && answer.text().contains("\"page\"");
        assert!(!unknown_page, "{name}");
    }
}
