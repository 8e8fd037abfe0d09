//! Limits: each is hit over real sockets, says so and when to come back, and leaves the neighbours alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use crate::stories::handshakes::upgrade;
use crate::stories::support::{PATIENCE, closing, connection, in_time, next_reply};
use crate::stories::wire::Wire;
use crate::support::{Actor, Answer, Ask, Server};
use crate::tunnel::Pair;
use protocol::{CloseCode, Command};
use server::config::{Guests, Limits};
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

const FAR: &str = "192.0.2.1";
const FARTHER: &str = "198.51.100.7";
const LIMIT: u16 = CloseCode::Limit.number();

/// A server behind a proxy at this machine, so that its people come from wherever they say.
async fn server(change: impl FnOnce(&mut Limits)) -> Server {
    Server::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.guests = Guests::On;
        change(&mut config.limits);
    })
    .await
}

fn number(number: u32) -> NonZero<u32> {
    NonZero::new(number).unwrap()
}

/// An opening handshake of somebody far away.
fn handshake(server: &Server, who: &Actor, from: &str) -> Ask {
    upgrade(server, "/ws", "roomful.v1")
        .header("authorization", &format!("Bearer {}", who.token))
        .header("x-forwarded-for", from)
}

async fn native(server: &Server, who: &Actor, from: &str) -> Wire {
    let bearer = format!("Bearer {}", who.token);
    let fields = [
        ("Sec-WebSocket-Protocol", "roomful.v1"),
        ("Authorization", bearer.as_str()),
        ("X-Forwarded-For", from),
    ];
    let mut wire = Wire::open(server.address(), "/ws", &fields).await;
    assert_eq!(wire.hear().await.unwrap()["type"], "hello");
    wire
}

/// A refusal that says when to come back, in the body and in a header.
fn is_for_a_while(answer: &Answer, status: u16) -> String {
    let code = answer.refused(status);
    assert!(answer.value()["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{}", answer.text());
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|wait| wait > 0));
    code
}

