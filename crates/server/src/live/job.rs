//! What connections and requests ask of the task.

use super::rooms::Rooms;
use chat::{Caller, History, RoomKey, RoomRef, Visitor};
use delivery::{ConnId, Frame, Shortfall};
use protocol::frame::Hello;
use protocol::simple::SimpleRooms;
use protocol::{Room as View, RoomId, SessionId, UserId};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Who is connected now in a room.
#[derive(Debug, Clone, Default)]
pub struct Here {
    /// How many people, visitors included.
    pub count: u64,
    /// The users among them.
    pub users: HashSet<UserId>,
}

/// What connections and requests ask of the task. The queue of jobs is unbounded, since shards cannot wait. It stays short
/// because a connection has a bounded number of commands under way, and each of them sends few jobs.
pub(super) enum Job {
    Arriving { noted: oneshot::Sender<()> },
    Arrived,
    Register { conn: ConnId, caller: Caller, rooms: oneshot::Sender<Arc<Rooms>> },
    Greet { conn: ConnId, greeting: Box<Greeting> },
    Resume { resuming: Resuming, head: oneshot::Sender<Option<u64>> },
    Visit { conn: ConnId, caller: Option<Caller> },
    Enter { entering: Box<Entering>, entered: oneshot::Sender<Entered> },
    Leave { conn: ConnId, done: oneshot::Sender<()> },
    Known { conn: ConnId, caller: Caller },
    Closed { conn: ConnId },
    Removed { room: RoomKey },
    Here { room: RoomKey, here: oneshot::Sender<Here> },
    Sessions { sessions: oneshot::Sender<Vec<SessionId>> },
    NameHere { folded: String, here: oneshot::Sender<bool> },
    SimpleRooms { rooms: oneshot::Sender<SimpleRooms> },
    Stop { done: oneshot::Sender<()> },
}

/// What a new connection is told first.
pub struct Greeting {
    /// `hello`, its rooms still empty.
    pub hello: Hello,
    /// The user's rooms, read after the connection was registered.
    pub rooms: Vec<(RoomKey, View)>,
}

/// A room that a connection is to hear again.
pub struct Resuming {
    /// The connection.
    pub conn: ConnId,
    /// The room.
    pub room: RoomId,
    /// The last `seq` that the connection has, once it has read `preface`.
    pub after: u64,
    /// The shortfall whose missing events the connection has been told by now. `None`: the room is heard again whatever
    /// tail fell short.
    pub makes_up_for: Option<Shortfall>,
    /// What the connection is told before the room.
    pub preface: Vec<Frame>,
    /// With a number: when the connection missed more events than that, or `after` lies beyond the head, nothing is done
    /// and the head answered. Without: the room is heard again in any case, since a page that was just read from the
    /// database may lie ahead of what was told.
    pub most: Option<u64>,
}

/// A simple connection about to enter a room.
pub struct Entering {
    /// The connection.
    pub conn: ConnId,
    /// The room.
    pub room: RoomRef,
    /// The person behind the connection.
    pub visitor: Visitor,
    /// The name that the person goes by.
    pub name: chat::Name,
    /// What was said last in the room.
    pub history: History,
}

/// What came of entering a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// The connection is in the room.
    In,
    /// Somebody in the room goes by this name. The connection stays where it was.
    NameTaken,
    /// More was told in the room than the history holds, or the room may be gone: read the history again.
    Stale,
}
