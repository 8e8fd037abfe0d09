//! A person with a whole client, which reconnects, resumes, and sends unanswered posts again.

use super::scene::{Heads, Part, Scene, words};
use crate::faults::journal::{Journal, Screen, What};
use client::{Backoff, Client, Failure, Link, Options, PendingState, Window};
use protocol::frame::Posted;
use protocol::{Nonce, RoomId, UserId};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long to wait for an answer before doing something else. The client goes on trying.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How often the screen is compared while it is to agree.
const LOOK: Duration = Duration::from_millis(10);

/// A person with a whole client.
pub struct Member {
    part: Part,
    scene: Scene,
    client: Client,
    count: u64,
    /// Own messages that are known to be posted.
    posted: Vec<(RoomId, u64)>,
    /// Whether they invite people into the garden and remove them.
    gardens: bool,
}

impl Member {
    /// Connects a person, and lets them live until the round closes.
    pub async fn live(part: Part, scene: Scene, gardens: bool) -> Journal {
        let Some(client) = connect(&part, &scene).await else {
            return part.pen.close(part.account.keeper(), vec![], vec![]);
        };
        let mut member = Self { part, scene, client, count: 0, posted: Vec::new(), gardens };
        while member.scene.is_live() {
            member.stay_away().await;
            member.do_something().await;
            member.scene.rest(&mut member.part.rng).await;
        }
        member.agree().await;
        let screens = member.screens();
        member.part.pen.close(member.part.account.keeper(), member.client.recorded(), screens)
    }

    async fn do_something(&mut self) {
        let Some(room) = self.some_room() else { return };
        match self.part.rng.u32(0..100) {
            0..58 => self.post(room).await,
            58..68 => self.edit().await,
            68..73 => self.delete().await,
            73..79 => self.mark_read(room).await,
            // Ana stays everywhere: she reads the log in the end.
            79..85 if !self.gardens => self.come_or_go().await,
            85..92 => drop(self.ask(self.client.load(room, Window::Newest)).await),
            92..97 if self.gardens => self.garden().await,
            92..97 => drop(self.ask(self.client.list_members(room)).await),
            _ => {
                self.client.disconnect().await;
                self.scene.rest(&mut self.part.rng).await;
                // A client that cannot come back at once goes on trying by itself.
                let _ = timeout(PATIENCE, self.client.reconnect()).await;
            }
        }
    }

    /// Stays without a connection for as long as the round wants.
    async fn stay_away(&mut self) {
        let Some(away) = &mut self.scene.away else { return };
        if !*away.borrow() {
            return;
        }
        self.client.disconnect().await;
        // When the round ends, nobody stays away any longer.
        let _ = away.wait_for(|away| !away).await;
        let _ = timeout(PATIENCE, self.client.reconnect()).await;
    }

    fn some_room(&mut self) -> Option<RoomId> {
        let rooms: Vec<RoomId> = self.client.read(|state| state.rooms.keys().copied().collect());
        (!rooms.is_empty()).then(|| rooms[self.part.rng.usize(0..rooms.len())])
    }

    /// Posts some messages at once, as a person who types fast on a slow line.
    async fn post(&mut self, room: RoomId) {
        let mut under_way = Vec::new();
        for _ in 0..self.part.rng.u32(1..5) {
            let (name, text) = self.draft();
            let Ok(nonce) = Nonce::new(name.clone()) else { continue };
            self.part.pen.note(What::Invoke { nonce: name.clone(), room, text: text.clone() });
            let (client, pen) = (self.client.clone(), self.part.pen.clone());
            under_way.push(tokio::spawn(async move {
                let outcome = client.post_as(room, &text, &nonce).await;
                let posted = outcome.as_ref().ok().map(|posted| (room, posted.seq));
                pen.note(judged(name, room, outcome));
                posted
            }));
        }
        for post in under_way {
            if let Ok(Some(posted)) = post.await {
                self.posted.push(posted);
            }
        }
    }

    fn draft(&mut self) -> (String, String) {
        self.count += 1;
        let name = format!("{}-{}", self.part.account.user.name.replace(' ', ""), self.count);
        let text = words(&name, &mut self.part.rng, self.scene.is_loud);
        (name, text)
    }

    fn own(&mut self) -> Option<(RoomId, u64)> {
        let recent = self.posted.len().min(40);
        let from = self.posted.len() - recent;
        (recent > 0).then(|| self.posted[self.part.rng.usize(from..self.posted.len())])
    }

