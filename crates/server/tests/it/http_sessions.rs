//! Signing in, up and out.

use crate::support::{Answer, PASSWORD, Server};
use serde_json::json;
use std::time::{Duration, Instant};

async fn sign_in(server: &Server, name: &str, password: &str) -> Answer {
    server.ask("POST", "/api/v1/session").json(&json!({ "name": name, "password": password })).await
}

#[tokio::test]
async fn signing_in_sets_a_cookie_that_scripts_cannot_read() {
    let server = Server::start().await;
    server.ben().await;
    let answer = sign_in(&server, "ben", PASSWORD).await;
    assert_eq!(answer.ok()["user"]["name"], "Ben");
    assert!(answer.value().get("token").is_none());
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("roomful=rfs_"), "{cookie}");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let session = server.ask("GET", "/api/v1/session").header("cookie", &answer.cookie()).send().await.ok();
    assert_eq!(session["role"], "member");
}

#[tokio::test]
async fn a_script_gets_a_token_and_no_cookie() {
    let server = Server::start().await;
    server.dot().await;
    let body = json!({ "name": "Dot", "password": PASSWORD, "token": true });
    let answer = server.ask("POST", "/api/v1/session").json(&body).await;
    assert!(answer.ok()["token"].as_str().is_some_and(|token| token.starts_with("rfs_")));
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_look_alike() {
    let server = Server::start().await;
    server.ben().await;
    let unknown = sign_in(&server, "Nobody", "wrong guess").await;
    let wrong = sign_in(&server, "Ben", "wrong guess").await;
    assert_eq!(unknown.refused(401), "bad_credentials");
    assert_eq!(unknown.without_id(), wrong.without_id());
    let names =
        |answer: &Answer| answer.headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&unknown), names(&wrong));
}

#[tokio::test]
async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    let server = Server::start().await;
    server.ben().await;
    sign_in(&server, "Nobody", "wrong guess").await;
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        for (name, times) in [("Nobody", &mut unknown), ("Ben", &mut wrong)] {
            let started = Instant::now();
            sign_in(&server, name, "wrong guess").await;
            times.push(started.elapsed());
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (unknown, wrong) = (median(unknown), median(wrong));
    // Without the same work the two would be some fifty times apart; other load on the machine is not.
    assert!(unknown < wrong * 4 && wrong < unknown * 4, "unknown {unknown:?}, wrong {wrong:?}");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_back() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let answer = ben.delete("/api/v1/session").await;
    answer.ok();
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(ben.get("/api/v1/rooms").await.refused(401), "unauthenticated");
    assert!(ben.get("/api/v1/session").await.ok()["user"].is_null());
    ben.delete("/api/v1/session").await.ok();
}

#[tokio::test]
async fn an_invite_makes_an_account_in_its_room() {
    let server = Server::start().await;
    let ana = server.ana().await;
    let garden = ana.open("garden", "closed").await;
    let (_, token) = ana.invite(json!({ "room": garden, "uses": 1 })).await;
    let view = server.ask("POST", "/api/v1/invites/view").json(&json!({ "token": token })).await.ok();
    assert_eq!((&view["by"]["name"], &view["room"]), (&json!("Ana"), &json!("garden")));
    let body = json!({ "invite": token, "name": "Ben", "password": PASSWORD, "token": true });
    let taken = json!({ "invite": token, "name": "ana", "password": PASSWORD });
    assert_eq!(server.ask("POST", "/api/v1/users").json(&taken).await.refused(409), "name_taken");
    let answer = server.ask("POST", "/api/v1/users").json(&body).await;
    assert_eq!(answer.status, 201);
    let ben = server.sign_in("Ben").await;
    assert!(ben.get("/api/v1/rooms").await.text().contains("garden"));
    let again = json!({ "invite": token, "name": "Eve", "password": PASSWORD });
    assert_eq!(server.ask("POST", "/api/v1/users").json(&again).await.refused(410), "link_spent");
    let view = server.ask("POST", "/api/v1/invites/view").json(&json!({ "token": token })).await;
    assert_eq!(view.refused(410), "link_spent");
}

#[tokio::test]
async fn an_invite_brings_somebody_with_an_account_into_its_room() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let garden = ana.open("garden", "closed").await;
    let (_, token) = ana.invite(json!({ "room": garden })).await;
    let room = ben.post("/api/v1/invites/accept", json!({ "token": token })).await.ok();
    assert_eq!(room["id"], json!(garden));
    let (_, token) = ana.invite(json!({})).await;
    assert!(ben.post("/api/v1/invites/accept", json!({ "token": token })).await.ok().is_null());
}

#[tokio::test]
async fn a_guest_keeps_their_name_to_themselves() {
    let server = Server::start().await;
    server.guest("Gil").await;
    let again = server.ask("POST", "/api/v1/guests").json(&json!({ "name": "GIL" })).await;
    assert_eq!(again.refused(409), "name_taken");
    assert_eq!(again.value()["params"]["name"], "GIL");
}

#[tokio::test]
async fn nobody_is_signed_in_without_an_error() {
    let server = Server::start_with(|config| config.name = "The Pond".to_owned()).await;
    let session =
        server.ask("GET", "/api/v1/session").header("authorization", "Bearer gone").send().await.ok();
    assert!(session["user"].is_null() && session["session"].is_null());
    assert_eq!(session["name"], "The Pond");
    assert_eq!(session["limits"]["page"], 100);
}
