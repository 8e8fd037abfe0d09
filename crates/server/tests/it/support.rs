//! A real server on a free port with a data directory of its own, and the people who use it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by ending")]

use crate::tunnel::{self, Pair};
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use chat::{Clock, Database};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use protocol::{Role, RoomId, User};
use serde_json::{Value, json};
use server::config::Config;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse";

/// A running server; ends with the test.
pub struct Server {
    pub running: server::serve::Server,
    pub data: Arc<TempDir>,
    /// Where its people come in: its own address, or the way to it.
    entrance: SocketAddr,
    clock: Arc<AtomicI64>,
}

/// Somebody who asks things of a server.
#[derive(Clone)]
pub struct Actor {
    pub user: User,
    pub token: String,
    pub address: SocketAddr,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A request under construction.
pub struct Ask {
    address: SocketAddr,
    request: axum::http::request::Builder,
    body: Vec<u8>,
}

/// The PostgreSQL database of the servers in a folder, when the stories are told on PostgreSQL. Made when first asked for.
pub fn database_in(folder: &Path) -> Option<String> {
    if !crate::ON_POSTGRES {
        return None;
    }
    let noted = folder.join("database");
    if !noted.exists() {
        std::fs::write(&noted, testbed::database()).unwrap();
    }
    Some(std::fs::read_to_string(noted).unwrap())
}

impl Server {
    /// A server with the default settings.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A server with some settings changed.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), change).await
    }

    /// A server on a data directory that may hold something already.
    pub async fn start_in(data: Arc<TempDir>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: data.path().join("data"),
            database: database_in(data.path()).map(Database::Postgres),
            ..Config::default()
        };
        change(&mut config);
        let clock = Arc::new(AtomicI64::new(Clock::system().now()));
        let told = Arc::clone(&clock);
        let running = server::serve::Server::start(&config, Clock::new(move || told.load(Ordering::SeqCst)));
        let running = running.await.unwrap();
        Self { entrance: running.address(), running, data, clock }
    }

    /// A server that speaks TLS, whose people come by a way of their own to it.
    pub async fn start_over_tls() -> Self {
        let data = Arc::new(TempDir::new().unwrap());
        let pair = Pair::made_in(data.path());
        let mut server = Self::start_in(data, |config| {
            config.tls_cert = Some(pair.certificate.clone());
            config.tls_key = Some(pair.key.clone());
        })
        .await;
        server.entrance = tunnel::open(server.running.address(), pair.shown()).await;
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.entrance
    }

    /// Lets time pass for everything that expires.
    pub fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// A request as nobody in particular.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address(), method, path)
    }

    /// Ana: owner of the server.
    pub async fn ana(&self) -> Actor {
        self.account("Ana", Role::Owner).await
    }

    /// Ben: a member.
    pub async fn ben(&self) -> Actor {
        self.account("Ben", Role::Member).await
    }

    /// Cyd: has an account and is in no room but the lobby.
    pub async fn cyd(&self) -> Actor {
        self.account("Cyd", Role::Member).await
    }

    /// Dot: a bot.
    pub async fn dot(&self) -> Actor {
        self.account("Dot", Role::Member).await
    }

    /// Somebody with a new account, signed in by bearer token.
    pub async fn account(&self, name: &str, role: Role) -> Actor {
        self.running.app().chat.add_user(name, PASSWORD, role).await.unwrap();
        self.sign_in(name).await
    }

    /// Another session of somebody who has an account.
    pub async fn sign_in(&self, name: &str) -> Actor {
        let body = json!({ "name": name, "password": PASSWORD, "token": true });
        self.actor(self.ask("POST", "/api/v1/session").json(&body).await)
    }

    /// Somebody without an account.
    pub async fn guest(&self, name: &str) -> Actor {
        self.actor(self.ask("POST", "/api/v1/guests").json(&json!({ "name": name, "token": true })).await)
    }

    fn actor(&self, answer: Answer) -> Actor {
        let body = answer.ok();
        let user = serde_json::from_value(body["user"].clone()).unwrap();
        Actor { user, token: body["token"].as_str().unwrap().to_owned(), address: self.address() }
    }

    /// The token of the setup link.
    pub fn setup_token(&self) -> String {
        let link = self.running.app().setup.link().unwrap();
        link.split_once('=').unwrap().1.to_owned()
    }
}

impl Actor {
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.address, method, path).header("authorization", &format!("Bearer {}", self.token))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path).send().await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path).json(&body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask("PUT", path).json(&body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path).json(&body).await
    }

    /// Opens a room.
    pub async fn open(&self, name: &str, kind: &str) -> RoomId {
        let room = self.post("/api/v1/rooms", json!({ "name": name, "kind": kind })).await.ok();
        room["id"].as_str().unwrap().parse().unwrap()
    }

    /// Posts a message and gives its `seq`.
    pub async fn say(&self, room: RoomId, text: &str) -> u64 {
        let posted = self.post(&format!("/api/v1/rooms/{room}/messages"), json!({ "text": text })).await.ok();
        posted["seq"].as_u64().unwrap()
    }

    /// Brings somebody into a room.
    pub async fn bring(&self, room: RoomId, whom: &Actor) {
        self.ask("PUT", &format!("/api/v1/rooms/{room}/members/{}", whom.user.id)).send().await.ok();
    }

    /// Makes an invite and gives its id and token.
    pub async fn invite(&self, body: Value) -> (String, String) {
        let invite = self.post("/api/v1/invites", body).await.ok();
        (invite["id"].as_str().unwrap().to_owned(), invite["token"].as_str().unwrap().to_owned())
    }
}

impl Ask {
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let request = Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        Self { address, request, body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub async fn json(self, body: &Value) -> Answer {
        self.header("content-type", "application/json").body(body.to_string()).send().await
    }

    pub async fn send(self) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let running = tokio::spawn(connection);
        let has_host = self.request.headers_ref().is_some_and(|headers| headers.contains_key("host"));
        let request =
            if has_host { self.request } else { self.request.header("host", self.address.to_string()) };
        let response = sender.send_request(request.body(Body::from(self.body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        running.abort();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text());
        self.value()
    }

    /// The error's code, after seeing that the refusal is whole.
    pub fn refused(&self, status: u16) -> String {
        let body = self.value();
        assert_eq!(self.status.as_u16(), status, "{body}");
        assert!(body["params"].is_object(), "{body}");
        assert!(body["message"].as_str().is_some_and(|message| message.ends_with('.')), "{body}");
        assert_eq!(body["request_id"].as_str(), Some(self.header("x-request-id")), "{body}");
        body["code"].as_str().unwrap().to_owned()
    }

    /// Everything but the request's id, byte for byte.
    pub fn without_id(&self) -> String {
        self.text().replace(self.header("x-request-id"), "…")
    }

    /// The cookie that was set, ready to be sent back.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap().to_owned()
    }
}
