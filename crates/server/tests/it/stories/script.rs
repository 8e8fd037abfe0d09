//! A script by the simple protocol that looks at each frame.

use super::support::in_time;
use crate::support::{Actor, Server};
use client::{Simple, SimpleReceived};
use protocol::simple::SimpleFrame;

/// Somebody with `websocat`.
pub struct Script {
    pub simple: Simple,
}

impl Script {
    /// Connects, in no room yet.
    pub async fn open(server: &Server) -> Self {
        Self::open_at(server, "/ws", None).await
    }

    /// Connects as the user of a token.
    pub async fn open_as(server: &Server, who: &Actor) -> Self {
        Self::open_at(server, "/ws", Some(&who.token)).await
    }

    /// Connects to a path.
    pub async fn open_at(server: &Server, path: &str, token: Option<&str>) -> Self {
        let simple = Simple::connect_to(&server.address().to_string(), path, token).await.unwrap();
        Self { simple }
    }

    /// Connects, joins, and has heard all that comes of it.
    pub async fn in_room(server: &Server, room: &str, username: &str) -> Self {
        let mut script = Self::open(server).await;
        script.join(room, username).await;
        script.settle_in(room, username).await;
        script
    }

    /// Has heard what comes of joining.
    pub async fn settle_in(&mut self, room: &str, username: &str) {
        let heard = self.hears().await;
        assert!(matches!(&heard, SimpleFrame::Welcome { room: to, .. } if to == room), "{heard:?}");
        assert_eq!(self.hears().await, joined(room, username));
        let heard = self.hears().await;
        assert!(matches!(&heard, SimpleFrame::Roster { .. }), "{heard:?}");
    }

    pub async fn join(&self, room: &str, username: &str) {
        assert!(self.simple.join(room, username).await, "the connection is gone");
    }

    pub async fn chat(&self, text: &str) {
        assert!(self.simple.chat(text).await, "the connection is gone");
    }

    pub async fn leave(&self) {
        assert!(self.simple.leave().await, "the connection is gone");
    }

    pub async fn says(&self, text: &str) {
        assert!(self.simple.send_text(text).await, "the connection is gone");
    }

    /// The next frame.
    pub async fn hears(&mut self) -> SimpleFrame {
        match in_time("a frame", self.simple.next()).await {
            SimpleReceived::Frame(frame) => frame,
            other => panic!("{other:?} in place of a frame"),
        }
    }

    /// The next frame is a chat: who said what.
    pub async fn hears_chat(&mut self) -> (String, String) {
        match self.hears().await {
            SimpleFrame::Chat(said) => (said.chat.username, said.chat.text),
            other => panic!("{other:?} in place of a chat"),
        }
    }

    /// The next frame is an error: its message.
    pub async fn hears_error(&mut self) -> String {
        match self.hears().await {
            SimpleFrame::Error { message } => message,
            other => panic!("{other:?} in place of an error"),
        }
    }

    /// Passes over everything up to a chat that says `text`.
    pub async fn hears_of(&mut self, text: &str) {
        assert!(in_time(text, self.simple.hears(text)).await, "the connection ended before {text:?}");
    }

    /// The code the connection is closed with, past whatever comes before.
    pub async fn closes(&mut self) -> Option<u16> {
        loop {
            if let SimpleReceived::Closed(closing) = in_time("the close", self.simple.next()).await {
                return closing.code;
            }
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A welcome to a room in which nothing was said yet.
pub fn welcome(room: &str, username: &str, users: &[&str]) -> SimpleFrame {
    let (room, username, users) = (room.to_owned(), username.to_owned(), owned(users));
    SimpleFrame::Welcome { room, username, users, count: None, history: Vec::new() }
}

pub fn joined(room: &str, username: &str) -> SimpleFrame {
    SimpleFrame::Joined { room: room.to_owned(), username: username.to_owned() }
}

pub fn left(room: &str, username: &str) -> SimpleFrame {
    SimpleFrame::Left { room: room.to_owned(), username: username.to_owned() }
}

pub fn roster(room: &str, users: &[&str]) -> SimpleFrame {
    SimpleFrame::Roster { room: room.to_owned(), users: owned(users), count: None }
}

/// Who said what.
pub fn chat(username: &str, text: &str) -> (String, String) {
    (username.to_owned(), text.to_owned())
}
