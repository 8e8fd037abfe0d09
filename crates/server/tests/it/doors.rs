//! Who is let in, from where, and how often.

use crate::support::{Answer, Ask, PASSWORD, Server};
use serde_json::json;
use server::config::Guests;

async fn come_in(ask: Ask) -> Answer {
    ask.json(&json!({ "name": "Gil" })).await
}

#[tokio::test]
async fn a_guest_at_this_machine_comes_in_and_lands_in_the_lobby() {
    let server = Server::start().await;
    let answer = come_in(server.ask("POST", "/api/v1/guests")).await;
    assert_eq!(answer.ok()["user"]["guest"], true);
    let rooms = server.ask("GET", "/api/v1/rooms").header("cookie", &answer.cookie()).send().await.ok();
    assert_eq!(rooms["mine"][0]["name"], "lobby");
}

#[tokio::test]
async fn guests_are_refused_behind_a_proxy_header() {
    let server = Server::start().await;
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip"]
    {
        let answer = come_in(server.ask("POST", "/api/v1/guests").header(name, "127.0.0.1")).await;
        assert_eq!(answer.refused(403), "forbidden", "{name}");
        assert_eq!(
            server.ask("GET", "/api/rooms").header(name, "127.0.0.1").send().await.refused(401),
            "unauthenticated"
        );
        let session = server.ask("GET", "/api/v1/session").header(name, "127.0.0.1").send().await.ok();
        assert_eq!(session["guests"], false);
    }
}

#[tokio::test]
async fn guests_are_refused_under_another_host_name() {
    let server = Server::start().await;
    let answer = come_in(server.ask("POST", "/api/v1/guests").header("host", "chat.example")).await;
    assert_eq!(answer.refused(403), "forbidden");
}

#[tokio::test]
async fn a_refused_guest_is_told_what_to_do() {
    let server = Server::start_with(|config| config.guests = Guests::Off).await;
    let answer = come_in(server.ask("POST", "/api/v1/guests")).await;
    assert_eq!(answer.refused(403), "forbidden");
    assert!(answer.text().contains("ask for an invite"), "{}", answer.text());
}

#[tokio::test]
async fn the_list_of_who_is_here_is_for_whoever_may_come_in() {
    let server = Server::start_with(|config| config.guests = Guests::Off).await;
    assert_eq!(server.ask("GET", "/api/rooms").send().await.refused(401), "unauthenticated");
    assert_eq!(server.ben().await.get("/api/rooms").await.ok(), json!({ "rooms": [] }));
}

#[tokio::test]
async fn attempts_are_counted_where_an_address_is_known() {
    let server = Server::start().await;
    let attempt = || {
        let ask = server.ask("POST", "/api/v1/session").header("x-forwarded-for", "192.0.2.1");
        async move { ask.json(&json!({ "name": "Ana", "password": "wrong guess" })).await }
    };
    for _ in 0..10 {
        assert_eq!(attempt().await.refused(401), "bad_credentials");
    }
    let answer = attempt().await;
    assert_eq!(answer.refused(429), "rate_limited");
    let wait = answer.value()["retry_after_ms"].as_u64().expect("a wait");
    assert!((1..=6_000).contains(&wait), "{wait}");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_attempts_of_their_own() {
    let server = Server::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    let attempt = |from: &'static str| {
        let ask = server.ask("POST", "/api/v1/setup").header("x-forwarded-for", from);
        async move {
            ask.json(&json!({ "token": "x", "name": "Eve", "password": PASSWORD })).await.status.as_u16()
        }
    };
    for _ in 0..10 {
        assert_eq!(attempt("192.0.2.1").await, 410);
    }
    assert_eq!(attempt("192.0.2.1").await, 429);
    // What the client itself wrote in front of the proxy's word is not believed.
    assert_eq!(attempt("203.0.113.9, 192.0.2.1").await, 429);
    assert_eq!(attempt("192.0.2.2").await, 410);
}

#[tokio::test]
async fn another_site_cannot_act_with_our_cookie() {
    let server = Server::start().await;
    let cookie = come_in(server.ask("POST", "/api/v1/guests")).await.cookie();
    let ours = format!("http://{}", server.address());
    let post = |headers: &[(&str, &str)]| {
        let mut ask = server.ask("POST", "/api/v1/rooms/lobby/messages").header("cookie", &cookie);
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        async move { ask.json(&json!({ "text": "hi" })).await }
    };
    post(&[("origin", &ours)]).await.ok();
    post(&[("sec-fetch-site", "same-origin")]).await.ok();
    for headers in [
        &[("origin", "http://evil.example")][..],
        &[("origin", "null")],
        &[("origin", &ours), ("origin", &ours)],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[],
    ] {
        assert_eq!(post(headers).await.refused(403), "forbidden", "{headers:?}");
    }
    let read =
        server.ask("GET", "/api/v1/rooms").header("cookie", &cookie).header("origin", "http://evil.example");
    assert_eq!(read.send().await.refused(401), "unauthenticated");
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_in() {
    let server = Server::start().await;
    server.ben().await;
    let ask = server.ask("POST", "/api/v1/session").header("origin", "http://evil.example");
    assert_eq!(ask.json(&json!({ "name": "Ben", "password": PASSWORD })).await.refused(403), "forbidden");
}

#[tokio::test]
async fn a_bearer_token_needs_no_origin_and_outranks_the_cookie() {
    let server = Server::start().await;
    let (ben, cookie) = (server.ben().await, come_in(server.ask("POST", "/api/v1/guests")).await.cookie());
    let session = ben.ask("GET", "/api/v1/session").header("cookie", &cookie).send().await.ok();
    assert_eq!(session["user"]["name"], "Ben");
    let spent =
        server.ask("GET", "/api/v1/rooms").header("cookie", &cookie).header("authorization", "Bearer x");
    assert_eq!(spent.send().await.refused(401), "unauthenticated");
}

#[tokio::test]
async fn behind_https_the_cookie_is_bound_to_the_host_and_to_https() {
    let server = Server::start_with(|config| {
        config.public_url = Some("https://chat.example".parse().expect("an address"));
    })
    .await;
    server.ben().await;
    let ask = server
        .ask("POST", "/api/v1/session")
        .header("host", "chat.example")
        .header("origin", "https://chat.example");
    let answer = ask.json(&json!({ "name": "Ben", "password": PASSWORD })).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-roomful=rfs_"), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let plain = answer.cookie().replace("__Host-", "");
    let session = server.ask("GET", "/api/v1/session").header("cookie", &plain).send().await.ok();
    assert!(session["user"].is_null(), "a cookie that anybody could plant is not read");
}