/// Asks until the answer is this: what ended is counted a moment later.
async fn comes_to_answer(ask: impl AsyncFn() -> Answer, status: u16) {
    in_time("a free place", async {
        while ask().await.status.as_u16() != status {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn who_sends_too_many_frames_is_closed_for_a_while_on_either_protocol() {
    let server = server(|limits| limits.frames_per_second = number(1)).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let mut neighbour = connection(&ana).await;
    let mut wire = native(&server, &ben, FAR).await;
    let mut script = Wire::open(server.address(), "/ws", &[("X-Forwarded-For", FAR)]).await;

    for number in 0..12 {
        wire.say(&format!(r#"{{"id":{number},"type":"list_rooms"}}"#)).await;
        script.say(r#"{"type":"leave"}"#).await;
    }

    assert!(wire.is_closed_for_a_while(LIMIT).await && script.is_closed_for_a_while(LIMIT).await);
    for _ in 0..30 {
        neighbour.send(Command::ListRooms { cursor: None }).await.unwrap();
        assert_eq!(next_reply(&mut neighbour).await.error, None);
    }
}

#[tokio::test]
async fn who_sends_too_many_bytes_is_closed_for_a_while() {
    let server = server(|limits| limits.bytes_per_second = number(8_192)).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let mut neighbour = connection(&ana).await;
    let mut wire = native(&server, &ben, FAR).await;

    for _ in 0..2 {
        wire.say(&format!(r#"{{"id":1,"type":"list_rooms","more":"{}"}}"#, "x".repeat(50_000))).await;
    }

    assert!(wire.is_closed_for_a_while(LIMIT).await);
    neighbour.send(Command::ListRooms { cursor: None }).await.unwrap();
    assert_eq!(next_reply(&mut neighbour).await.error, None);
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_another_has_its_own() {
    let server = server(|limits| limits.connections_per_address = 2).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let one = native(&server, &ana, FAR).await;
    let _two = Wire::open(server.address(), "/ws", &[("X-Forwarded-For", FAR)]).await;

    assert_eq!(is_for_a_while(&handshake(&server, &ben, FAR).send().await, 429), "rate_limited");
    let script = upgrade(&server, "/ws", "").header("x-forwarded-for", FAR).send().await;
    assert_eq!(is_for_a_while(&script, 429), "rate_limited");
    let _neighbour = native(&server, &ben, FARTHER).await;

    drop(one);
    comes_to_answer(async || handshake(&server, &ben, FAR).send().await, 101).await;
}

/// An address of this machine that is not loopback. What is sent to it does not leave the machine, and yet counts.
async fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await.ok()?;
    // Sends nothing: only asks by which address one would come there.
    socket.connect((FAR, 9)).await.ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn connections_that_ask_nothing_count_for_their_address_too() {
    let Some(own) = own_address().await else {
        return eprintln!("This machine has no address but loopback, where nobody is limited.");
    };
    let server = Server::start_with(|config| {
        config.listen = ([0, 0, 0, 0], 0).into();
        config.limits.connections_per_address = 2;
        // Longer than the test's patience: nobody is let go for saying nothing.
        config.limits.handshake = 2 * PATIENCE;
    })
    .await;
    let port = server.running.address().port();
    let ask = |from: IpAddr| Ask::new((from, port).into(), "GET", "/api/v1/session").send();
    let silent = async || TcpStream::connect((own, port)).await.unwrap();
    let two = [silent().await, silent().await];

    let refused = ask(own).await;
    assert_eq!(is_for_a_while(&refused, 429), "rate_limited");
    assert_eq!(refused.header("connection"), "close");
    drop(two);
    comes_to_answer(async || ask(own).await, 200).await;

    let mut crowd = JoinSet::new();
    for _ in 0..60 {
        crowd.spawn(hangs_up(silent().await));
    }
    let first = in_time("an end", crowd.join_next()).await.unwrap().unwrap();
    assert!(first.is_empty(), "beyond a few nobody is even told");
    ask([127, 0, 0, 1].into()).await.ok();
}

#[tokio::test]
async fn a_user_has_so_many_connections_wherever_they_come_from() {
    let server = server(|limits| limits.connections_per_user = 2).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let one = native(&server, &ben, FAR).await;
    let bearer = format!("Bearer {}", ben.token);
    let fields = [("X-Forwarded-For", FARTHER), ("Authorization", bearer.as_str())];
    let _two = Wire::open(server.address(), "/ws", &fields).await;

    assert_eq!(is_for_a_while(&handshake(&server, &ben, FAR).send().await, 429), "rate_limited");
    let _neighbour = native(&server, &ana, FAR).await;

    drop(one);
    comes_to_answer(async || handshake(&server, &ben, FAR).send().await, 101).await;
}

#[tokio::test]
async fn somebody_at_this_machine_has_no_limit_but_the_number_of_all() {
    let server = Server::start_with(|config| {
        config.limits = Limits {
            connections_per_address: 1,
            connections_per_user: 1,
            frames_per_second: number(1),
            bytes_per_second: number(1),
            requests_per_second: number(1),
            ..Limits::default()
        };
    })
    .await;
    let ben = server.ben().await;
    let mut connections = Vec::new();
    for _ in 0..30 {
        connections.push(connection(&ben).await);
    }
    for bare in &mut connections {
        for _ in 0..12 {
            bare.send(Command::ListRooms { cursor: None }).await.unwrap();
        }
        for _ in 0..12 {
            assert_eq!(next_reply(bare).await.error, None);
        }
    }
}

#[tokio::test]
async fn there_are_so_many_connections_in_all_and_whoever_comes_then_is_told() {
    let server = server(|limits| limits.connections = 3).await;
    let ana = server.ana().await;
    let mut neighbour = connection(&ana).await;
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(server.address()).await.unwrap());
    }

    comes_to_answer(async || ana.get("/api/v1/rooms").await, 503).await;
    let refused = ana.get("/api/v1/rooms").await;
    assert_eq!(is_for_a_while(&refused, 503), "overloaded");
    assert_eq!(refused.header("connection"), "close");
    for path in ["/healthz", "/readyz"] {
        let lives = ana.get(path).await;
        assert_eq!(
            (lives.status.as_u16(), lives.header("connection")),
            (200, "close"),
            "a full server lives"
        );
    }
    neighbour.send(Command::ListRooms { cursor: None }).await.unwrap();
    assert_eq!(next_reply(&mut neighbour).await.error, None);

    // More than are ever accepted: the others wait in the system's queue, and nothing breaks.
    for _ in 0..100 {
        idle.push(TcpStream::connect(server.address()).await.unwrap());
    }
    drop(idle);
    comes_to_answer(async || ana.get("/api/v1/rooms").await, 200).await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let server = server(|limits| limits.requests_per_second = number(1)).await;
    let ask =
        |from: &'static str| server.ask("GET", "/api/v1/session").header("x-forwarded-for", from).send();

    for _ in 0..10 {
        ask(FAR).await.ok();
    }
    assert_eq!(is_for_a_while(&ask(FAR).await, 429), "rate_limited");
    let socket = upgrade(&server, "/ws", "").header("x-forwarded-for", FAR).send().await;
    assert_eq!(is_for_a_while(&socket, 429), "rate_limited");
    ask(FARTHER).await.ok();
    let page = server.ask("GET", "/").header("x-forwarded-for", FAR).send().await;
    assert_eq!(page.status.as_u16(), 200, "the page itself costs little");
}

/// Reads until the server hangs up.
async fn hangs_up(mut stream: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    // A reset ends it as well as an orderly end.
    let _ = in_time("the end", stream.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn a_head_that_never_ends_does_not_hold_a_connection() {
    let server = server(|limits| limits.handshake = Duration::from_secs(1)).await;
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"GET /api/v1/session HTTP/1.1\r\nHost: ").await.unwrap();
    let silent = TcpStream::connect(server.address()).await.unwrap();

    server.ask("GET", "/api/v1/session").send().await.ok();
    assert!(hangs_up(slow).await.is_empty() && hangs_up(silent).await.is_empty());
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_does_not_hold_a_connection() {
    let data = Arc::new(TempDir::new().unwrap());
    let pair = Pair::made_in(data.path());
    let server = Server::start_in(data, |config| {
        config.tls_cert = Some(pair.certificate.clone());
        config.tls_key = Some(pair.key.clone());
        config.limits.handshake = Duration::from_secs(1);
    })
    .await;
    let silent = TcpStream::connect(server.address()).await.unwrap();
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"\x16\x03\x01\x02\0").await.unwrap();

    crate::tunnel::connect(server.address(), &[pair.shown()]).await.unwrap();
    assert!(hangs_up(slow).await.is_empty() && hangs_up(silent).await.is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = server(|_| {}).await;
    let large = server.ask("GET", "/api/v1/session").header("x-more", &"x".repeat(17_000)).send().await;
    assert_eq!(large.status.as_u16(), 431);
    let many = (0..120).fold(server.ask("GET", "/api/v1/session"), |ask, number| {
        ask.header(&format!("x-more-{number}"), "x")
    });
    assert_eq!(many.send().await.status.as_u16(), 431);
    let fits = server.ask("GET", "/api/v1/session").header("x-more", &"x".repeat(12_000)).send().await;
    fits.ok();
}

#[tokio::test]
async fn a_connection_ends_when_its_session_expires() {
    const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;
    let server = server(|_| {}).await;
    let mut bare = connection(&server.ben().await).await;
    let mut visitor = Wire::open(server.address(), "/ws", &[]).await;

    server.pass(YEAR);

    assert_eq!(closing(&mut bare).await.0, Some(CloseCode::SessionEnded.number()));
    visitor.say(r#"{"type":"join","room":"lobby","username":"Dot"}"#).await;
    assert_eq!(visitor.hear().await.unwrap()["type"], "welcome", "who has no session stays");
    assert!(PATIENCE > Duration::from_secs(10));
}

#[tokio::test]
async fn who_stays_connected_stays_signed_in() {
    const DAYS_60: i64 = 60 * 24 * 60 * 60 * 1000;
    let server = server(|_| {}).await;
    let (ben, dot) = (server.ben().await, server.dot().await);
    let mut bens = connection(&ben).await;
    let token = format!("Bearer {}", dot.token);
    let mut dots = Wire::open(server.address(), "/ws", &[("authorization", &token)]).await;
    let join = r#"{"type":"join","room":"lobby","username":"Dot"}"#;
    dots.say(join).await;
    for heard in ["welcome", "joined", "roster"] {
        assert_eq!(dots.hear().await.unwrap()["type"], heard);
    }
    for _ in 0..3 {
        server.pass(DAYS_60);
        server.running.app().keep_signed_in().await.unwrap();
    }
    server.running.app().chat.end_expired().await.unwrap();

    bens.send(Command::ListInvites {}).await.unwrap();
    assert_eq!(next_reply(&mut bens).await.error, None);
    dots.say(join).await;
    assert_eq!(dots.hear().await.unwrap()["type"], "welcome");
}
