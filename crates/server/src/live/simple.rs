//! Simple connections: entering and leaving rooms, one at a time.

use super::conns::{Conn, Visit};
use super::encode::plain;
use super::job::{Entered, Entering};
use super::keys::room_key;
use super::tables::Tables;
use super::told::{FEW, names, roster};
use chat::presence::{Effect, Person, Shown};
use chat::{Caller, History, RoomKey, RoomRef, UserKey, Visitor};
use delivery::{ConnId, Follow};
use protocol::RoomKind;
use protocol::simple::{Chat, SimpleFrame, SimpleRoom, SimpleRooms};
use std::sync::Arc;

impl Tables {
    pub(super) fn visit(&mut self, conn: ConnId, caller: Option<&Caller>) {
        let token = caller.and_then(|caller| Some((caller.key(), caller.session()?)));
        if let Some(caller) = caller {
            self.connected(conn, caller);
        }
        let person = Person::Visitor(conn.number());
        let visit = Visit { room: None, person, name: String::new(), user: None, token };
        self.conns.insert(conn, Conn::Simple(Box::new(visit)));
    }

    pub(super) fn enter(&mut self, entering: Entering) -> Entered {
        let Entering { conn, room, visitor, name, mut history } = entering;
        let Some(Conn::Simple(visit)) = self.conns.get(&conn) else {
            // The connection has ended meanwhile. If the room was opened for its sake alone, the room goes, too.
            if !self.rooms.contains_key(&room.key) && history.as_of == 0 {
                self.remove(room.key);
            }
            return Entered::In;
        };
        let person = match &visitor {
            // A visitor who became a user by speaking stays the person that the others saw before: they see one, not two.
            Visitor::Known(caller) if visit.user != Some(caller.key()) => Person::User(caller.key()),
            Visitor::Known(_) => visit.person,
            Visitor::Passing(_) => Person::Visitor(conn.number()),
        };
        let (key, shown) = (room.key, name.shown().to_owned());
        if let Some(room) = self.rooms.get(&key) {
            // The history may have been read ahead of what was told. What is not told yet comes as it comes to everybody.
            history.messages.retain(|message| message.seq <= room.head.seq());
        }
        if visit.room == Some(key) && visit.name == shown && visit.person == person {
            self.welcome_again(conn, key, &shown, history);
            return Entered::In;
        }
        let own = if visit.room == Some(key) { visit.person } else { person };
        if self.presence.is_name_here(key, name.folded(), own) {
            return Entered::NameTaken;
        }
        // A tail may not reach back to what is missing, and the history does: so the history is read again instead.
        let stale = match self.rooms.get(&key) {
            Some(room) => room.head.seq() > history.as_of,
            None => self.passed(key) > history.as_of,
        };
        if stale || self.may_be_gone(key) {
            return Entered::Stale;
        }
        self.leave(conn);
        self.go_in(conn, &room, &visitor, person, shown, history);
        Entered::In
    }

    fn go_in(
        &mut self,
        conn: ConnId,
        room: &RoomRef,
        visitor: &Visitor,
        person: Person,
        name: String,
        history: History,
    ) {
        let key = room.key;
        let head = self.hold(key, room.id, &room.name, room.kind, history.as_of).head.seq();
        if let Some(caller) = visitor.caller() {
            self.connected(conn, caller);
        }
        if let Some(Conn::Simple(visit)) = self.conns.get_mut(&conn) {
            visit.room = Some(key);
            visit.person = person;
            visit.name.clone_from(&name);
            visit.user = visitor.caller().map(Caller::key);
        }
        let shown = Arc::new(Shown::named(&name, visitor.caller().map(Caller::shared_user)));
        // The welcome counts the person who enters among those who are here. The others hear of it afterwards.
        let welcome = self.welcome_with(key, person, &name, history);
        self.delivery.follow(Follow {
            preface: vec![plain(&welcome)],
            ..Follow::anew(conn, room_key(key), head, head)
        });
        if let Some(room) = self.rooms.get_mut(&key) {
            room.simple += 1;
        }
        if self.arrive(conn, key, person, shown) == Effect::Unseen {
            self.tell_alone(conn, key, name);
        }
    }

