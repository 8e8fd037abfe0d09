//! Everything a client knows, built from frames alone. Pure: no socket, clock or randomness.

use crate::outbox::Outbox;
use crate::timeline::{Applied, Timeline, Window};
use protocol::frame::{Beat, Hello, MessagePage, Posted, Presence, ReadMarked, RoomLeft};
use protocol::{
    Command, Event, EventKind, Limits, Message, Nonce, ReadMark, Role, Room, RoomId, ServerFrame, User,
};
use std::collections::BTreeMap;

/// Everything that one client knows.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The user of this client; none before the first hello.
    pub me: Option<User>,
    /// The user's role on the server.
    pub role: Option<Role>,
    /// The server's limits.
    pub limits: Option<Limits>,
    /// Which life of the database all this belongs to.
    pub epoch: Option<String>,
    /// How often a beat comes, in milliseconds; 0 before the first hello.
    pub heartbeat_ms: u64,
    /// Whether there is a connection now.
    pub link: Link,
    /// How many hellos were heard: 1, and one more after each reconnect.
    pub hellos: u64,
    /// The rooms that the user is a member of, with heads and read marks.
    pub rooms: BTreeMap<RoomId, Room>,
    /// The messages known of each room.
    pub timelines: BTreeMap<RoomId, Timeline>,
    /// Who is connected now, in the rooms of which the server has told it.
    pub presence: BTreeMap<RoomId, Presence>,
    /// Drafts that are not known to be posted yet.
    pub outbox: Outbox,
    catch_ups: BTreeMap<RoomId, CatchUp>,
    beats: BTreeMap<RoomId, u64>,
}

/// Whether there is a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Link {
    /// Not now; the client tries.
    #[default]
    Waiting,
    /// Hello was heard.
    Open,
    /// Not any more; the client does not try.
    Ended(Ended),
}

/// Why a client stopped trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The server closed with a code that means to stay away, or refused the upgrade with 401 or 403.
    StayAway(u16),
    /// The connection ended with this close code, or without one, and the client has the option not to reconnect.
    Closed(Option<u16>),
    /// The client was closed by its owner.
    ByUs,
}

/// A resume under way.
#[derive(Debug, Clone, Copy)]
enum CatchUp {
    Asked,
    UpTo(u64),
}

impl State {
    /// Takes in a frame, and returns the commands that follow from it: `resume`s and nothing else. Replies are not
    /// taken in here, because they mean nothing without their command.
    #[must_use]
    pub fn hear(&mut self, frame: &ServerFrame) -> Vec<Command> {
        match frame {
            ServerFrame::Hello(hello) => return self.hello(hello),
            ServerFrame::Beat(beat) => return self.beat(beat),
            ServerFrame::Event(event) => return self.event(event),
            ServerFrame::Unknown(unknown) => {
                if let (Some(room), Some(seq)) = (unknown.room, unknown.seq) {
                    let applied = self.timelines.get_mut(&room).map(|timeline| timeline.advance(seq));
                    return self.after(room, applied);
                }
            }
            ServerFrame::Reset(reset) => {
                if let Some(timeline) = self.timelines.get_mut(&reset.room) {
                    timeline.reset(reset);
                    self.catch_ups.remove(&reset.room);
                    self.raise_head(reset.room, reset.as_of);
                    if let (Some(room), Some(newest)) =
                        (self.rooms.get_mut(&reset.room), reset.messages.last())
                    {
                        room.n = room.n.max(newest.n);
                    }
                    self.drop_pending(&reset.messages);
                }
            }
            ServerFrame::Lagged(lagged) => return self.resume(lagged.room),
            ServerFrame::RoomJoined(joined) => return self.enter(&joined.room),
            ServerFrame::RoomLeft(RoomLeft { room, seq: _, by: _ }) => self.leave(*room),
            ServerFrame::ReadMarked(ReadMarked { room, read }) => self.mark_read(*room, *read),
            ServerFrame::Presence(presence) => {
                self.presence.insert(presence.room, presence.clone());
            }
            ServerFrame::Reply(_) | ServerFrame::SessionEnded(_) => {}
        }
        Vec::new()
    }

    /// The reply to a `resume`: events up to `head`, or a `reset`, are on their way. None: it was refused or lost.
    pub fn resumed(&mut self, room: RoomId, head: Option<u64>) {
        let last = self.timelines.get(&room).map_or(0, Timeline::last);
        match head.filter(|head| *head > last) {
            Some(head) => self.catch_ups.insert(room, CatchUp::UpTo(head)),
            None => self.catch_ups.remove(&room),
        };
    }

    /// The reply to a `post_message`.
    pub fn posted(&mut self, posted: &Posted) {
        let Some(draft) = self.outbox.take(&posted.nonce) else { return };
        if let (Some(me), Some(timeline)) = (&self.me, self.timelines.get_mut(&draft.room)) {
            timeline.settle(posted, me, &draft.text);
        }
        self.mark_read(draft.room, ReadMark { seq: posted.seq, n: posted.n });
    }

    /// The reply to a `list_messages` asked for as `wanted`.
    pub fn page(&mut self, room: RoomId, wanted: Window, page: &MessagePage) {
        if let Some(timeline) = self.timelines.get_mut(&room) {
            timeline.merge(wanted, page);
        }
        self.drop_pending(&page.messages);
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        self.link = Link::Waiting;
        self.outbox.lost();
        self.catch_ups.clear();
        self.presence.clear();
    }

    /// The first message with this text, in any room.
    pub fn message_saying(&self, text: &str) -> Option<(RoomId, &Message)> {
        self.timelines.iter().find_map(|(room, timeline)| {
            let message = timeline.messages().find(|message| message.body.text == text)?;
            Some((*room, message))
        })
    }

