//! Native connections: registering, greeting, resuming, and what changes for their users.

use super::conns::{Conn, Connected, Greeted, Meanwhile, NativeConn};
use super::encode::{native, plain};
use super::job::{Greeting, Resuming};
use super::keys::{NATIVE, room_key, user_key};
use super::rooms::Rooms;
use super::tables::Tables;
use chat::presence::{Effect, Person, Shown};
use chat::{Caller, RoomKey, UserKey};
use delivery::{ConnId, Follow, Frame};
use protocol::frame::{RoomJoined, RoomLeft, SessionEnded};
use protocol::simple::SimpleFrame;
use protocol::{CloseCode, PersonalFrame, Room as View, RoomId, ServerFrame, SessionId, User};
use sabotage::Bug;
use smallvec::SmallVec;
use std::sync::Arc;

impl Tables {
    pub(super) fn register(&mut self, conn: ConnId, caller: &Caller) -> Arc<Rooms> {
        let state = Greeted::NotYet(Vec::new());
        let native = NativeConn { user: caller.key(), session: caller.session(), state };
        self.conns.insert(conn, Conn::Native(native));
        self.connected(conn, caller)
    }

    /// Takes note of one more connection of a user.
    pub(super) fn connected(&mut self, conn: ConnId, caller: &Caller) -> Arc<Rooms> {
        let entry = self.users.entry(caller.key()).or_insert_with(|| Connected {
            shown: Arc::new(Shown::user(caller.shared_user())),
            rooms: Arc::default(),
            conns: SmallVec::new(),
        });
        if !entry.conns.contains(&conn) {
            entry.conns.push(conn);
        }
        Arc::clone(&entry.rooms)
    }

    pub(super) fn greet(&mut self, conn: ConnId, greeting: Greeting) {
        let Some(Conn::Native(native_conn)) = self.conns.get_mut(&conn) else {
            // Its session ended before the connection was attached, when nothing could be told to it yet.
            return self.delivery.close(conn, CloseCode::SessionEnded.number(), "session ended");
        };
        let user = native_conn.user;
        let Greeted::NotYet(meanwhile) = &mut native_conn.state else { return };
        let meanwhile = std::mem::take(meanwhile);
        let Greeting { mut hello, mut rooms } = greeting;
        let mut personal = Vec::new();
        for told in meanwhile {
            match told {
                Meanwhile::Joined(key, view) => {
                    rooms.retain(|(room, _)| *room != key);
                    rooms.push((key, view));
                }
                Meanwhile::Left(key) => rooms.retain(|(room, _)| *room != key),
                Meanwhile::Personal(frame) => personal.push(frame),
            }
        }
        native_conn.state = Greeted::Yes(Vec::with_capacity(rooms.len()));
        hello.rooms = rooms.iter().map(|(_, view)| view.clone()).collect();
        let mut preface = vec![native(&ServerFrame::Hello(hello))];
        preface.append(&mut personal);
        self.delivery.follow(Follow { preface, ..Follow::anew(conn, user_key(user), 0, 0) });
        if let Some(entry) = self.users.get(&user) {
            entry.rooms.reserve(rooms.len());
        }
        for (key, view) in rooms {
            self.follow(conn, user, key, &view, Vec::new());
        }
    }

    /// Makes a connection hear a room of its user from `view.head` on.
    fn follow(&mut self, conn: ConnId, user: UserKey, key: RoomKey, view: &View, preface: Vec<Frame>) {
        self.know_room(user, key, view);
        let Some(Conn::Native(NativeConn { state: Greeted::Yes(followed), .. })) = self.conns.get_mut(&conn)
        else {
            return;
        };
        // The database may tell of a membership before the stream of what was committed does. It counts once.
        let is_new = !followed.contains(&key);
        if is_new {
            followed.push(key);
        }
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.native += usize::from(is_new);
        let head = room.head.seq();
        self.take_up(Follow { preface, ..Follow::anew(conn, room_key(key), view.head, head) });
        if is_new {
            self.arrive_as_user(conn, user, key);
        }
    }

    fn know_room(&mut self, user: UserKey, key: RoomKey, view: &View) {
        let Some(entry) = self.users.get(&user) else { return };
        let rooms = Arc::clone(&entry.rooms);
        if rooms.find(view.id).is_none() {
            let head = Arc::clone(&self.hold(key, view.id, &view.name, view.kind, view.head).head);
            rooms.insert(head);
        }
    }

    fn arrive_as_user(&mut self, conn: ConnId, user: UserKey, key: RoomKey) {
        let Some(entry) = self.users.get(&user) else { return };
        let shown = Arc::clone(&entry.shown);
        if self.arrive(conn, key, Person::User(user), shown) == Effect::Unseen {
            // The user is here by another connection already, so nobody is told anything. This connection has not heard yet
            // who is here.
            if let Some(frame) = self.presence_frame(key) {
                self.delivery.unicast(conn, frame);
            }
        }
    }

    pub(super) fn resume(&mut self, resuming: Resuming) -> Option<u64> {
        let Resuming { conn, room: id, after, makes_up_for, preface, most } = resuming;
        // Refused before the hello: until then the task does not know what the connection follows, and could not unfollow
        // the room when the user leaves it.
        let Some(Conn::Native(NativeConn { user, state: Greeted::Yes(followed), .. })) =
            self.conns.get(&conn)
        else {
            return None;
        };
        let key = self.users.get(user)?.rooms.find(id)?;
        if !followed.contains(&key) {
            return None;
        }
        let head = self.rooms.get(&key)?.head.seq();
        let after = if sabotage::has(Bug::CursorOffByOne) { after.saturating_sub(1) } else { after };
        if most.is_none_or(|most| after <= head && head - after <= most) {
            self.take_up(Follow { conn, key: room_key(key), after, head, makes_up_for, preface });
            // Who is here may have changed while the connection heard nothing.
            if most.is_none()
                && let Some(frame) = self.presence_frame(key)
            {
                self.delivery.unicast(conn, frame);
            }
        }
        Some(head)
    }

