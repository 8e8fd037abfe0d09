//! What refusals look like, whatever is sent.

use crate::support::{Actor, Ask, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn what_is_not_there_is_refused_in_json() {
    let server = Server::start().await;
    for path in ["/api/v1/nope", "/api/nope", "/nope", "/api/v1/rooms/lobby/nope", "/api/v1/"] {
        assert_eq!(server.ask("GET", path).send().await.refused(404), "not_found", "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_refused() {
    let server = Server::start().await;
    for (method, path) in
        [("PUT", "/api/v1/session"), ("DELETE", "/api/v1/rooms"), ("POST", "/"), ("TRACE", "/healthz")]
    {
        let answer = server.ask(method, path).send().await;
        assert_eq!(answer.refused(405), "bad_request", "{path}");
        assert!(!answer.header("allow").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_with_the_place() {
    let server = Server::start().await;
    let send = |body: &'static str| {
        let ask = server.ask("POST", "/api/v1/session").header("content-type", "application/json").body(body);
        async move { ask.send().await }
    };
    for (body, says) in [
        ("", "line 1"),
        ("{", "line 1"),
        ("[]", "invalid"),
        ("{\"name\":\"Ben\"}", "`password`"),
        ("{\"name\":7,\"password\":\"x\"}", "expected a string"),
    ] {
        let answer = send(body).await;
        assert_eq!(answer.refused(400), "bad_request", "{body}");
        assert!(answer.text().contains(says), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_body_of_another_kind_is_refused() {
    let server = Server::start().await;
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
    {
        let ask =
            server.ask("POST", "/api/v1/guests").header("content-type", kind).body("{\"name\":\"Gil\"}");
        assert_eq!(ask.send().await.refused(415), "bad_request", "{kind}");
    }
    let none = server.ask("POST", "/api/v1/guests").body("{\"name\":\"Gil\"}").send().await;
    assert!(none.text().contains("Content-Type: application/json"), "{}", none.text());
    let charset =
        server.ask("POST", "/api/v1/guests").header("content-type", "application/json; charset=utf-8");
    charset.body("{\"name\":\"Gil\"}").send().await.ok();
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_limit() {
    let server = Server::start().await;
    let body = format!("{{\"name\":\"{}\"}}", "a".repeat(1 << 20));
    let ask = server.ask("POST", "/api/v1/guests").header("content-type", "application/json").body(body);
    let answer = ask.send().await;
    assert_eq!(answer.refused(413), "too_large");
    assert_eq!(answer.value()["params"]["max"], 65_536);
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let server = Server::start().await;
    let (one, other) =
        (server.ask("GET", "/healthz").send().await, server.ask("GET", "/healthz").send().await);
    assert!(one.header("x-request-id").len() > 16);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
}

/// Bodies that no operation takes, or that no field should.
fn bad_bodies() -> Vec<Vec<u8>> {
    let strange = ["\u{0}", "a\u{7}b", "\u{202e}", "\u{ffff}", "'; drop table users; --", "{{session}}", ""];
    let mut bodies = vec![
        Vec::new(),
        b"not json".to_vec(),
        b"null".to_vec(),
        b"[1,2".to_vec(),
        b"\xff\xfe{}".to_vec(),
        vec![b'['; 60_000],
        vec![b' '; 1 << 20],
        json!({ "name": 1, "password": [], "token": 2, "text": {}, "seq": "x", "kind": 3, "invite": null })
            .to_string()
            .into(),
        json!({ "seq": -1 }).to_string().into(),
        json!({ "seq": u64::MAX, "uses": u64::MAX, "hours": -1 }).to_string().into(),
    ];
    for text in strange {
        let body = json!({
            "name": text, "password": text, "token": text, "text": text, "invite": text, "kind": "open", "nonce": text,
        });
        bodies.push(body.to_string().into());
    }
    bodies
}

/// Every operation with every placeholder filled by each of `values`.
fn paths(document: &Value, value: &str) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let filled: Vec<_> =
            path.split('/').map(|part| if part.starts_with('{') { value } else { part }).collect();
        for method in operations.as_object().expect("operations").keys() {
            paths.push((method.to_uppercase(), filled.join("/")));
        }
    }
    paths
}

async fn survives(ask: Ask, what: &str) {
    let answer = ask.send().await;
    assert!(!answer.status.is_server_error(), "{what}: {}", answer.text());
    if answer.status.is_client_error() && !what.starts_with("HEAD") {
        answer.refused(answer.status.as_u16());
    }
}

#[tokio::test]
async fn nothing_that_is_sent_breaks_the_server() {
    let server = Server::start().await;
    let ana = server.ana().await;
    let document = ana.get("/api/v1/openapi.json").await.ok();
    for value in ["lobby", "me", "0192f0c1-0001-7000-8000-0000000000ff", "%00", "%ff", "18446744073709551616"]
    {
        for (method, path) in paths(&document, value) {
            if (method.as_str(), path.as_str()) == ("DELETE", "/api/v1/session") {
                continue;
            }
            throw_at(&ana, &method, &path, value == "lobby").await;
        }
    }
    server.ask("GET", "/readyz").send().await.ok();
    ana.post("/api/v1/rooms/lobby/messages", json!({ "text": "still here" })).await;
}

async fn throw_at(ana: &Actor, method: &str, path: &str, bodies: bool) {
    survives(ana.ask(method, path), &format!("{method} {path}")).await;
    for query in [
        "cursor=%ff",
        "cursor=x&limit=-1",
        "before=x",
        "after=18446744073709551616",
        "around=18446744073709551615",
        "limit=0",
    ] {
        survives(ana.ask(method, &format!("{path}?{query}")), &format!("{method} {path}?{query}")).await;
    }
    if !bodies {
        return;
    }
    for body in bad_bodies() {
        let what = format!("{method} {path} {:?}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        survives(ana.ask(method, path).header("content-type", "application/json").body(body), &what).await;
    }
}

#[tokio::test]
async fn whoever_asks_before_sending_too_large_a_body_is_refused_at_once() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = "POST /api/v1/guests HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 413");
}
