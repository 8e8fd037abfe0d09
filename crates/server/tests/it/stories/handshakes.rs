//! Who gets a WebSocket at all, and how much one may ask at once.

use super::support::{client, connection, everyone_agrees, next_reply, room, texts};
use super::wire::Wire;
use crate::support::{Actor, Answer, Ask, PASSWORD, Server};
use protocol::{Body, Command, Nonce};
use serde_json::json;

/// An opening handshake, answered or refused.
pub fn upgrade(server: &Server, path: &str, protocol: &str) -> Ask {
    let ask = server.ask("GET", path).header("connection", "upgrade").header("upgrade", "websocket");
    let ask =
        ask.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    if protocol.is_empty() { ask } else { ask.header("sec-websocket-protocol", protocol) }
}

async fn cookie_of_ben(server: &Server) -> String {
    server.ben().await;
    server.ask("POST", "/api/v1/session").json(&json!({ "name": "Ben", "password": PASSWORD })).await.cookie()
}

fn bearer(who: &Actor) -> String {
    format!("Bearer {}", who.token)
}

async fn status(answer: impl Future<Output = Answer>) -> u16 {
    answer.await.status.as_u16()
}

#[tokio::test]
async fn a_token_in_the_url_is_never_accepted() {
    let server = Server::start().await;
    let ben = server.ben().await;
    for name in ["token", "access_token", "auth", "session", "bearer", "authorization"] {
        for path in [format!("/ws?{name}={}", ben.token), format!("/ws?{name}=Bearer%20{}", ben.token)] {
            assert_eq!(status(upgrade(&server, &path, "roomful.v1").send()).await, 401, "{path}");
        }
        let answer = server.ask("GET", &format!("/api/v1/rooms?{name}={}", ben.token)).send().await;
        assert_eq!(answer.refused(401), "unauthenticated");
    }
    assert_eq!(status(upgrade(&server, "/ws", &format!("roomful.v1, {}", ben.token)).send()).await, 401);
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn a_foreign_origin_with_a_cookie_is_refused_before_the_upgrade() {
    let server = Server::start().await;
    let cookie = cookie_of_ben(&server).await;
    let with = |origin: &str| {
        upgrade(&server, "/ws", "roomful.v1").header("cookie", &cookie).header("origin", origin)
    };
    for origin in ["http://evil.example", "null", "http://localhost", "https://evil.example/", ""] {
        assert_eq!(with(origin).send().await.refused(403), "forbidden", "{origin:?}");
    }
    let without = upgrade(&server, "/ws", "roomful.v1").header("cookie", &cookie);
    assert_eq!(without.send().await.refused(401), "unauthenticated", "a cookie alone is not enough");
    let ours = format!("http://{}", server.address());
    assert_eq!(status(with(&ours).send()).await, 101);
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn an_unknown_subprotocol_is_answered_with_400_that_names_the_known_one() {
    let server = Server::start().await;
    let ben = server.ben().await;
    for offered in ["roomful.v2", "graphql-ws, mqtt", "ROOMFUL.V1"] {
        let answer = upgrade(&server, "/ws", offered).header("authorization", &bearer(&ben)).send().await;
        assert_eq!(answer.refused(400), "bad_request", "{offered}");
        assert!(answer.text().contains("roomful.v1"), "{}", answer.text());
    }
    let one_of_two =
        upgrade(&server, "/ws", "roomful.v2, roomful.v1").header("authorization", &bearer(&ben)).send().await;
    assert_eq!(
        (one_of_two.status.as_u16(), one_of_two.header("sec-websocket-protocol")),
        (101, "roomful.v1")
    );
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn compression_is_agreed_on_where_it_can_be_kept_and_nonsense_is_refused() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let offers = |offer: &str| {
        let ask = upgrade(&server, "/ws", "roomful.v1").header("authorization", &bearer(&ben));
        ask.header("sec-websocket-extensions", offer)
    };
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (offer, answer) in [
        ("permessage-deflate; client_max_window_bits", agreed.to_owned()),
        ("permessage-deflate; server_max_window_bits=13", format!("{agreed}; server_max_window_bits=12")),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", agreed.to_owned()),
    ] {
        let answered = offers(offer).send().await;
        assert_eq!(
            (answered.status.as_u16(), answered.header("sec-websocket-extensions")),
            (101, &answer[..])
        );
    }
    for offer in [
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; dance",
        "x-webkit-deflate-frame",
    ] {
        let answered = offers(offer).send().await;
        assert_eq!(answered.status.as_u16(), 101, "{offer}");
        assert!(!answered.headers.contains_key("sec-websocket-extensions"), "{offer}");
    }
    for nonsense in ["permessage-deflate;", "=", "\"permessage-deflate\""] {
        assert_eq!(status(offers(nonsense).send()).await, 400, "{nonsense}");
    }
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn nobody_connects_without_a_living_session() {
    let server = Server::start().await;
    let ben = server.ben().await;
    assert_eq!(status(upgrade(&server, "/ws", "roomful.v1").send()).await, 401);
    let with = |token: &str| {
        upgrade(&server, "/ws", "roomful.v1").header("authorization", &format!("Bearer {token}"))
    };
    for token in ["", "x", "rfs_", &ben.token[..10]] {
        assert_eq!(status(with(token).send()).await, 401, "{token:?}");
    }
    ben.delete("/api/v1/session").await.ok();
    assert_eq!(status(with(&ben.token).send()).await, 401);
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn a_request_that_is_no_handshake_is_told_so() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let get = ben.get("/ws").await;
    assert_eq!((get.refused(426).as_str(), get.header("upgrade")), ("bad_request", "websocket"));
    let old = server.ask("GET", "/ws").header("connection", "upgrade").header("upgrade", "websocket");
    let old =
        old.header("sec-websocket-version", "8").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let old = old.send().await;
    assert_eq!((old.refused(426).as_str(), old.header("sec-websocket-version")), ("bad_request", "13"));
    let keyless = server.ask("GET", "/ws").header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(status(keyless.header("sec-websocket-version", "13").send()).await, 400);
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn sixteen_unanswered_commands_throttle_but_lose_nothing() {
    const POSTS: u64 = 400;
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let mut bare = connection(&ben).await;
    for number in 1..=POSTS {
        let nonce = Nonce::new(number.to_string()).unwrap();
        bare.send(Command::PostMessage { room: lobby, body: Body { text: number.to_string() }, nonce })
            .await
            .unwrap();
        if number % 50 == 0 {
            bare.send(Command::ListMembers { room: lobby, cursor: None }).await.unwrap();
        }
    }
    for id in 1..=POSTS + POSTS / 50 {
        let reply = next_reply(&mut bare).await;
        assert_eq!((reply.id, reply.error), (Some(id), None), "each answered, in order");
    }
    ana.hears(&POSTS.to_string()).await.unwrap();
    let written: Vec<String> = (1..=POSTS).map(|number| number.to_string()).collect();
    assert_eq!(texts(&ana, lobby), written);
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn cookies_say_nothing_to_the_simple_protocol() {
    let server = Server::start().await;
    let cookie = cookie_of_ben(&server).await;
    let ours = format!("http://{}", server.address());
    let mut wire = Wire::open(server.address(), "/ws", &[("Cookie", &cookie), ("Origin", &ours)]).await;
    wire.say(&json!({ "type": "join", "room": "lobby", "username": "Dot" }).to_string()).await;
    let welcome = wire.hear().await.unwrap();
    assert_eq!((&welcome["type"], &welcome["username"]), (&json!("welcome"), &json!("Dot")));
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn a_foreign_page_is_refused_by_the_simple_protocol_too() {
    let server = Server::start_with(|config| config.guests = server::config::Guests::On).await;
    let mut wire = Wire::open(server.address(), "/ws", &[("Origin", "http://evil.example")]).await;
    assert_eq!(wire.hear().await.unwrap()["type"], "error");
    assert_eq!(wire.hear().await, Err(4403));
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_refused_and_so_is_a_name() {
    let server = Server::start().await;
    let twice = upgrade(&server, "/ws", "").header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA==");
    assert_eq!(twice.send().await.refused(400), "bad_request");
    let named = upgrade(&server, "/ws/lobby?username=a&username=b", "").send().await;
    assert_eq!(named.refused(400), "bad_request");
    super::support::nothing_broke(&server);
}
