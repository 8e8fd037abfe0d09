//! What connections and requests ask of the task.

use super::rooms::Rooms;
use chat::{Caller, History, RoomKey, RoomRef, Visitor};
use delivery::{ConnId, Frame, Refusal};
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

/// What connections and requests ask of the task. Unbounded, for shards cannot wait: a connection has a bounded number
/// of commands under way, and each sends few of these.
pub(super) enum Order {
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

/// A room to be taken up again.
pub struct Resuming {
    /// By whom.
    pub conn: ConnId,
    /// Which.
    pub room: RoomId,
    /// The last `seq` the connection has, once it has read `preface`.
    pub after: u64,
    /// The refusal after which it was told what was missing; `None` where the room is taken up whatever was refused.
    pub makes_up_for: Option<Refusal>,
    /// What it is told first.
    pub preface: Vec<Frame>,
    /// Only answers with the head when more than this was missed, or `after` lies beyond the head. Without it the room
    /// is taken up in any case: what was just read from the database may lie ahead of what was told.
    pub most: Option<u64>,
}

/// Somebody at the door of a room.
pub struct Entering {
    /// By which connection.
    pub conn: ConnId,
    /// Which room.
    pub room: RoomRef,
    /// Who.
    pub visitor: Visitor,
    /// The name they go by.
    pub name: chat::Name,
    /// What was said last in the room.
    pub history: History,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// They are in.
    In,
    /// Somebody here goes by this name: they stay where they were.
    NameTaken,
    /// The history was read at another moment than the room was told up to: read it again.
    Stale,
}
