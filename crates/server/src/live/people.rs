//! Native connections: registering, greeting, resuming, and what changes for their users.

use super::room::Head;
use super::tables::{Change, Conn, Connected, Greeted, NativeConn, Tables};
use super::{NATIVE, native, plain, room_key, user_key};
use chat::presence::{self, Person, Shown};
use chat::{Caller, RoomKey, UserKey};
use delivery::{ConnId, Follow, Frame, Shortfall};
use protocol::frame::{Beat, Hello, ReadMarked, RoomJoined, RoomLeft};
use protocol::simple::SimpleFrame;
use protocol::{CloseCode, ReadMark, Room as View, RoomId, ServerFrame, SessionId, User};
use sabotage::Bug;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// What most hear most of the time.
static NOTHING_MOVED: LazyLock<Frame> =
    LazyLock::new(|| native(&ServerFrame::Beat(Beat { heads: BTreeMap::new() })));

/// What the beats of a connection have told so far.
#[derive(Debug, Default)]
pub struct Beaten {
    /// When the newest of the rooms had moved, in live's own time.
    newest: AtomicU64,
    /// [`Live::moves`](super::Live::moves) when the rooms were last looked at.
    moves: AtomicU64,
}

/// The rooms of a connected user: what resuming and beats go by. It follows memberships as they are committed, never
/// what delivery follows, so that a lost subscription is noticed too. In order of id: most are in few, and a list is a
/// fraction of a map.
#[derive(Debug, Default)]
pub struct Rooms(Mutex<Vec<Arc<Head>>>);

impl Rooms {
    /// The key of one of the user's rooms.
    pub fn find(&self, id: RoomId) -> Option<RoomKey> {
        let rooms = self.lock();
        place(&rooms, id).ok().map(|place| rooms[place].key)
    }

    /// The id of one of the user's rooms.
    pub fn named(&self, key: delivery::Key) -> Option<RoomId> {
        self.lock().iter().find(|head| room_key(head.key) == key).map(|head| head.id)
    }

    /// The beat of a connection after those before: the heads of rooms that moved since. `moves` is
    /// [`Live::moves`](super::Live::moves), asked before. `tells` is true of every room but in a build that is to have a
    /// bug.
    pub fn beat(&self, beaten: &Beaten, moves: u64, tells: impl Fn(RoomId) -> bool) -> Frame {
        // Where all is quiet the rooms are not looked at: they lie all over memory.
        if beaten.moves.swap(moves, Ordering::Relaxed) == moves {
            return NOTHING_MOVED.clone();
        }
        let since = beaten.newest.load(Ordering::Relaxed);
        let rooms = self.lock();
        // Looked for first: a room that moves from here on has moved no earlier, so the next beat tells it.
        let newest = rooms.iter().map(|head| head.moved()).max().unwrap_or(0);
        let moved = rooms.iter().filter(|head| head.moved() > 0 && head.moved() >= since);
        let heads: BTreeMap<_, _> =
            moved.filter(|head| tells(head.id)).map(|head| (head.id, head.seq())).collect();
        drop(rooms);
        beaten.newest.store(newest.max(since), Ordering::Relaxed);
        if heads.is_empty() {
            return NOTHING_MOVED.clone();
        }
        native(&ServerFrame::Beat(Beat { heads }))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Head>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, head: Arc<Head>) {
        let mut rooms = self.lock();
        if let Err(place) = place(&rooms, head.id) {
            rooms.insert(place, head);
        }
    }

    fn remove(&self, id: RoomId) -> bool {
        let mut rooms = self.lock();
        place(&rooms, id).map(|place| rooms.remove(place)).is_ok()
    }

    /// Lets all of them go, once: whoever asks for one to be removed after that is told that it is gone.
    fn drain(&self) -> Vec<RoomKey> {
        std::mem::take(&mut *self.lock()).iter().map(|head| head.key).collect()
    }

    /// Takes no more room than `count` rooms need, and in one piece: what is given back by the bit lies about unused.
    fn reserve(&self, count: usize) {
        let mut rooms = self.lock();
        let more = count.saturating_sub(rooms.len());
        rooms.reserve_exact(more);
    }
}

/// Where a room stands among others, or would.
fn place(rooms: &[Arc<Head>], id: RoomId) -> Result<usize, usize> {
    rooms.binary_search_by(|head| head.id.cmp(&id))
}

/// What a new connection is told first.
pub struct Greeting {
    /// `hello`, its rooms still empty.
    pub hello: Hello,
    /// The user's rooms, read after the connection was registered.
    pub rooms: Vec<(RoomKey, View)>,
}

