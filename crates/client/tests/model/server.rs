//! The server of the model: commits, tells through a tail per room, and answers resumes from the tail or the log.

use crate::log::Log;
use delivery::model::{Next, RecentFrames};
use protocol::frame::{Beat, Hello, ReadMarked, Reply, Reset, Resumed, RoomJoined, RoomLeft};
use protocol::{
    Command, ErrorCode, Event, EventKind, Limits, May, Role, Room, RoomId, RoomKind, ServerFrame, User,
    UserId,
};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

/// Bytes of a tail: a handful of events, so that readers fall off it.
const TAIL: usize = 2_048;
/// Events of a page of the log.
const PAGE: u64 = 4;
/// When a client lacks more events than this, they are not told one by one.
const RESUME_EVENTS: u64 = 24;
/// Messages of a page of history.
pub const HISTORY: usize = 6;

pub struct Server {
    pub logs: BTreeMap<RoomId, Log>,
    pub life: u64,
    tails: BTreeMap<RoomId, RecentFrames>,
    pub conns: BTreeMap<u64, Conn>,
}

/// A connection's two directions and what it follows.
pub struct Conn {
    pub user: User,
    /// Frames on their way to the client.
    pub down: VecDeque<ServerFrame>,
    /// Commands on their way to the server.
    pub up: VecDeque<(u64, Command)>,
    rooms: BTreeMap<RoomId, Follow>,
    told: BTreeMap<RoomId, u64>,
}

#[derive(Clone, Copy)]
enum Follow {
    /// Is at `place` of the tail. A text that was removed when it came there, at `since`, must not reach it.
    At { place: u64, since: u64 },
    /// Reads the log; the client first asked from `first`.
    Behind { first: u64, after: u64 },
    /// Was told that it fell off, or was forgotten by mistake.
    Not,
}

impl Server {
    pub fn new(logs: BTreeMap<RoomId, Log>) -> Self {
        Self { logs, life: 0, tails: BTreeMap::new(), conns: BTreeMap::new() }
    }

    /// The process dies: everything that was not on the disk is gone.
    pub fn crash(&mut self) {
        self.logs.values_mut().for_each(Log::lose_marks);
        self.tails.clear();
        self.conns.clear();
    }

    /// An older copy of the database takes the place of this one.
    pub fn restore(&mut self, logs: BTreeMap<RoomId, Log>) {
        self.crash();
        self.logs = logs;
        self.life += 1;
    }

    /// Accepts a connection and says hello.
    pub fn accept(&mut self, conn: u64, user: &User) {
        let rooms: Vec<RoomId> =
            self.logs.values().filter(|log| log.is_member(user.id)).map(|log| log.room).collect();
        let views = rooms.iter().map(|room| self.view(*room, user.id)).collect();
        let hello = ServerFrame::Hello(Hello {
            version: "0".into(),
            build: "0".into(),
            features: Vec::new(),
            epoch: self.life.to_string(),
            user: user.clone(),
            role: Role::Member,
            may: May::NOTHING,
            limits: limits(),
            heartbeat_ms: 25_000,
            rooms: views,
        });
        let (down, up, told) = (VecDeque::from([hello]), VecDeque::new(), BTreeMap::new());
        let follows = rooms.iter().map(|room| (*room, self.at_head(*room))).collect();
        self.conns.insert(conn, Conn { user: user.clone(), down, up, rooms: follows, told });
    }

    /// Does the next command of a connection.
    pub fn command(&mut self, conn: u64) {
        let Some(held) = self.conns.get_mut(&conn) else { return };
        let Some((id, command)) = held.up.pop_front() else { return };
        let user = held.user.clone();
        let ok = match command {
            Command::PostMessage { room, body, nonce } if self.is_member(room, &user) => {
                let log = self.logs.get_mut(&room).expect("a room");
                let (posted, now) = log.post(&user, &body.text, &nonce);
                if now {
                    self.publish(room);
                }
                Some(reply(&posted))
            }
            Command::Resume { room, after } if self.is_member(room, &user) => {
                Some(self.resume(conn, room, after))
            }
            Command::MarkRead { room, seq } if self.is_member(room, &user) => {
                self.mark_read(room, &user, seq);
                Some(json!({}))
            }
            _ => None,
        };
        let not_found = || protocol::Error {
            code: ErrorCode::NotFound,
            params: serde_json::Map::new(),
            message: "not there".into(),
            retry_after_ms: None,
        };
        let error = ok.is_none().then(not_found);
        if let Some(held) = self.conns.get_mut(&conn) {
            held.down.push_back(ServerFrame::Reply(Reply { id: Some(id), ok, error }));
        }
    }

