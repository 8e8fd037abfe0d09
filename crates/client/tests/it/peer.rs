//! The server's end of a socket, which knows nothing but JSON: it says fixtures and shows what it hears.

use client::{Backoff, Client, ConnectError, Options};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub const LOBBY: &str = "0192f0c1-0001-7000-8000-000000000001";
pub const GARDEN: &str = "0192f0c1-0001-7000-8000-000000000002";

/// How long a test may wait for an answer that should come at once.
const DEADLINE: Duration = Duration::from_secs(10);

pub fn fixture(name: &str) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/fixtures").join(format!("{name}.json"));
    let text = std::fs::read_to_string(path).expect(name);
    serde_json::from_str(&text).expect(name)
}

/// A `message_posted` in the lobby.
pub fn posted(seq: u64, text: &str) -> Value {
    let mut event = fixture("event.message_posted");
    event["seq"] = json!(seq);
    event["rev"] = json!(seq);
    event["n"] = json!(seq - 3);
    event["text"] = json!(text);
    event["nonce"] = json!(format!("n{seq}"));
    event["by"] = json!({"id": "0192f0c1-0000-7000-8000-00000000000b", "name": "Ben"});
    event
}

/// The fixture's hello with the lobby at `head`.
pub fn hello(head: u64) -> Value {
    let mut hello = fixture("frame.hello");
    hello["rooms"][0]["head"] = json!(head);
    hello
}

pub fn ok(command: &Value, body: Value) -> Value {
    json!({"type": "reply", "id": command["id"], "ok": body})
}

pub fn error(command: &Value, code: &str, retry_after_ms: Option<u64>) -> Value {
    let mut error = json!({"code": code, "params": {}, "message": "No."});
    if let Some(retry_after_ms) = retry_after_ms {
        error["retry_after_ms"] = json!(retry_after_ms);
    }
    json!({"type": "reply", "id": command["id"], "error": error})
}

pub struct Peer {
    listener: TcpListener,
    pub address: String,
}

/// One accepted WebSocket.
pub struct Talk {
    socket: WebSocketStream<TcpStream>,
    pub path: String,
    pub token: Option<String>,
}

impl Peer {
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        Self { listener, address }
    }

    pub async fn accept_tcp(&self) -> TcpStream {
        within(self.listener.accept()).await.expect("a connection").0
    }

    pub async fn accept(&self) -> Talk {
        let stream = self.accept_tcp().await;
        let (mut path, mut token) = (String::new(), None);
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let look = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            path = request.uri().to_string();
            let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
            token = header("authorization").map(str::to_owned);
            if header("sec-websocket-protocol") == Some("roomful.v1") {
                let value = HeaderValue::from_static("roomful.v1");
                response.headers_mut().insert("sec-websocket-protocol", value);
            }
            Ok(response)
        };
        let socket = within(accept_hdr_async(stream, look)).await.expect("an upgrade");
        Talk { socket, path, token }
    }

    /// Accepts a native client and greets it.
    pub async fn greet(&self, hello: &Value) -> Talk {
        let mut talk = self.accept().await;
        talk.says(hello).await;
        talk
    }

    /// Ana's client, connected and greeted.
    pub async fn ana(&self, hello: &Value) -> (Client, Talk) {
        let (ana, talk) = self.ana_with(quick(), hello).await;
        (ana.expect("a connected client"), talk)
    }

    pub async fn ana_with(&self, options: Options, hello: &Value) -> (Result<Client, ConnectError>, Talk) {
        tokio::join!(Client::connect_with(&self.address, "ana-token", options), self.greet(hello))
    }
}

impl Talk {
    pub async fn says(&mut self, frame: &Value) {
        self.says_text(&frame.to_string()).await;
    }

    pub async fn says_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("a listening client");
    }

    /// The next frame of the client, past pongs.
    pub async fn hears(&mut self) -> Value {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(text.as_str()).expect("JSON"),
                Some(Ok(Message::Pong(_))) => {}
                other => unreachable!("expected a frame, got {other:?}"),
            }
        }
    }

    /// The next frame of the client, which is of this type.
    pub async fn hears_a(&mut self, kind: &str) -> Value {
        let frame = self.hears().await;
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// Whether nothing has come that was not taken with [`Talk::hears`].
    pub fn has_nothing_to_hear(&mut self) -> bool {
        self.socket.next().now_or_never().is_none()
    }

    /// Ends the connection with a close frame, or without one.
    pub async fn ends(mut self, code: Option<u16>, reason: &str) {
        if let Some(code) = code {
            let frame = CloseFrame { code: code.into(), reason: reason.into() };
            self.socket.close(Some(frame)).await.expect("a close frame");
            // If the socket is dropped with the client's answer unread, the kernel sends a reset that may overtake
            // the frame.
            while let Some(Ok(_)) = within(self.socket.next()).await {}
        }
    }

    /// The close code with which the client leaves; none without a close frame.
    pub async fn end(&mut self) -> Option<u16> {
        loop {
            match within(self.socket.next()).await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}

/// Options that come back at once.
pub fn quick() -> Options {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(5));
    Options { backoff, record: true, ..Options::default() }
}

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("this should have come at once")
}
