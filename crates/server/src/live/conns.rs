//! Who is connected, and how far each connection has come.

use super::rooms::Rooms;
use chat::presence::{Person, Shown};
use chat::{RoomKey, UserKey};
use delivery::{ConnId, Frame};
use protocol::{Room as View, SessionId};
use smallvec::SmallVec;
use std::sync::Arc;

/// A connection by its wire protocol.
pub(super) enum Conn {
    Native(NativeConn),
    Simple(Box<Visit>),
}

pub(super) struct NativeConn {
    pub(super) user: UserKey,
    pub(super) session: Option<SessionId>,
    pub(super) state: Greeted,
}

/// How far a native connection has come.
pub(super) enum Greeted {
    /// The user's memberships are being read from the database for its greeting. What the user is told meanwhile is
    /// kept here, in order, and holds against what was read.
    NotYet(Vec<Meanwhile>),
    /// The connection follows these rooms of its user.
    Yes(Vec<RoomKey>),
}

/// What a user is told while a connection of theirs is being greeted.
pub(super) enum Meanwhile {
    Joined(RoomKey, View),
    Left(RoomKey),
    /// A personal frame. It says how things stand, so the connection is told it right behind its hello, whatever the
    /// hello says of them.
    Personal(Frame),
}

/// A user with connections.
pub(super) struct Connected {
    pub(super) shown: Arc<Shown>,
    pub(super) rooms: Arc<Rooms>,
    /// The user's connections, of both protocols.
    pub(super) conns: SmallVec<[ConnId; 2]>,
}

impl Conn {
    /// The session that the connection lives by; none for a visitor without a token.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Native(native) => native.session,
            Self::Simple(visit) => visit.token.map(|(_, session)| session),
        }
    }
}

/// A simple connection.
pub(super) struct Visit {
    pub(super) room: Option<RoomKey>,
    pub(super) person: Person,
    pub(super) name: String,
    /// The user, once the database knows one: a visitor becomes one by speaking.
    pub(super) user: Option<UserKey>,
    /// The user and session of the token that the connection came with. They stay as long as the connection lives.
    pub(super) token: Option<(UserKey, SessionId)>,
}