    pub fn revise(&mut self, room: RoomId, by: &User, target: u64, text: Option<&str>) {
        if self.logs.get_mut(&room).is_some_and(|log| log.revise(by, target, text)) {
            self.publish(room);
        }
    }

    pub fn join(&mut self, room: RoomId, user: &User) {
        self.logs.get_mut(&room).expect("a room").join(user);
        self.publish(room);
        let (view, follow) = (self.view(room, user.id), self.at_head(room));
        for held in self.conns.values_mut().filter(|held| held.user.id == user.id) {
            held.down.push_back(ServerFrame::RoomJoined(RoomJoined { room: view.clone() }));
            held.rooms.insert(room, follow);
        }
    }

    pub fn leave(&mut self, room: RoomId, user: &User) {
        let seq = self.logs.get_mut(&room).expect("a room").leave(user);
        // Unfollowed in the same stream in which events are published: events before it are still heard.
        let theirs: Vec<u64> =
            self.conns.iter().filter(|(_, held)| held.user.id == user.id).map(|(conn, _)| *conn).collect();
        for conn in theirs {
            if let Some(Follow::At { place, since }) = self.conns[&conn].rooms.get(&room).copied() {
                self.flush_tail(conn, room, place, since);
            }
            let held = self.conns.get_mut(&conn).expect("theirs");
            held.rooms.remove(&room);
            held.down.push_back(ServerFrame::RoomLeft(RoomLeft { room, seq, by: None }));
        }
        self.publish(room);
    }

    /// Moves a reader on: frames from its tail, or the next page of the log once the page before has left.
    pub fn flush(&mut self, conn: u64, room: RoomId) {
        let Some(held) = self.conns.get_mut(&conn) else { return };
        match held.rooms.get(&room).copied() {
            Some(Follow::At { place, since }) => self.flush_tail(conn, room, place, since),
            Some(Follow::Behind { first, after }) if held.down.is_empty() => {
                self.read_log(conn, room, first, after);
            }
            Some(Follow::Behind { .. } | Follow::Not) | None => {}
        }
    }

    /// A mistake of the server: the connection hears no more of a room and is not told so.
    pub fn forget(&mut self, conn: u64, room: RoomId) {
        if let Some(follow) = self.conns.get_mut(&conn).and_then(|held| held.rooms.get_mut(&room)) {
            *follow = Follow::Not;
        }
    }

    /// The heads that moved since the beat before, by memberships.
    pub fn beat(&mut self, conn: u64) {
        let Some(held) = self.conns.get_mut(&conn) else { return };
        let mine = self.logs.values().filter(|log| log.is_member(held.user.id));
        let moved = mine.filter(|log| held.told.get(&log.room) != Some(&log.head()));
        let heads: BTreeMap<RoomId, u64> = moved.map(|log| (log.room, log.head())).collect();
        held.told.extend(heads.iter().map(|(room, head)| (*room, *head)));
        held.down.push_back(ServerFrame::Beat(Beat { heads }));
    }

    fn is_member(&self, room: RoomId, user: &User) -> bool {
        self.logs.get(&room).is_some_and(|log| log.is_member(user.id))
    }

    fn mark_read(&mut self, room: RoomId, user: &User, seq: u64) {
        let log = self.logs.get_mut(&room).expect("a room");
        let Some(read) = log.mark_read(user.id, seq) else { return };
        for held in self.conns.values_mut().filter(|held| held.user.id == user.id) {
            held.down.push_back(ServerFrame::ReadMarked(ReadMarked { room, read }));
        }
    }

    fn view(&self, room: RoomId, user: UserId) -> Room {
        let log = &self.logs[&room];
        Room {
            id: room,
            name: "lobby".into(),
            kind: RoomKind::Open,
            head: log.head(),
            n: log.n(),
            read: log.members[&user],
            role: Role::Member,
            may: May::NOTHING,
        }
    }