    /// Tells a connection the preface, and then makes it follow. The preface does not go along with the follow: a tail that
    /// does not reach back would drop it, and the log would then be read from behind the preface, which nobody has told.
    fn take_up(&mut self, mut follow: Follow) {
        for frame in std::mem::take(&mut follow.preface) {
            self.delivery.unicast(follow.conn, frame);
        }
        self.delivery.follow(follow);
    }

    pub(super) fn joined(&mut self, user: UserKey, key: RoomKey, view: View) {
        let Some(entry) = self.users.get(&user) else { return };
        let conns = entry.conns.clone();
        self.know_room(user, key, &view);
        let frame = native(&ServerFrame::RoomJoined(RoomJoined { room: view.clone() }));
        for conn in conns {
            let Some(Conn::Native(NativeConn { state, .. })) = self.conns.get_mut(&conn) else { continue };
            match state {
                Greeted::NotYet(meanwhile) => meanwhile.push(Meanwhile::Joined(key, view.clone())),
                Greeted::Yes(_) => self.follow(conn, user, key, &view, vec![frame.clone()]),
            }
        }
    }

    pub(super) fn left(&mut self, user: UserKey, key: RoomKey, id: RoomId, seq: u64, by: Option<User>) {
        let Some(entry) = self.users.get(&user) else { return };
        let (conns, rooms) = (entry.conns.clone(), Arc::clone(&entry.rooms));
        let frame = native(&ServerFrame::RoomLeft(RoomLeft { room: id, seq, by }));
        for conn in conns {
            match self.conns.get_mut(&conn) {
                Some(Conn::Native(NativeConn { state: Greeted::NotYet(meanwhile), .. })) => {
                    meanwhile.push(Meanwhile::Left(key));
                }
                Some(Conn::Native(NativeConn { state: Greeted::Yes(followed), .. })) => {
                    if let Some(at) = followed.iter().position(|followed| *followed == key) {
                        followed.swap_remove(at);
                        self.unfollow(conn, user, key);
                    }
                    self.delivery.unicast(conn, frame.clone());
                }
                Some(Conn::Simple(_)) => self.put_out(conn, key),
                None => {}
            }
        }
        if rooms.remove(id) {
            self.release(key);
        }
    }

    fn unfollow(&mut self, conn: ConnId, user: UserKey, key: RoomKey) {
        if !sabotage::has(Bug::StaleMembership) {
            self.delivery.unfollow(conn, room_key(key));
        }
        if let Some(room) = self.rooms.get_mut(&key) {
            room.native = room.native.saturating_sub(1);
        }
        self.depart(key, Person::User(user));
    }

    /// Tells every native connection of a user how something of theirs stands: one that is being greeted right behind its
    /// hello, all others now.
    pub(super) fn tell_user(&mut self, user: UserKey, frame: PersonalFrame) {
        let Some(entry) = self.users.get(&user) else { return };
        let frame = native(&frame.into());
        for conn in &entry.conns {
            if let Some(Conn::Native(NativeConn { state: Greeted::NotYet(meanwhile), .. })) =
                self.conns.get_mut(conn)
            {
                meanwhile.push(Meanwhile::Personal(frame.clone()));
            }
        }
        self.tell_fleeting(user_key(user), NATIVE, frame);
    }

    pub(super) fn session_ended(&mut self, user: UserKey, ended: SessionId) {
        let Some(entry) = self.users.get(&user) else { return };
        let of_session = |conn: &ConnId| self.conns.get(conn).and_then(Conn::session) == Some(ended);
        let over: Vec<ConnId> = entry.conns.iter().copied().filter(of_session).collect();
        for conn in over {
            let goodbye = match self.conns.get(&conn) {
                Some(Conn::Native(_)) => native(&ServerFrame::SessionEnded(SessionEnded {})),
                Some(Conn::Simple(_)) => plain(&signed_out()),
                None => continue,
            };
            self.delivery.unicast(conn, goodbye);
            self.delivery.close(conn, CloseCode::SessionEnded.number(), "session ended");
            // The connection may hear nothing more, however long the close takes.
            self.closed(conn);
        }
    }

    pub(super) fn native_closed(&mut self, conn: ConnId) {
        let Some(Conn::Native(NativeConn { user, state, .. })) = self.conns.remove(&conn) else { return };
        match state {
            Greeted::Yes(followed) => {
                for key in followed {
                    self.unfollow(conn, user, key);
                }
                self.delivery.unfollow(conn, user_key(user));
            }
            Greeted::NotYet(_) => {}
        }
        self.disconnected(conn, user);
    }

    /// Takes note that a connection of a user is over. With the last one the user's rooms are let go.
    pub(super) fn disconnected(&mut self, conn: ConnId, user: UserKey) {
        let Some(entry) = self.users.get_mut(&user) else { return };
        entry.conns.retain(|other| *other != conn);
        if entry.conns.is_empty() {
            let rooms = entry.rooms.drain();
            self.users.remove(&user);
            for key in rooms {
                self.release(key);
            }
        }
    }
}

fn signed_out() -> SimpleFrame {
    SimpleFrame::Error { message: "the session of this token has ended".to_owned() }
}