    async fn edit(&mut self) {
        let Some((room, target)) = self.own() else { return };
        let (_, text) = self.draft();
        if let Some(revised) = self.ask(self.client.edit(room, target, &format!("edited {text}"))).await {
            self.part.pen.note(What::Revised { room, target, rev: revised.rev });
        }
    }

    async fn delete(&mut self) {
        let Some((room, target)) = self.own() else { return };
        if let Some(revised) = self.ask(self.client.delete(room, target)).await {
            self.part.pen.note(What::Revised { room, target, rev: revised.rev });
        }
    }

    async fn mark_read(&self, room: RoomId) {
        let seq = self.client.read(|state| state.timelines.get(&room).map_or(0, |timeline| timeline.last()));
        if let Some(mark) = self.ask(self.client.mark_read(room, seq)).await {
            self.part.pen.note(What::Marked { room, seq: mark.seq });
        }
    }

    async fn come_or_go(&self) {
        let kitchen = self.scene.community.kitchen;
        if self.client.read(|state| state.rooms.contains_key(&kitchen)) {
            self.ask(self.client.leave(kitchen)).await;
        } else {
            drop(self.ask(self.client.join(kitchen)).await);
        }
    }

    /// Invites a person into the garden, or removes them.
    async fn garden(&mut self) {
        // The last person is the outsider, who must never see the garden.
        let count = self.scene.community.others.len().saturating_sub(1);
        if count == 0 {
            return;
        }
        let user: UserId = self.scene.community.others[self.part.rng.usize(0..count)].user.id;
        let garden = self.scene.community.garden;
        if self.part.rng.bool() {
            self.ask(self.client.invite(garden, user)).await;
        } else {
            self.ask(self.client.remove(garden, user)).await;
        }
    }

    async fn ask<T>(&self, asking: impl Future<Output = Result<T, Failure>>) -> Option<T> {
        timeout(PATIENCE, asking).await.ok()?.ok()
    }

    /// Compares the screen with the log until the round closes.
    async fn agree(&self) {
        // A person who was away comes back to see the end.
        let _ = self.client.reconnect().await;
        while !self.scene.is_closing() {
            if let Some(heads) = self.scene.heads() {
                self.part.standing.is(&heads, self.differs(&heads));
            }
            sleep(LOOK).await;
        }
    }

    fn differs(&self, heads: &Heads) -> Option<String> {
        self.client.read(|state| {
            if state.link != Link::Open {
                return Some(format!("the connection is {:?}", state.link));
            }
            let is_pending = |draft: &&client::Pending| !matches!(draft.state, PendingState::Failed(_));
            if let Some(draft) = state.outbox.pending().iter().find(is_pending) {
                return Some(format!("{} is still {}", draft.nonce.as_str(), draft.state.name()));
            }
            state.timelines.iter().find_map(|(room, timeline)| {
                let head = heads.of.get(room).copied().unwrap_or_default();
                (timeline.last() != head).then(|| format!("{room} stands at {} of {head}", timeline.last()))
            })
        })
    }

    fn screens(&self) -> Vec<Screen> {
        self.client.read(|state| {
            let screen = |(room, timeline): (&RoomId, &client::Timeline)| Screen {
                room: *room,
                last: timeline.last(),
                rows: timeline.messages().cloned().collect(),
                window: timeline.window(),
            };
            state.timelines.iter().map(screen).collect()
        })
    }
}

/// The journal's entry for an outcome. It is a refusal only when no earlier attempt can have been done, and a client
/// does not tell that.
fn judged(nonce: String, room: RoomId, outcome: Result<Posted, Failure>) -> What {
    match outcome {
        Ok(posted) => What::Ok { nonce, room, seq: posted.seq },
        Err(Failure::Refused(error)) => What::Refused { nonce, code: error.code },
        Err(Failure::Lost | Failure::Late | Failure::Ended | Failure::Unreadable(_)) => {
            What::Unknown { nonce }
        }
    }
}

async fn connect(part: &Part, scene: &Scene) -> Option<Client> {
    let options = Options {
        reconnect: true,
        backoff: Backoff::new(Duration::from_millis(20), Duration::from_millis(200)),
        patience: PATIENCE,
        record: true,
    };
    while !scene.is_closing() {
        if let Ok(client) = Client::connect_with(&scene.address, &part.account.token, options.clone()).await {
            return Some(client);
        }
        sleep(LOOK).await;
    }
    None
}
