//! A WebSocket to `/ws`, by whichever protocol.

use crate::address::{Address, Stream};
use crate::connection::{Closing, ConnectError};
use futures_util::{SinkExt, StreamExt, stream::SplitStream};
use protocol::http::ErrorBody;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request, StatusCode};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// How many frames may wait to be written. The native protocol has fewer unanswered commands, so the reading side
/// never waits for the writing side.
const WRITES: usize = 64;

/// An open WebSocket: reading here, writing in a task of its own, so that a server that reads slowly can still be
/// heard.
pub(crate) struct Socket {
    read: SplitStream<WebSocketStream<Box<dyn Stream>>>,
    /// None once the connection has ended.
    write: Option<mpsc::Sender<Message>>,
    writer: AbortHandle,
}

/// Something that came out of a socket.
pub(crate) enum Heard {
    Text(String),
    /// Something without a text: a ping, a pong, binary. It shows that the other end lives.
    Sign,
    /// The end, with its close code if there was one.
    End(Closing),
}

impl Socket {
    /// Connects to `path` on `address`, offering `subprotocol`, signed in by `token`.
    pub(crate) async fn open(
        address: &Address,
        path: &str,
        subprotocol: Option<&'static str>,
        token: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let request = request(address.authority(), path, subprotocol, token)?;
        let (socket, _) = client_async(request, address.connect().await?).await.map_err(refusal)?;
        let (mut sink, read) = socket.split();
        let (write, mut writes) = mpsc::channel(WRITES);
        let writer = tokio::spawn(async move {
            while let Some(message) = writes.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            // The last holder of the socket let go of it; the peer may be gone already.
            let _ = sink.close().await;
        });
        Ok(Self { read, write: Some(write), writer: writer.abort_handle() })
    }

    /// Queues a text; false when the connection is gone.
    pub(crate) async fn send(&self, text: String) -> bool {
        self.queue(Message::text(text)).await
    }

    /// Queues bytes as a binary message; false when the connection is gone.
    pub(crate) async fn send_binary(&self, bytes: Vec<u8>) -> bool {
        self.queue(Message::binary(bytes)).await
    }

    async fn queue(&self, message: Message) -> bool {
        match &self.write {
            Some(write) => write.send(message).await.is_ok(),
            None => false,
        }
    }

    /// Ends the TCP connection without a close frame, as a broken network does.
    pub(crate) fn sever(self) {
        self.writer.abort();
    }

    /// The next thing that is heard. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> Heard {
        let ended = match self.read.next().await {
            Some(Ok(Message::Text(text))) => return Heard::Text(text.as_str().to_owned()),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                return Heard::Sign;
            }
            Some(Ok(Message::Close(frame))) => closing(frame.as_ref()),
            Some(Err(_)) | None => closing(None),
        };
        // Lets the writing task go, which answers the close frame.
        self.write = None;
        Heard::End(ended)
    }
}

fn closing(frame: Option<&CloseFrame>) -> Closing {
    #[derive(serde::Deserialize)]
    struct Reason {
        retry_after_ms: u64,
    }
    let reason = frame.and_then(|frame| serde_json::from_str::<Reason>(frame.reason.as_str()).ok());
    Closing {
        code: frame.map(|frame| frame.code.into()),
        retry_after: reason.map(|reason| Duration::from_millis(reason.retry_after_ms)),
    }
}

fn request(
    authority: &str,
    path: &str,
    subprotocol: Option<&'static str>,
    token: Option<&str>,
) -> Result<Request<()>, ConnectError> {
    // Only makes the head of the request. The stream that carries it is open already.
    let mut request = format!("ws://{authority}{path}").into_client_request().map_err(refusal)?;
    let headers = request.headers_mut();
    if let Some(subprotocol) = subprotocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    }
    if let Some(token) = token {
        let value = format!("Bearer {token}");
        let value =
            value.parse().map_err(|_| ConnectError::Handshake("the token is not visible ASCII".into()))?;
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}

fn refusal(error: tungstenite::Error) -> ConnectError {
    match error {
        tungstenite::Error::Io(error) => ConnectError::Unreachable(error),
        tungstenite::Error::Http(response) if response.status() != StatusCode::SWITCHING_PROTOCOLS => {
            let body = response.body().as_deref().unwrap_or_default();
            let error = serde_json::from_slice(body).ok().map(|body: ErrorBody| Box::new(body.error));
            ConnectError::Refused { status: response.status().as_u16(), error }
        }
        other => ConnectError::Handshake(other.to_string()),
    }
}
