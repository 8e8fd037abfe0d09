//! The one-time link that makes the owner.

use crate::support::{PASSWORD, Server};
use serde_json::{Value, json};
use std::sync::Arc;

fn body(token: &str, name: &str) -> Value {
    json!({ "token": token, "name": name, "password": PASSWORD })
}

#[tokio::test]
async fn the_link_makes_the_owner_and_signs_them_in() {
    let server = Server::start().await;
    assert_eq!(server.ask("GET", "/api/v1/session").send().await.ok()["setup"], true);
    let answer = server.ask("POST", "/api/v1/setup").json(&body(&server.setup_token(), "Ana")).await;
    assert_eq!(answer.ok()["role"], "owner");
    let session = server.ask("GET", "/api/v1/session").header("cookie", &answer.cookie()).send().await.ok();
    assert_eq!(session["user"]["name"], "Ana");
    assert_eq!(session["setup"], false);
    assert!(server.running.app().setup.link().is_none());
}

#[tokio::test]
async fn twenty_parallel_set_ups_make_exactly_one_owner() {
    let server = Server::start().await;
    let token = server.setup_token();
    let asked: Vec<_> = (0..20)
        .map(|n| {
            let (ask, body) = (server.ask("POST", "/api/v1/setup"), body(&token, &format!("Owner {n}")));
            tokio::spawn(async move { ask.json(&body).await.status.as_u16() })
        })
        .collect();
    let mut made = 0;
    for asked in asked {
        match asked.await.expect("a request ends") {
            201 => made += 1,
            other => assert_eq!(other, 410),
        }
    }
    assert_eq!(made, 1);
    let accounts = server.running.app().chat.accounts().await.expect("the database works");
    assert_eq!(accounts.len(), 1);
}

#[tokio::test]
async fn a_wrong_token_changes_nothing() {
    let server = Server::start().await;
    for wrong in ["", "rfo_", "x", &"a".repeat(68)] {
        assert_eq!(
            server.ask("POST", "/api/v1/setup").json(&body(wrong, "Eve")).await.refused(410),
            "link_spent"
        );
    }
    server.ask("POST", "/api/v1/setup").json(&body(&server.setup_token(), "Ana")).await.ok();
}

#[tokio::test]
async fn a_bad_name_or_password_does_not_spend_the_link() {
    let server = Server::start().await;
    let token = server.setup_token();
    let short = json!({ "token": token, "name": "Ana", "password": "short" });
    let answer = server.ask("POST", "/api/v1/setup").json(&short).await;
    assert_eq!(answer.refused(422), "invalid");
    assert_eq!(answer.value()["params"]["field"], "password");
    server.ask("POST", "/api/v1/setup").json(&body(&token, "Ana")).await.ok();
}

#[tokio::test]
async fn the_link_works_for_thirty_minutes() {
    let server = Server::start().await;
    server.pass(30 * 60 * 1000 + 1);
    let answer = server.ask("POST", "/api/v1/setup").json(&body(&server.setup_token(), "Ana")).await;
    assert_eq!(answer.refused(410), "link_spent");
}

#[tokio::test]
async fn a_restart_renews_the_link_until_there_is_an_owner() {
    let server = Server::start().await;
    let (data, first) = (Arc::clone(&server.data), server.setup_token());
    server.running.drain().await;
    let server = Server::start_in(Arc::clone(&data), |_| {}).await;
    assert_eq!(
        server.ask("POST", "/api/v1/setup").json(&body(&first, "Eve")).await.refused(410),
        "link_spent"
    );
    server.ask("POST", "/api/v1/setup").json(&body(&server.setup_token(), "Ana")).await.ok();
    server.running.drain().await;
    let server = Server::start_in(data, |_| {}).await;
    assert!(server.running.app().setup.link().is_none());
    assert_eq!(server.ask("GET", "/api/v1/session").send().await.ok()["setup"], false);
}

#[tokio::test]
async fn an_owner_made_on_the_command_line_ends_the_waiting() {
    let server = Server::start().await;
    let token = server.setup_token();
    server.ana().await;
    assert_eq!(server.ask("GET", "/api/v1/session").send().await.ok()["setup"], false);
    assert_eq!(
        server.ask("POST", "/api/v1/setup").json(&body(&token, "Eve")).await.refused(410),
        "link_spent"
    );
}
