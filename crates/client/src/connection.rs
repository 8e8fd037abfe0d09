//! One bare native connection: commands out, frames in. No reconnecting, no state.

use crate::address::Address;
use crate::socket::{Heard, Socket};
use protocol::frame::Hello;
use protocol::{ClientFrame, CloseCode, Command, SUBPROTOCOL, ServerFrame};
use std::time::Duration;

/// How long a server may take to accept a connection and say hello.
const HELLO: Duration = Duration::from_secs(10);

/// One native WebSocket, from its hello to its close frame. For programs that want to see every frame; other programs
/// use [`crate::Client`].
///
/// Closed when dropped. The client keeps nothing that it has not been asked for: to the server, a program that does
/// not call [`Connection::next`] is a slow reader.
pub struct Connection {
    socket: Socket,
    hello: Hello,
    hello_text: String,
    next_id: u64,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// The close code, if there was one.
    pub code: Option<u16>,
    /// How long the server asks the client to stay away, where it said so.
    pub retry_after: Option<Duration>,
}

impl Closing {
    /// Without a close frame.
    pub(crate) const CUT: Self = Self { code: None, retry_after: None };

    /// How long to stay away, for a client that would wait for `own` by itself. A server that restarts gives each
    /// client a time of its own. Other times are the same for many clients, and the least to wait.
    pub(crate) fn wait(&self, own: Duration) -> Duration {
        match (self.code, self.retry_after) {
            (Some(code), Some(wait)) if code == CloseCode::Restart.number() => wait,
            (_, wait) => own.max(wait.unwrap_or_default()),
        }
    }
}

/// Why a connection could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server answers at this address.
    #[error("the server cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    /// The server answered the upgrade with an HTTP error.
    #[error("the server refused the connection with {status}{}", error.as_ref().map(|e| format!(": {e}")).unwrap_or_default())]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error that the server sent, if it was one of ours.
        error: Option<Box<protocol::Error>>,
    },
    /// The peer does not speak our protocol.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The connection ended before the hello, with this close code.
    #[error("the connection ended before the hello (close code {:?})", .0.code)]
    Closed(Closing),
    /// No hello in time.
    #[error("the server did not say hello in time")]
    Silent,
}

/// Something that came from the server.
#[derive(Debug)]
pub enum Received {
    /// A frame.
    Frame {
        /// The text on the wire.
        text: String,
        /// The frame, understood.
        frame: Box<ServerFrame>,
    },
    /// A text that is no frame of ours: the server is at fault.
    Unreadable(String),
    /// A ping, a pong or a binary message: it shows that the server lives.
    Sign,
    /// The connection ended.
    Closed(Closing),
}

impl Connection {
    /// Connects to `address` and waits for the hello.
    ///
    /// # Errors
    /// [`ConnectError`], which tells a broken network, the server's refusal and its silence apart.
    pub async fn open(address: impl Into<Address>, token: Option<&str>) -> Result<Self, ConnectError> {
        let address = address.into();
        let opened = tokio::time::timeout(HELLO, async {
            let mut socket = Socket::open(&address, "/ws", Some(SUBPROTOCOL), token).await?;
            loop {
                match socket.next().await {
                    Heard::Sign => {}
                    Heard::End(closing) => return Err(ConnectError::Closed(closing)),
                    Heard::Text(hello_text) => {
                        let Ok(ServerFrame::Hello(hello)) = ServerFrame::decode(&hello_text) else {
                            return Err(no_hello(&hello_text));
                        };
                        return Ok(Self { socket, hello, hello_text, next_id: 1 });
                    }
                }
            }
        });
        opened.await.unwrap_or(Err(ConnectError::Silent))
    }

    /// The first frame of the connection.
    pub const fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The first frame as it was sent.
    pub fn hello_text(&self) -> &str {
        &self.hello_text
    }

    /// Sends a command and returns the id that its reply will carry; none when the connection is gone.
    pub async fn send(&mut self, command: Command) -> Option<u64> {
        let id = self.next_id;
        self.next_id += 1;
        // Writing a `Command` cannot fail: it holds strings and numbers only.
        let text = serde_json::to_string(&ClientFrame { id, command }).ok()?;
        self.socket.send(text).await.then_some(id)
    }

    /// Sends a text as it is, for tests of what the server makes of it. False when the connection is gone.
    pub async fn send_text(&self, text: impl Into<String>) -> bool {
        self.socket.send(text.into()).await
    }

    /// Sends a binary message, which the server refuses. False when the connection is gone.
    pub async fn send_binary(&self, bytes: Vec<u8>) -> bool {
        self.socket.send_binary(bytes).await
    }

    /// The next thing from the server. Safe to drop and call again; after [`Received::Closed`] there is no more.
    pub async fn next(&mut self) -> Received {
        match self.socket.next().await {
            Heard::Text(text) => match ServerFrame::decode(&text) {
                Ok(frame) => Received::Frame { text, frame: Box::new(frame) },
                Err(_) => Received::Unreadable(text),
            },
            Heard::Sign => Received::Sign,
            Heard::End(closing) => Received::Closed(closing),
        }
    }

    /// Ends the connection without a close frame, as a broken network does.
    pub fn sever(self) {
        self.socket.sever();
    }

    /// The next frame, past pings; none at the end of the connection or at a text that is no frame.
    pub async fn next_frame(&mut self) -> Option<ServerFrame> {
        loop {
            match self.next().await {
                Received::Frame { frame, .. } => return Some(*frame),
                Received::Sign => {}
                Received::Unreadable(_) | Received::Closed(_) => return None,
            }
        }
    }
}

fn no_hello(text: &str) -> ConnectError {
    let shown: String = text.chars().take(200).collect();
    ConnectError::Handshake(format!("expected a hello, got {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_names_the_time_to_come_back_and_other_closings_the_earliest() {
        let (own, asked) = (Duration::from_millis(300), Duration::from_millis(20));
        let wait = |code, retry_after| Closing { code, retry_after }.wait(own);
        assert_eq!(wait(Some(1012), Some(asked)), asked);
        assert_eq!(wait(Some(1012), None), own);
        assert_eq!(wait(Some(1008), Some(asked)), own);
        assert_eq!(wait(Some(1008), Some(Duration::from_secs(9))), Duration::from_secs(9));
        assert_eq!(wait(None, None), own);
    }
}