/// A room to be taken up again.
pub struct Resuming {
    /// By whom.
    pub conn: ConnId,
    /// Which.
    pub room: RoomId,
    /// The last `seq` the connection has, once it has read `preface`.
    pub after: u64,
    /// The shortfall after which it was told what was missing; `None` where the room is taken up whatever was refused.
    pub makes_up_for: Option<Shortfall>,
    /// What it is told first.
    pub preface: Vec<Frame>,
    /// Only answers with the head when more than this was missed, or `after` lies beyond the head. Without it the room
    /// is taken up in any case: what was just read from the database may lie ahead of what was told.
    pub most: Option<u64>,
}

impl Tables {
    pub(super) fn register(&mut self, conn: ConnId, caller: &Caller) -> Arc<Rooms> {
        let state = Greeted::NotYet(Vec::new());
        let native = NativeConn { user: caller.key(), session: caller.session(), state };
        self.conns.insert(conn, Conn::Native(native));
        self.connected(conn, caller)
    }

    /// One more connection of a user.
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
            // Its session ended before it was attached, when nothing could be said to it yet.
            return self.delivery.close(conn, CloseCode::SessionEnded.number(), "session ended");
        };
        let user = native_conn.user;
        let Greeted::NotYet(changes) = &mut native_conn.state else { return };
        let changes = std::mem::take(changes);
        let Greeting { mut hello, mut rooms } = greeting;
        for change in changes {
            match change {
                Change::Joined(key, view) => {
                    rooms.retain(|(room, _)| *room != key);
                    rooms.push((key, view));
                }
                Change::Left(key) => rooms.retain(|(room, _)| *room != key),
                Change::Read(id, read) => {
                    for (_, view) in rooms.iter_mut().filter(|(_, view)| view.id == id) {
                        view.read = ReadMark { seq: view.read.seq.max(read.seq), n: view.read.n.max(read.n) };
                    }
                }
            }
        }
        native_conn.state = Greeted::Yes(Vec::with_capacity(rooms.len()));
        hello.rooms = rooms.iter().map(|(_, view)| view.clone()).collect();
        let preface = vec![native(&ServerFrame::Hello(hello))];
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
        // The database may tell of a membership before the stream does: it counts once.
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
        if self.arrive(conn, key, Person::User(user), shown) == presence::Change::Nothing {
            // Here by another connection already, so nobody is told anything: this one has not heard who is here.
            if let Some(frame) = self.presence_frame(key) {
                self.delivery.unicast(conn, frame);
            }
        }
    }

    pub(super) fn resume(&mut self, resuming: Resuming) -> Option<u64> {
        let Resuming { conn, room: id, after, makes_up_for, preface, most } = resuming;
        // Not before the hello: until then it follows nothing, and nothing would be unfollowed when the user leaves.
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

    /// Tells a connection its preface, then follows. Not as the preface of the follow: where the tail does not reach back,
    /// that one would be dropped, and the log be read from beyond it.
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
                Greeted::NotYet(changes) => changes.push(Change::Joined(key, view.clone())),
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
                Some(Conn::Native(NativeConn { state: Greeted::NotYet(changes), .. })) => {
                    changes.push(Change::Left(key));
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

    pub(super) fn read_marked(&mut self, user: UserKey, id: RoomId, read: ReadMark) {
        let Some(entry) = self.users.get(&user) else { return };
        for conn in &entry.conns {
            if let Some(Conn::Native(NativeConn { state: Greeted::NotYet(changes), .. })) =
                self.conns.get_mut(conn)
            {
                changes.push(Change::Read(id, read));
            }
        }
        let frame = native(&ServerFrame::ReadMarked(ReadMarked { room: id, read }));
        self.tell_fleeting(user_key(user), NATIVE, frame);
    }

    pub(super) fn session_ended(&mut self, user: UserKey, ended: SessionId) {
        let Some(entry) = self.users.get(&user) else { return };
        let of_session = |conn: &ConnId| self.conns.get(conn).and_then(Conn::session) == Some(ended);
        let over: Vec<ConnId> = entry.conns.iter().copied().filter(of_session).collect();
        for conn in over {
            let goodbye = match self.conns.get(&conn) {
                Some(Conn::Native(_)) => native(&ServerFrame::SessionEnded {}),
                Some(Conn::Simple(_)) => plain(&signed_out()),
                None => continue,
            };
            self.delivery.unicast(conn, goodbye);
            self.delivery.close(conn, CloseCode::SessionEnded.number(), "session ended");
            // Nothing more is theirs to hear, however long the close takes.
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

    /// One connection of a user less; with the last one the user's rooms are let go.
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
