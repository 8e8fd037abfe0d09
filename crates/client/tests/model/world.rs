//! People, their devices and the network between them and the server.

use crate::log::Log;
use crate::server::{HISTORY, Server};
use client::{State, Window};
use fastrand::Rng;
use protocol::frame::{MessagePage, Posted, Reply, Resumed};
use protocol::{Command, Nonce, RoomId, ServerFrame, User, UserId};
use std::collections::BTreeMap;
use uuid::Uuid;

const LOBBY: RoomId = RoomId::new(Uuid::from_u128(1));
const GARDEN: RoomId = RoomId::new(Uuid::from_u128(2));
const ROOMS: [RoomId; 2] = [LOBBY, GARDEN];
/// Rounds of undisturbed traffic after which everybody must have everything.
const ROUNDS: usize = 60;
/// Rounds between two beats: an answer to one is on its way by the next.
const BEAT: usize = 6;

pub struct World {
    seed: u64,
    rng: Rng,
    server: Server,
    /// The logs of earlier lives of the database, as they ended.
    past: Vec<BTreeMap<RoomId, Log>>,
    copy: BTreeMap<RoomId, Log>,
    devices: Vec<Device>,
    conns: u64,
    drafts: u64,
    acked: Vec<(u64, RoomId, Posted)>,
}

/// One client of a person.
struct Device {
    user: User,
    state: State,
    conn: Option<u64>,
    ids: u64,
    asked: BTreeMap<u64, Purpose>,
    pages: Vec<(RoomId, Window, MessagePage)>,
}

