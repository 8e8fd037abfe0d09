//! Somebody with an account, asking over HTTP: what must be true before a story begins, and what is true after it.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::SET_COOKIE;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// Somebody who is signed in by cookie, as browsers are.
#[derive(Clone)]
pub struct Account {
    pub id: String,
    /// `name=value`.
    pub cookie: String,
    address: SocketAddr,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Account {
    /// Whoever signed in with this answer.
    pub fn of(address: SocketAddr, answer: &Answer) -> Self {
        let id = answer.ok()["user"]["id"].as_str().unwrap().to_owned();
        let cookie = answer.headers[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { id, cookie, address }
    }

    /// The same account, asking at another address.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let origin = format!("http://{}", self.address);
        let headers = [("cookie", self.cookie.as_str()), ("origin", origin.as_str())];
        ask(self.address, method, &format!("/api/v1{path}"), &headers, body).await.ok()
    }

    /// The id of a room everybody is in or may join.
    pub async fn room(&self, name: &str) -> String {
        let rooms = self.ask("GET", "/rooms", None).await;
        let all = ["mine", "open"].into_iter().flat_map(|list| rooms[list].as_array().unwrap());
        let id = all.into_iter().find(|room| room["name"] == name).unwrap()["id"].as_str();
        id.unwrap().to_owned()
    }

    /// Opens a room and gives its id.
    pub async fn open(&self, name: &str, kind: &str) -> String {
        let room = self.ask("POST", "/rooms", Some(&json!({ "name": name, "kind": kind }))).await;
        room["id"].as_str().unwrap().to_owned()
    }

    /// Brings somebody into a room.
    pub async fn bring(&self, room: &str, whom: &Self) {
        self.ask("PUT", &format!("/rooms/{room}/members/{}", whom.id), None).await;
    }

    /// Takes somebody out of a room.
    pub async fn remove(&self, room: &str, whom: &Self) {
        self.ask("DELETE", &format!("/rooms/{room}/members/{}", whom.id), None).await;
    }

    /// Makes an invite and gives its link.
    pub async fn invite(&self) -> String {
        self.ask("POST", "/invites", Some(&json!({}))).await["link"].as_str().unwrap().to_owned()
    }

    /// Posts a message and gives its `seq`.
    pub async fn say(&self, room: &str, text: &str) -> u64 {
        let posted =
            self.ask("POST", &format!("/rooms/{room}/messages"), Some(&json!({ "text": text }))).await;
        posted["seq"].as_u64().unwrap()
    }

    /// The newest messages of a room.
    pub async fn messages(&self, room: &str) -> Vec<Value> {
        let page = self.ask("GET", &format!("/rooms/{room}/messages"), None).await;
        page["messages"].as_array().unwrap().clone()
    }

    /// What the newest messages of a room say.
    pub async fn texts(&self, room: &str) -> Vec<String> {
        self.messages(room).await.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }
}

impl Answer {
    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// One request over a connection of its own.
pub async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let running = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", address.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default()));
    let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    running.abort();
    Answer { status: parts.status, headers: parts.headers, text }
}
