//! A person on the simple protocol, as with `websocat`: no account, no retry, nothing to resume.

use super::scene::{Part, Scene, words};
use crate::faults::journal::{Journal, Keeper, What};
use client::{Simple, SimpleReceived};
use protocol::RoomId;
use protocol::simple::SimpleFrame;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long to wait until the own words come back.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// A passing visitor.
pub struct Visitor {
    part: Part,
    scene: Scene,
    name: String,
    /// The room that they are in.
    room: RoomId,
    count: u64,
}

impl Visitor {
    /// Lets a visitor live in the lobby until the round closes.
    pub async fn live(part: Part, scene: Scene, name: String) -> Journal {
        let room = scene.community.lobby;
        let mut visitor = Self { part, scene, name, room, count: 0 };
        while visitor.scene.is_live() {
            if let Ok(socket) = Simple::connect(&visitor.scene.address).await {
                visitor.part.pen.note(What::SimpleBegins {});
                visitor.stay(socket).await;
            }
            visitor.scene.rest(&mut visitor.part.rng).await;
        }
        while !visitor.scene.is_closing() {
            if let Some(heads) = visitor.scene.heads() {
                visitor.part.standing.is(&heads, None);
            }
            sleep(Duration::from_millis(20)).await;
        }
        let keeper = Keeper { name: visitor.name.clone(), user: None };
        visitor.part.pen.close(keeper, vec![], vec![])
    }

    async fn stay(&mut self, mut socket: Simple) {
        socket.join("lobby", &self.name).await;
        while self.scene.is_live() {
            let goes_on = match self.part.rng.u32(0..100) {
                0..70 => self.chat(&mut socket).await,
                70..96 => self.listen(&mut socket, Duration::from_millis(30)).await,
                _ => false,
            };
            if !goes_on {
                return;
            }
            if self.scene.is_flapping {
                // A thousand people hear each chat.
                self.scene.rest(&mut self.part.rng).await;
            }
        }
    }

    async fn listen(&self, socket: &mut Simple, time: Duration) -> bool {
        let until = Instant::now() + time;
        while let Ok(received) = timeout_at(until, socket.next()).await {
            if !self.note(received, None) {
                return false;
            }
        }
        true
    }

    /// Says something and waits until it comes back. Without that it stays in doubt for ever.
    async fn chat(&mut self, socket: &mut Simple) -> bool {
        self.count += 1;
        let nonce = format!("{}-{}", self.name.replace(' ', ""), self.count);
        let text = words(&nonce, &mut self.part.rng, self.scene.is_loud);
        self.part.pen.note(What::Invoke { nonce: nonce.clone(), room: self.room, text: text.clone() });
        if !socket.chat(&text).await {
            self.part.pen.note(What::Unknown { nonce });
            return false;
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let Ok(received) = timeout_at(until, socket.next()).await else {
                self.part.pen.note(What::Unknown { nonce });
                return true;
            };
            let is_heard = matches!(
                &received,
                SimpleReceived::Frame(SimpleFrame::Chat(heard)) if heard.chat.text == text
            );
            if !self.note(received, Some(&nonce)) {
                self.part.pen.note(What::Unknown { nonce });
                return false;
            }
            if is_heard {
                return true;
            }
        }
    }

    /// Notes what was received; false at the end of the connection.
    fn note(&self, received: SimpleReceived, mine: Option<&str>) -> bool {
        match received {
            SimpleReceived::Frame(frame) => {
                if let (Some(nonce), SimpleFrame::Chat(heard)) = (mine, &frame)
                    && heard.chat.text.split(' ').next() == Some(nonce)
                {
                    self.part.pen.note(What::Ok {
                        nonce: nonce.to_owned(),
                        room: self.room,
                        seq: heard.chat.seq,
                    });
                }
                let text = serde_json::to_string(&frame).unwrap_or_default();
                self.part.pen.note(What::SimpleFrame { text });
                true
            }
            SimpleReceived::Unreadable(text) => {
                self.part.pen.note(What::SimpleFrame { text });
                true
            }
            SimpleReceived::Closed(_) => false,
        }
    }
}