enum Purpose {
    Post(RoomId, Nonce),
    Resume(RoomId),
    Mark,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let people = ["Ana", "Ben", "Cyd"].map(person);
        let mut logs = BTreeMap::from(ROOMS.map(|room| (room, Log::new(room))));
        for log in logs.values_mut() {
            people.iter().for_each(|user| log.join(user));
            for n in 0..rng.u64(0..12) {
                log.post(&people[0], &format!("before {n}"), &nonce(&format!("b{}-{n}", log.room)));
            }
        }
        // Ben has two.
        let devices = [0, 1, 1, 2].map(|at| Device::new(people[at].clone())).into();
        let (copy, server) = (logs.clone(), Server::new(logs));
        Self { seed, rng, server, past: Vec::new(), copy, devices, conns: 0, drafts: 0, acked: Vec::new() }
    }

    /// Lets everything happen in an order that nobody would choose.
    pub fn go_wrong(&mut self) {
        for _ in 0..self.rng.usize(50..500) {
            let device = self.rng.usize(0..self.devices.len());
            let room = ROOMS[self.rng.usize(0..2)];
            match self.rng.u8(0..100) {
                0..15 => self.write(device, room),
                15..22 => self.revise(room),
                22..38 => self.command(),
                38..54 => self.flush(room),
                54..72 => self.deliver(device),
                72..79 => self.connect(device),
                79..82 => self.cut(device),
                82..85 => self.beat(device),
                85..90 => self.look_back(device, room),
                90..92 => self.mark(device, room),
                92..94 => self.come_or_go(device),
                94 => self.vanish(),
                95..97 => self.lose_subscription(room),
                97 => self.server.logs.values_mut().for_each(Log::write_marks),
                98 => self.crash(),
                _ => self.restore(),
            }
        }
    }

    /// The faults are over: everything under way arrives, beats come, and nobody does anything new.
    pub fn come_to_rest(&mut self) {
        for round in 0..ROUNDS {
            let theirs: Vec<u64> = self.server.conns.keys().copied().collect();
            for conn in theirs {
                while self.server.conns.get(&conn).is_some_and(|held| !held.up.is_empty()) {
                    self.server.command(conn);
                }
                if !self.devices.iter().any(|device| device.conn == Some(conn)) {
                    self.server.conns.remove(&conn);
                }
            }
            for device in 0..self.devices.len() {
                self.connect(device);
                for room in ROOMS {
                    self.devices[device].conn.into_iter().for_each(|conn| self.server.flush(conn, room));
                }
                if round % BEAT == 0 {
                    self.beat(device);
                }
                while self.deliver_one(device) {}
                self.turn_pages(device);
            }
        }
    }

    /// Every device shows what the log holds.
    pub fn agrees(&self) {
        let seed = self.seed;
        for device in &self.devices {
            let (user, state) = (&device.user, &device.state);
            let mine: Vec<RoomId> =
                self.server.logs.values().filter(|log| log.is_member(user.id)).map(|log| log.room).collect();
            assert_eq!(state.rooms.keys().copied().collect::<Vec<_>>(), mine, "seed {seed}: {user:?}");
            for room in mine {
                let (log, timeline) = (&self.server.logs[&room], &state.timelines[&room]);
                assert_eq!(timeline.last(), log.head(), "seed {seed}: {} lacks events", user.name);
                let shown: Vec<_> = timeline.messages().collect();
                let there: Vec<_> = log.messages.range(timeline.window()).map(|(_, m)| m).collect();
                assert_eq!(shown, there, "seed {seed}: {}", user.name);
                assert_eq!(state.rooms[&room].read, log.members[&user.id], "seed {seed}: {}", user.name);
                let unread = log.n() - log.members[&user.id].n;
                assert_eq!(state.unread(room), Some(unread), "seed {seed}: {}", user.name);
            }
            let waiting = state.outbox.pending().iter();
            let waiting = waiting.filter(|draft| !matches!(draft.state, client::PendingState::Failed(_)));
            assert_eq!(waiting.count(), 0, "seed {seed}: {} waits for an answer", user.name);
        }
        self.nothing_is_doubled_or_lost();
    }

    fn nothing_is_doubled_or_lost(&self) {
        let seed = self.seed;
        for log in self.server.logs.values() {
            let drafts: Vec<&str> =
                log.versions.iter().filter(|((seq, rev), _)| seq == rev).map(|(_, t)| &**t).collect();
            let once: std::collections::BTreeSet<&str> = drafts.iter().copied().collect();
            assert_eq!(once.len(), drafts.len(), "seed {seed}: a draft was posted twice");
        }
        for (life, room, posted) in &self.acked {
            let message = self.logs_of(*life)[room].messages.get(&posted.seq);
            let held = message.is_some_and(|message| message.nonce == posted.nonce && message.n == posted.n);
            assert!(held, "seed {seed}: what was acknowledged as {posted:?} is not there");
        }
    }

    fn logs_of(&self, life: u64) -> &BTreeMap<RoomId, Log> {
        self.past.get(usize::try_from(life).expect("few lives")).unwrap_or(&self.server.logs)
    }

    fn write(&mut self, device: usize, room: RoomId) {
        self.drafts += 1;
        let nonce = nonce(&format!("d{}", self.drafts));
        let text = format!("draft {}", self.drafts);
        self.devices[device].state.outbox.add(room, &text, &nonce);
        self.send_draft(device, &nonce);
    }

    fn send_draft(&mut self, device: usize, nonce: &Nonce) {
        let held = &mut self.devices[device];
        if held.conn.is_none() || held.state.me.is_none() {
            return;
        }
        let draft = held.state.outbox.get(nonce).expect("a draft").clone();
        held.state.outbox.sent(nonce);
        let purpose = Purpose::Post(draft.room, draft.nonce.clone());
        self.send(
            device,
            Command::PostMessage { room: draft.room, body: draft.text.as_str().into(), nonce: draft.nonce },
            purpose,
        );
    }

    fn send(&mut self, device: usize, command: Command, purpose: Purpose) {
        let held = &mut self.devices[device];
        held.ids += 1;
        held.asked.insert(held.ids, purpose);
        if let Some(conn) = held.conn.and_then(|conn| self.server.conns.get_mut(&conn)) {
            conn.up.push_back((held.ids, command));
        }
    }

    fn revise(&mut self, room: RoomId) {
        let log = &self.server.logs[&room];
        let messages: Vec<_> = log.messages.values().filter(|message| !message.deleted).collect();
        let Some(message) = self.rng.choice(messages) else { return };
        let (by, seq) = (message.by.clone(), message.seq);
        let text = format!("edit {}", log.head());
        let text = (self.rng.u8(0..3) > 0).then_some(&*text);
        self.server.revise(room, &by, seq, text);
    }

    /// Any connection, one that its client has given up included.
    fn command(&mut self) {
        let conns: Vec<u64> = self.server.conns.keys().copied().collect();
        if let Some(conn) = self.rng.choice(conns) {
            self.server.command(conn);
        }
    }

    fn flush(&mut self, room: RoomId) {
        let conns: Vec<u64> = self.server.conns.keys().copied().collect();
        if let Some(conn) = self.rng.choice(conns) {
            self.server.flush(conn, room);
        }
    }

    fn beat(&mut self, device: usize) {
        if let Some(conn) = self.devices[device].conn {
            self.server.beat(conn);
        }
    }

    fn deliver(&mut self, device: usize) {
        for _ in 0..self.rng.u8(1..6) {
            self.deliver_one(device);
        }
        if self.rng.bool() {
            self.turn_pages(device);
        }
    }

    fn deliver_one(&mut self, device: usize) -> bool {
        let conn = self.devices[device].conn.and_then(|conn| self.server.conns.get_mut(&conn));
        let Some(frame) = conn.and_then(|conn| conn.down.pop_front()) else { return false };
        self.hear(device, &frame);
        self.shows_the_log(device);
        true
    }

    fn hear(&mut self, device: usize, frame: &ServerFrame) {
        let held = &mut self.devices[device];
        let last = |state: &State, room: RoomId| state.timelines.get(&room).map(client::Timeline::last);
        let before = if let ServerFrame::Event(event) = frame { last(&held.state, event.room) } else { None };
        for command in held.state.hear(frame) {
            if let Command::Resume { room, .. } = command {
                self.send(device, command, Purpose::Resume(room));
            }
        }
        match frame {
            ServerFrame::Event(event) => {
                let after = last(&self.devices[device].state, event.room);
                let next = before.map(|before| before + 1);
                assert!(
                    after == before || after == next,
                    "seed {}: an event moved by more than one",
                    self.seed
                );
            }
            ServerFrame::Reply(reply) => self.replied(device, reply),
            ServerFrame::Hello(_) => {
                let outbox = &self.devices[device].state.outbox;
                let unsent: Vec<Nonce> = outbox.unsent().map(|draft| draft.nonce.clone()).collect();
                unsent.iter().for_each(|nonce| self.send_draft(device, nonce));
            }
            _ => {}
        }
    }

    fn replied(&mut self, device: usize, reply: &Reply) {
        let held = &mut self.devices[device];
        match held.asked.remove(&reply.id.expect("an id")).expect("a question") {
            Purpose::Post(room, nonce) => {
                if let Some(error) = &reply.error {
                    held.state.outbox.refused(&nonce, error);
                    return;
                }
                let ok = reply.ok.clone().expect("an answer");
                let posted: Posted = serde_json::from_value(ok).expect("a place");
                held.state.posted(&posted);
                self.acked.push((self.server.life, room, posted));
            }
            Purpose::Resume(room) => {
                let resumed =
                    reply.ok.clone().map(|ok| serde_json::from_value::<Resumed>(ok).expect("a head"));
                held.state.resumed(room, resumed.map(|resumed| resumed.head));
            }
            Purpose::Mark => {}
        }
    }

    /// At any moment, what a device shows has no hole and nothing false.
    fn shows_the_log(&self, device: usize) {
        let (seed, Device { user, state, .. }) = (self.seed, &self.devices[device]);
        let Some(life) = state.epoch.as_ref().and_then(|epoch| epoch.parse().ok()) else { return };
        for (room, timeline) in &state.timelines {
            let log = &self.logs_of(life)[room];
            let window = timeline.window();
            let shown = timeline.messages().map(|m| m.seq).filter(|seq| window.contains(seq));
            let there = log.messages.range(window.clone()).map(|(seq, _)| *seq);
            assert!(shown.eq(there), "seed {seed}: {} has a hole in {window:?}", user.name);
            for message in timeline.messages() {
                let version = log.versions.get(&(message.seq, message.rev));
                assert_eq!(
                    version,
                    Some(&message.body.text),
                    "seed {seed}: {} shows what never was",
                    user.name
                );
            }
        }
    }

    fn connect(&mut self, device: usize) {
        let held = &mut self.devices[device];
        if held.conn.is_none() {
            self.conns += 1;
            held.conn = Some(self.conns);
            self.server.accept(self.conns, &held.user);
        }
    }

    /// The client gives its connection up. The server may not notice, and may still do commands that are under way.
    fn cut(&mut self, device: usize) {
        let Some(conn) = self.devices[device].lose() else { return };
        if self.rng.bool() {
            self.server.conns.remove(&conn);
        }
    }

    /// The server notices that a client is gone.
    fn vanish(&mut self) {
        let gone = |conn: &u64| !self.devices.iter().any(|device| device.conn == Some(*conn));
        let gone: Vec<u64> = self.server.conns.keys().copied().filter(gone).collect();
        if let Some(conn) = self.rng.choice(gone) {
            self.server.conns.remove(&conn);
        }
    }

    fn look_back(&mut self, device: usize, room: RoomId) {
        let held = &mut self.devices[device];
        let Some(timeline) = held.state.timelines.get(&room) else { return };
        let wanted = if self.rng.bool() { Window::Newest } else { timeline.older() };
        let before = if let Window::Before(seq) = wanted { Some(seq) } else { None };
        // The page is read at once and seen later: events pass it on the way.
        if held.conn.is_some() && held.state.epoch == Some(self.server.life.to_string()) {
            held.pages.push((room, wanted, self.server.logs[&room].page(before, HISTORY)));
        }
    }

    fn turn_pages(&mut self, device: usize) {
        let mut pages = std::mem::take(&mut self.devices[device].pages);
        self.rng.shuffle(&mut pages);
        for (room, wanted, page) in pages {
            self.devices[device].state.page(room, wanted, &page);
            self.shows_the_log(device);
        }
    }

    fn mark(&mut self, device: usize, room: RoomId) {
        let Some(timeline) = self.devices[device].state.timelines.get(&room) else { return };
        let seq = self.rng.u64(0..=timeline.last());
        self.send(device, Command::MarkRead { room, seq }, Purpose::Mark);
    }

    fn come_or_go(&mut self, device: usize) {
        let user = self.devices[device].user.clone();
        if self.server.logs[&GARDEN].is_member(user.id) {
            self.server.leave(GARDEN, &user);
        } else {
            self.server.join(GARDEN, &user);
        }
    }

    fn lose_subscription(&mut self, room: RoomId) {
        let conns: Vec<u64> = self.server.conns.keys().copied().collect();
        if let Some(conn) = self.rng.choice(conns) {
            self.server.forget(conn, room);
        }
    }

    fn crash(&mut self) {
        self.server.crash();
        self.lose_all();
        if self.rng.bool() {
            self.copy = self.server.logs.clone();
        }
    }

    fn restore(&mut self) {
        self.server.crash();
        self.past.push(self.server.logs.clone());
        self.server.restore(self.copy.clone());
        self.lose_all();
    }

    fn lose_all(&mut self) {
        for device in &mut self.devices {
            device.lose();
        }
    }
}

impl Device {
    fn new(user: User) -> Self {
        let (state, asked) = (State::default(), BTreeMap::new());
        Self { user, state, conn: None, ids: 0, asked, pages: Vec::new() }
    }

    fn lose(&mut self) -> Option<u64> {
        self.state.lost();
        self.asked.clear();
        self.pages.clear();
        self.conn.take()
    }
}

fn person(name: &str) -> User {
    let id = UserId::new(Uuid::from_u128(u128::from(name.as_bytes()[0])));
    User { id, name: name.to_owned(), guest: false }
}

fn nonce(text: &str) -> Nonce {
    Nonce::new(text).expect("a nonce")
}
