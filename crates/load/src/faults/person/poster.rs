//! A person who posts over HTTP, as a script does. Each attempt is a request of its own, all with the same
//! `Idempotency-Key` until there is an answer.

use super::scene::{Part, Scene, is_of_the_moment, words};
use crate::faults::journal::{Journal, What};
use client::Api;
use client::api::{ApiError, Response};
use protocol::frame::{MessagePage, Posted};
use protocol::{ErrorCode, RoomId};
use serde_json::json;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long to wait before the next attempt.
const AGAIN: Duration = Duration::from_millis(20);

/// A person who posts over HTTP.
pub struct Poster {
    part: Part,
    scene: Scene,
    api: Api,
    count: u64,
    posted: Vec<(String, RoomId, String)>,
    /// Whether they are the outsider, who is never let into the garden and tries to see it.
    outsider: bool,
}

/// The outcome of one attempt.
enum Attempt {
    Posted(Posted),
    Refused(ErrorCode),
    InDoubt,
}

impl Poster {
    /// Lets a person live until the round closes.
    pub async fn live(part: Part, scene: Scene, outsider: bool) -> Journal {
        let api = Api::new(&scene.address).with_token(&part.account.token);
        let mut poster = Self { part, scene, api, count: 0, posted: Vec::new(), outsider };
        while poster.scene.is_live() {
            match poster.part.rng.u32(0..100) {
                0..80 => poster.post().await,
                80..90 => poster.post_again().await,
                _ if poster.outsider => poster.peek().await,
                _ => {}
            }
            poster.scene.rest(&mut poster.part.rng).await;
        }
        while !poster.scene.is_closing() {
            if let Some(heads) = poster.scene.heads() {
                poster.part.standing.is(&heads, None);
            }
            sleep(AGAIN).await;
        }
        poster.part.pen.close(poster.part.account.keeper(), vec![], vec![])
    }

    async fn post(&mut self) {
        self.count += 1;
        let nonce = format!("{}-{}", self.part.account.user.name.replace(' ', ""), self.count);
        let text = words(&nonce, &mut self.part.rng, self.scene.is_loud);
        let community = &self.scene.community;
        let room = if self.part.rng.u32(0..4) == 0 { community.kitchen } else { community.lobby };
        self.part.pen.note(What::Invoke { nonce: nonce.clone(), room, text: text.clone() });
        match self.attempt_until_known(&nonce, room, &text).await {
            Attempt::Posted(posted) => {
                self.part.pen.note(What::Ok { nonce: nonce.clone(), room, seq: posted.seq });
                if self.part.rng.u32(0..3) == 0 {
                    self.read_back(&nonce, room, posted.seq).await;
                }
                self.posted.push((nonce, room, text));
            }
            Attempt::Refused(code) => self.part.pen.note(What::Failed { nonce, code }),
            Attempt::InDoubt => self.part.pen.note(What::Unknown { nonce }),
        }
    }

    /// Sends a post again that was answered long ago: the answer must be the same.
    async fn post_again(&mut self) {
        if self.posted.is_empty() {
            return;
        }
        let (nonce, room, text) = self.posted[self.part.rng.usize(0..self.posted.len())].clone();
        if let Attempt::Posted(posted) = self.attempt(&nonce, room, &text).await {
            self.part.pen.note(What::Ok { nonce, room, seq: posted.seq });
        }
    }

    async fn attempt_until_known(&self, nonce: &str, room: RoomId, text: &str) -> Attempt {
        let mut doubt = false;
        for attempt in 0_u32.. {
            let name = if self.scene.new_nonces && attempt > 0 {
                format!("{nonce}x{attempt}")
            } else {
                nonce.to_owned()
            };
            match self.attempt(&name, room, text).await {
                Attempt::Posted(posted) => return Attempt::Posted(posted),
                Attempt::Refused(code) if is_of_the_moment(code) => doubt |= code == ErrorCode::Unknown,
                // After an attempt without an answer, this refusal does not tell whether that one was done.
                Attempt::Refused(_) if doubt => return Attempt::InDoubt,
                Attempt::Refused(code) => return Attempt::Refused(code),
                Attempt::InDoubt => doubt = true,
            }
            if self.scene.is_closing() {
                break;
            }
            sleep(AGAIN).await;
        }
        Attempt::InDoubt
    }

    async fn attempt(&self, nonce: &str, room: RoomId, text: &str) -> Attempt {
        let body = json!({ "text": text }).to_string();
        let path = format!("/api/v1/rooms/{room}/messages");
        let headers = [("Idempotency-Key", nonce)];
        let asked = timeout(PATIENCE, self.api.request_with("POST", &path, &headers, Some(body))).await;
        match asked.map(|response| response.and_then(|response| response.json::<Posted>())) {
            Ok(Ok(posted)) => Attempt::Posted(posted),
            Ok(Err(ApiError::Refused { body, .. })) => Attempt::Refused(body.error.code),
            Ok(Err(ApiError::Unreachable(_) | ApiError::Late | ApiError::Unreadable(_))) | Err(_) => {
                Attempt::InDoubt
            }
        }
    }

    async fn read_back(&self, nonce: &str, room: RoomId, seq: u64) {
        let path = format!("/api/v1/rooms/{room}/messages?around={seq}&limit=3");
        if let Some(Ok(page)) = self.get(&path).await.map(|response| response.json::<MessagePage>()) {
            let found =
                page.messages.iter().any(|message| message.seq == seq && message.nonce.as_str() == nonce);
            self.part.pen.note(What::ReadBack { nonce: nonce.to_owned(), room, seq, found });
        }
    }

    /// Tries every way to see something of a room that the person was never in.
    async fn peek(&mut self) {
        let room = self.scene.community.garden;
        let ways = ["messages", "events?after=0", "members"];
        let path = format!("/api/v1/rooms/{room}/{}", ways[self.part.rng.usize(0..ways.len())]);
        if let Some(response) = self.get(&path).await {
            self.part.pen.note(What::Peeked { room, status: response.status });
        }
    }

    async fn get(&self, path: &str) -> Option<Response> {
        timeout(PATIENCE, self.api.request("GET", path, None)).await.ok()?.ok()
    }
}
