//! Telling who is here: at once for a few, at most once a second for many.

use super::conns::Conn;
use super::encode::{native, plain};
use super::keys::{NATIVE, SIMPLE, room_key};
use super::room::{Due, Room};
use super::tables::Tables;
use chat::RoomKey;
use chat::presence::{Effect, Person, Presence, Shown};
use delivery::{ConnId, Frame};
use protocol::ServerFrame;
use protocol::simple::SimpleFrame;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Up to so many people in a room, each arrival is told to all of them at once. With more, n arrivals would cost n²
/// frames.
pub(super) const FEW: usize = 100;
/// The least time between two tellings of who is here.
const PAUSE: Duration = Duration::from_secs(1);

impl Tables {
    /// One more connection of a person is in a room. Tells those who are there, when the person is new.
    pub(super) fn arrive(&mut self, conn: ConnId, key: RoomKey, person: Person, shown: Arc<Shown>) -> Effect {
        let name = shown.name().to_owned();
        let effect = self.presence.arrive(key, person, shown);
        if effect == Effect::Seen {
            self.tell_moved(key, Some(conn), |room| SimpleFrame::Joined {
                room: room.name.clone(),
                username: name,
            });
        }
        effect
    }

    /// One connection less of a person is in a room. Tells those who stay, when the person is gone.
    pub(super) fn depart(&mut self, key: RoomKey, person: Person) {
        let name = self.presence.name_of(key, person).map(str::to_owned).unwrap_or_default();
        if self.presence.depart(key, person) == Effect::Seen {
            self.tell_moved(key, None, |room| SimpleFrame::Left { room: room.name.clone(), username: name });
        }
    }

    fn tell_moved(
        &mut self,
        key: RoomKey,
        concerned: Option<ConnId>,
        moved: impl FnOnce(&Room) -> SimpleFrame,
    ) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        if room.simple > 0 {
            let frame = plain(&moved(room));
            if self.presence.count(key) <= FEW {
                let roster = roster(room, &self.presence, key);
                for frame in [frame, roster] {
                    self.delivery.publish(
                        room_key(key),
                        SIMPLE,
                        &delivery::Publication { seq: None, frame, cut: false },
                    );
                }
            } else {
                room.roster_due = true;
                // The frame is of the simple protocol.
                if let Some(conn) = concerned.filter(|conn| self.conns.get(conn).is_some_and(is_simple)) {
                    self.delivery.unicast(conn, frame);
                }
            }
        }
        self.tell_known(key);
    }

    /// Who is here has changed: native connections are told soon.
    pub(super) fn tell_known(&mut self, key: RoomKey) {
        if let Some(room) = self.rooms.get_mut(&key) {
            room.presence_due = true;
        }
        self.tell_or_wait(key);
    }

    /// Tells who is here at once, if the last telling is a [`PAUSE`] ago. Otherwise it is due later.
    fn tell_or_wait(&mut self, key: RoomKey) {
        let now = Instant::now();
        let Some(room) = self.rooms.get(&key) else { return };
        match room.told_at {
            Some(told_at) if told_at > now => {}
            Some(told_at) if told_at + PAUSE > now => {
                // Due a pause from now, and not from the last telling: so the queue stays in order of time.
                let at = now + PAUSE;
                self.due.push_back(Due { at, room: key });
                if let Some(room) = self.rooms.get_mut(&key) {
                    // This time lies ahead, and until it comes the room is not queued again.
                    room.told_at = Some(at);
                }
            }
            Some(_) | None => self.tell_presence(key, now),
        }
    }

    /// When the next room is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.front().map(|due| due.at)
    }

    /// Tells the rooms whose time has come.
    pub(super) fn tell_due(&mut self) {
        let now = Instant::now();
        while let Some(due) = self.due.pop_front_if(|due| due.at <= now) {
            self.tell_presence(due.room, now);
        }
    }

    fn tell_presence(&mut self, key: RoomKey, now: Instant) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.told_at = Some(now);
        let (presence_due, roster_due) =
            (std::mem::take(&mut room.presence_due), std::mem::take(&mut room.roster_due));
        let (native_heard, simple_heard) = (room.native > 0, room.simple > 0);
        if presence_due
            && native_heard
            && let Some(frame) = self.presence_frame(key)
        {
            self.tell_fleeting(room_key(key), NATIVE, frame);
        }
        if roster_due
            && simple_heard
            && let Some(room) = self.rooms.get(&key)
        {
            let frame = roster(room, &self.presence, key);
            self.tell_fleeting(room_key(key), SIMPLE, frame);
        }
    }
}

impl Tables {
    /// Who is here, for native connections.
    pub(super) fn presence_frame(&self, key: RoomKey) -> Option<Frame> {
        let room = self.rooms.get(&key)?.head.id;
        let here = self.presence.first(key, FEW).filter_map(Shown::who).cloned().collect();
        let count = self.presence.count(key) as u64;
        Some(native(&ServerFrame::Presence(protocol::frame::Presence { room, count, here })))
    }
}

/// The names of the first [`FEW`] people here. Where there are more, also how many there are.
pub(super) fn names(presence: &Presence, key: RoomKey) -> (Vec<String>, Option<u64>) {
    let users = presence.first(key, FEW).map(|shown| shown.name().to_owned()).collect();
    let count = presence.count(key);
    (users, (count > FEW).then_some(count as u64))
}

pub(super) fn roster(room: &Room, presence: &Presence, key: RoomKey) -> Frame {
    let (users, count) = names(presence, key);
    plain(&SimpleFrame::Roster { room: room.name.clone(), users, count })
}

fn is_simple(conn: &Conn) -> bool {
    match conn {
        Conn::Simple(_) => true,
        Conn::Native(_) => false,
    }
}