    /// The user's room of this name.
    pub fn room_named(&self, name: &str) -> Option<&Room> {
        self.rooms.values().find(|room| room.name == name)
    }

    /// How many messages of a room the user has not read; none for a room that the user is not in.
    pub fn unread(&self, room: RoomId) -> Option<u64> {
        self.rooms.get(&room).map(|room| room.n.saturating_sub(room.read.n))
    }

    fn hello(&mut self, hello: &Hello) -> Vec<Command> {
        if self.epoch.as_ref().is_some_and(|epoch| *epoch != hello.epoch) {
            self.timelines.clear();
            self.rooms.clear();
        }
        self.me = Some(hello.user.clone());
        self.role = Some(hello.role);
        self.limits = Some(hello.limits.clone());
        self.epoch = Some(hello.epoch.clone());
        self.heartbeat_ms = hello.heartbeat_ms;
        self.link = Link::Open;
        self.hellos += 1;
        self.catch_ups.clear();
        self.beats.clear();
        // A room that is not listed has the user as a member no longer. A room in which the client is ahead of the
        // server has another life now.
        let still =
            |known: &Room| hello.rooms.iter().any(|room| room.id == known.id && room.head >= known.head);
        let gone: Vec<RoomId> = self.rooms.values().filter(|room| !still(room)).map(|room| room.id).collect();
        gone.into_iter().for_each(|room| self.leave(room));
        hello.rooms.iter().flat_map(|room| self.enter(room)).collect()
    }

    /// Takes up a room that the connection hears from `room.head` on.
    fn enter(&mut self, room: &Room) -> Vec<Command> {
        let mut room = room.clone();
        if let Some(known) = self.rooms.get(&room.id) {
            room.head = room.head.max(known.head);
            room.n = room.n.max(known.n);
        }
        let (id, head) = (room.id, room.head);
        self.rooms.insert(id, room);
        let timeline = self.timelines.entry(id).or_insert_with(|| Timeline::new(head));
        if timeline.last() < head { self.resume(id) } else { Vec::new() }
    }

    fn leave(&mut self, room: RoomId) {
        self.rooms.remove(&room);
        self.timelines.remove(&room);
        self.presence.remove(&room);
        self.catch_ups.remove(&room);
        self.beats.remove(&room);
    }

    /// Resumes rooms with a head beyond the last event applied, if nothing of them is on its way: the live stream was
    /// lost. The same for a catch-up that has not moved since the beat before, whether or not this beat names its
    /// room.
    fn beat(&mut self, beat: &Beat) -> Vec<Command> {
        for (room, head) in &beat.heads {
            self.raise_head(*room, *head);
        }
        let mut resumes = Vec::new();
        let lasts: Vec<(RoomId, u64)> = self
            .rooms
            .values()
            .filter_map(|room| Some((room.id, self.timelines.get(&room.id)?.last())))
            .filter(|(room, last)| self.rooms[room].head > *last)
            .collect();
        let before = std::mem::replace(&mut self.beats, lasts.iter().copied().collect());
        for (room, last) in lasts {
            if before.get(&room) == Some(&last) || !self.catch_ups.contains_key(&room) {
                resumes.extend(self.resume(room));
            }
        }
        resumes
    }

    fn event(&mut self, event: &Event) -> Vec<Command> {
        let applied = self.timelines.get_mut(&event.room).map(|timeline| timeline.apply(event));
        if applied == Some(Applied::New)
            && let EventKind::MessagePosted(protocol::MessagePosted { n, nonce, .. }) = &event.kind
        {
            if let Some(room) = self.rooms.get_mut(&event.room) {
                room.n = room.n.max(*n);
            }
            if self.is_me(&event.by) {
                self.outbox.take(nonce);
                self.mark_read(event.room, ReadMark { seq: event.seq, n: *n });
            }
        }
        self.after(event.room, applied)
    }

    fn after(&mut self, room: RoomId, applied: Option<Applied>) -> Vec<Command> {
        match applied {
            Some(Applied::Gap) if !self.catch_ups.contains_key(&room) => self.resume(room),
            Some(Applied::New) => {
                let last = self.timelines.get(&room).map_or(0, Timeline::last);
                self.raise_head(room, last);
                if matches!(self.catch_ups.get(&room), Some(CatchUp::UpTo(head)) if *head <= last) {
                    self.catch_ups.remove(&room);
                }
                Vec::new()
            }
            Some(Applied::Gap | Applied::Known) | None => Vec::new(),
        }
    }

    fn resume(&mut self, room: RoomId) -> Vec<Command> {
        let Some(timeline) = self.timelines.get(&room) else { return Vec::new() };
        self.catch_ups.insert(room, CatchUp::Asked);
        vec![Command::Resume { room, after: timeline.last() }]
    }

    fn raise_head(&mut self, room: RoomId, head: u64) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.head = room.head.max(head);
        }
    }

    fn mark_read(&mut self, room: RoomId, read: ReadMark) {
        if let Some(room) = self.rooms.get_mut(&room) {
            room.read.seq = room.read.seq.max(read.seq);
            room.read.n = room.read.n.max(read.n);
        }
    }

    fn drop_pending(&mut self, messages: &[Message]) {
        let mine: Vec<Nonce> = messages
            .iter()
            .filter(|message| self.is_me(&message.by))
            .map(|message| message.nonce.clone())
            .collect();
        for nonce in mine {
            self.outbox.take(&nonce);
        }
    }

    fn is_me(&self, user: &User) -> bool {
        self.me.as_ref().is_some_and(|me| me.id == user.id)
    }
}