    /// Tells a connection that it joined, and the roster, where nobody else is told. So it is when the person was here by
    /// another connection already. A script that joins waits for these two frames.
    fn tell_alone(&mut self, conn: ConnId, key: RoomKey, username: String) {
        let Some(room) = self.rooms.get(&key) else { return };
        self.delivery.unicast(conn, plain(&SimpleFrame::Joined { room: room.name.clone(), username }));
        self.delivery.unicast(conn, roster(room, &self.presence, key));
    }

    fn welcome_with(&mut self, key: RoomKey, person: Person, name: &str, history: History) -> SimpleFrame {
        let (mut users, mut count) = names(&self.presence, key);
        if !self.presence.is_person_here(key, person) {
            match &mut count {
                Some(count) => *count += 1,
                None if users.len() >= FEW => count = Some(users.len() as u64 + 1),
                None => users.push(name.to_owned()),
            }
        }
        let room = self.rooms.get(&key).map(|room| room.name.clone()).unwrap_or_default();
        let history =
            history.messages.into_iter().filter(|message| !message.deleted).map(Chat::from).collect();
        SimpleFrame::Welcome { room, username: name.to_owned(), users, count, history }
    }

    fn welcome_again(&mut self, conn: ConnId, key: RoomKey, name: &str, history: History) {
        let Some(Conn::Simple(visit)) = self.conns.get(&conn) else { return };
        let person = visit.person;
        let welcome = self.welcome_with(key, person, name, history);
        self.delivery.unicast(conn, plain(&welcome));
    }

    /// Takes a simple connection out of its room, if it is in one.
    pub(super) fn leave(&mut self, conn: ConnId) {
        let Some(Conn::Simple(visit)) = self.conns.get_mut(&conn) else { return };
        let Some(key) = visit.room.take() else { return };
        let (person, user) = (visit.person, visit.user);
        // The connection stops hearing the room before `left` is told: that frame is for those who stay.
        self.delivery.unfollow(conn, room_key(key));
        if let Some(room) = self.rooms.get_mut(&key) {
            room.simple = room.simple.saturating_sub(1);
        }
        self.depart(key, person);
        if let Some(user) = user
            && self.token_of(conn).is_none()
        {
            self.disconnected(conn, user);
        }
        self.release(key);
    }

    fn token_of(&self, conn: ConnId) -> Option<UserKey> {
        match self.conns.get(&conn) {
            Some(Conn::Simple(visit)) => visit.token.map(|(user, _)| user),
            Some(Conn::Native(_)) | None => None,
        }
    }

    pub(super) fn known(&mut self, conn: ConnId, caller: &Caller) {
        let Some(Conn::Simple(visit)) = self.conns.get_mut(&conn) else { return };
        let Some(key) = visit.room else { return };
        visit.user = Some(caller.key());
        let person = visit.person;
        self.presence.became_known(key, person, &caller.shared_user());
        self.connected(conn, caller);
        self.tell_known(key);
    }

    pub(super) fn simple_closed(&mut self, conn: ConnId) {
        self.leave(conn);
        if let Some(user) = self.token_of(conn) {
            self.disconnected(conn, user);
        }
        self.conns.remove(&conn);
    }

    /// The user of a simple connection is no longer a member of a room: takes the connection out of it and says so.
    pub(super) fn put_out(&mut self, conn: ConnId, key: RoomKey) {
        let Some(Conn::Simple(visit)) = self.conns.get(&conn) else { return };
        if visit.room == Some(key) {
            self.leave(conn);
            let message = "you were removed from this room".to_owned();
            self.delivery.unicast(conn, plain(&SimpleFrame::Error { message }));
        }
    }

    pub(super) fn simple_rooms(&self) -> SimpleRooms {
        let mut rooms: Vec<SimpleRoom> = self
            .presence
            .rooms()
            .filter_map(|key| {
                let room = self.rooms.get(&key).filter(|room| room.kind == RoomKind::Open)?;
                let (users, count) = names(&self.presence, key);
                Some(SimpleRoom { room: room.name.clone(), users, count })
            })
            .collect();
        rooms.sort_by(|one, other| one.room.cmp(&other.room));
        SimpleRooms { rooms }
    }
}
