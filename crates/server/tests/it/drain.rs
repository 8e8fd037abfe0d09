//! The way to a clean end.

use crate::support::Server;
use client::{Closing, Connection, Received};
use protocol::CloseCode;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn connections_are_told_to_come_back() {
    let server = Server::start().await;
    let (address, ben) = (server.address().to_string(), server.ben().await);
    let mut connection = Connection::open(&address, Some(&ben.token)).await.expect("a connection");
    let drained = tokio::spawn(server.running.drain());
    let closing = loop {
        if let Received::Closed(closing) = connection.next().await {
            break closing;
        }
    };
    assert!(
        matches!(closing, Closing { code: Some(code), .. } if code == CloseCode::Restart.number()),
        "{closing:?}"
    );
    drained.await.expect("it ends");
    assert!(Connection::open(&address, Some(&ben.token)).await.is_err(), "nobody is let in any more");
}

#[tokio::test]
async fn while_the_server_stops_it_is_alive_and_not_ready() {
    let server = Server::start().await;
    server.running.app().draining.store(true, Ordering::SeqCst);
    let answer = server.ask("GET", "/readyz").send().await;
    assert_eq!(answer.refused(503), "overloaded");
    server.ask("GET", "/healthz").send().await.ok();
}

#[tokio::test]
async fn what_was_acknowledged_and_read_is_there_after_a_restart() {
    let server = Server::start().await;
    let data = Arc::clone(&server.data);
    let ben = server.ben().await;
    ben.post("/api/v1/rooms/lobby/messages", json!({ "text": "remember me" })).await.ok();
    let mark = ben.put("/api/v1/rooms/lobby/read", json!({ "seq": 2 })).await.ok();
    server.running.drain().await;
    let server = Server::start_in(data, |_| {}).await;
    let ben = server.sign_in("Ben").await;
    assert_eq!(ben.get("/api/v1/rooms/lobby/messages").await.ok()["messages"][0]["text"], "remember me");
    assert_eq!(ben.get("/api/v1/rooms").await.ok()["mine"][0]["read"], mark);
}
