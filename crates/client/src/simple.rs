//! The simple protocol: rooms and people by name, nothing to resume.

use crate::address::Address;
use crate::connection::{Closing, ConnectError};
use crate::socket::{Heard, Socket};
use protocol::simple::{SimpleCommand, SimpleFrame};

/// One connection by the simple protocol. Closed when dropped.
pub struct Simple {
    socket: Socket,
}

/// Something that came from the server by the simple protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimpleReceived {
    /// A frame.
    Frame(SimpleFrame),
    /// A text that this version does not understand.
    Unreadable(String),
    /// The connection ended.
    Closed(Closing),
}

impl Simple {
    /// Connects to `address` without entering a room.
    ///
    /// # Errors
    /// [`ConnectError`]. A refusal does not show here: it comes as an `error` frame and close code 4403.
    pub async fn connect(address: impl Into<Address>) -> Result<Self, ConnectError> {
        Self::connect_to(address, "/ws", None).await
    }

    /// Connects to a path such as `/ws/lobby?username=Dot`, signed in by `token` if there is one.
    ///
    /// # Errors
    /// As [`Simple::connect`].
    pub async fn connect_to(
        address: impl Into<Address>,
        path: &str,
        token: Option<&str>,
    ) -> Result<Self, ConnectError> {
        Ok(Self { socket: Socket::open(&address.into(), path, None, token).await? })
    }

    /// Enters a room under a name. Answered by a `welcome` or an `error`. False when the connection is gone.
    pub async fn join(&self, room: &str, username: &str) -> bool {
        self.say(&SimpleCommand::Join { room: room.to_owned(), username: username.to_owned() }).await
    }

    /// Says something in the room that the connection is in. False when the connection is gone.
    pub async fn chat(&self, text: &str) -> bool {
        self.say(&SimpleCommand::Chat { text: text.to_owned() }).await
    }

    /// Leaves the room. False when the connection is gone.
    pub async fn leave(&self) -> bool {
        self.say(&SimpleCommand::Leave {}).await
    }

    /// Sends a text as it is. False when the connection is gone.
    pub async fn send_text(&self, text: impl Into<String>) -> bool {
        self.socket.send(text.into()).await
    }

    /// Sends a binary message, which the server refuses. False when the connection is gone.
    pub async fn send_binary(&self, bytes: Vec<u8>) -> bool {
        self.socket.send_binary(bytes).await
    }

    /// The next thing from the server. Safe to drop and call again; after `Closed` there is no more.
    pub async fn next(&mut self) -> SimpleReceived {
        loop {
            match self.socket.next().await {
                Heard::Text(text) => {
                    return match serde_json::from_str(&text) {
                        Ok(frame) => SimpleReceived::Frame(frame),
                        Err(_) => SimpleReceived::Unreadable(text),
                    };
                }
                Heard::Sign => {}
                Heard::End(closing) => return SimpleReceived::Closed(closing),
            }
        }
    }

    /// Reads on until a frame fits, and returns it; none when the connection ends first. Other frames are dropped.
    /// There is no deadline: callers set one.
    pub async fn until(&mut self, fits: impl Fn(&SimpleFrame) -> bool) -> Option<SimpleFrame> {
        loop {
            match self.next().await {
                SimpleReceived::Frame(frame) if fits(&frame) => return Some(frame),
                SimpleReceived::Frame(_) | SimpleReceived::Unreadable(_) => {}
                SimpleReceived::Closed(_) => return None,
            }
        }
    }

    /// Reads on until a chat with this text comes; false when the connection ends first.
    pub async fn hears(&mut self, text: &str) -> bool {
        self.until(|frame| matches!(frame, SimpleFrame::Chat(said) if said.chat.text == text)).await.is_some()
    }

    async fn say(&self, command: &SimpleCommand) -> bool {
        // Writing a `SimpleCommand` cannot fail: it holds strings only.
        match serde_json::to_string(command) {
            Ok(text) => self.socket.send(text).await,
            Err(_) => false,
        }
    }
}