    fn tail(&mut self, room: RoomId) -> &mut RecentFrames {
        let head = self.logs[&room].head();
        self.tails.entry(room).or_insert_with(|| RecentFrames::new(head, TAIL))
    }

    fn at_head(&mut self, room: RoomId) -> Follow {
        let since = self.logs[&room].head();
        let place = self.tail(room).follow(since).expect("the head is always reached");
        Follow::At { place, since }
    }

    /// Puts the newest event into the tail, if there is one.
    fn publish(&mut self, room: RoomId) {
        let log = &self.logs[&room];
        let event = log.event(log.head());
        if let Some(tail) = self.tails.get_mut(&room) {
            let mut line = serde_json::to_vec(&event).expect("an event");
            line.push(b'\n');
            let cut =
                matches!(event.kind, EventKind::MessageEdited { .. } | EventKind::MessageDeleted { .. });
            tail.publish(&line, event.seq, cut);
        }
    }

    fn resume(&mut self, conn: u64, room: RoomId, after: u64) -> serde_json::Value {
        let head = self.logs[&room].head();
        let follow = match self.tail(room).follow(after).filter(|_| after <= head) {
            Some(place) => Follow::At { place, since: head },
            None => Follow::Behind { first: after, after },
        };
        self.conns.get_mut(&conn).expect("who asks").rooms.insert(room, follow);
        reply(&Resumed { head })
    }

    fn flush_tail(&mut self, conn: u64, room: RoomId, place: u64, since: u64) {
        let next = self.tail(room).next(place);
        let held = self.conns.get_mut(&conn).expect("checked");
        match next {
            Next::Nothing => {}
            Next::Lapped => {
                held.rooms.insert(room, Follow::Not);
                held.down.push_back(ServerFrame::Lagged(protocol::frame::Lagged { room }));
            }
            Next::Frames(bytes, place) => {
                held.rooms.insert(room, Follow::At { place, since });
                for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    let event: Event = serde_json::from_slice(line).expect("what was published");
                    tells_nothing_removed(&self.logs[&room], &event, since);
                    held.down.push_back(ServerFrame::Event(event));
                }
            }
        }
    }

    fn read_log(&mut self, conn: u64, room: RoomId, first: u64, after: u64) {
        let log = &self.logs[&room];
        let head = log.head();
        let held = self.conns.get_mut(&conn).expect("checked");
        if first > head || head - first > RESUME_EVENTS {
            let page = log.page(None, HISTORY);
            let reset = Reset { room, as_of: head, messages: page.messages, more: page.more_before };
            held.down.push_back(ServerFrame::Reset(reset));
            let read = log.members[&held.user.id];
            held.down.push_back(ServerFrame::ReadMarked(ReadMarked { room, read }));
            let follow = self.at_head(room);
            self.conns.get_mut(&conn).expect("checked").rooms.insert(room, follow);
            return;
        }
        let to = head.min(after + PAGE);
        held.down.extend((after + 1..=to).map(|seq| ServerFrame::Event(log.event(seq))));
        let follow = match self.tail(room).follow(to).filter(|_| to == head) {
            Some(place) => Follow::At { place, since: head },
            None => Follow::Behind { first, after: to },
        };
        self.conns.get_mut(&conn).expect("checked").rooms.insert(room, follow);
    }
}

/// A text that was edited or deleted before a reader took the room up is not told to that reader as it was.
fn tells_nothing_removed(log: &Log, event: &Event, since: u64) {
    let Some(told) = event.message() else { return };
    let now = &log.messages[&told.seq];
    let revised_before = now.rev <= since && now.rev > told.rev;
    assert!(event.seq > since || !revised_before, "a resumer was told {:?}, which is gone", told.body.text);
}

fn reply(ok: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(ok).expect("a reply")
}

fn limits() -> Limits {
    Limits {
        text_chars: 1,
        name_chars: 1,
        frame_bytes: 1,
        page: 1,
        unanswered: 1,
        mark_read_ms: 1,
        password_chars: 1,
    }
}
