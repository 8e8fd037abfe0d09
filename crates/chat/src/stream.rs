//! What leaves this crate after a commit, as one ordered stream.

use protocol::{Event, PersonalFrame, Room, RoomId, RoomKind, SessionId, User};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A room's key inside the server: small and never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoomKey(pub(crate) i64);

/// A user's key inside the server: small and never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserKey(pub(crate) i64);

impl RoomKey {
    /// The number, for tables outside this crate.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl UserKey {
    /// The number, for tables outside this crate.
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// Something that is so from now on. Whoever applies these in order knows at each moment who may hear what.
#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    /// A durable event of a room, for everybody who follows it.
    Event {
        /// Where.
        room: RoomKey,
        /// What; `seq` is one more than the room's event before it in this stream.
        event: Event,
    },
    /// A user is a member of a room from now on; comes right after the event that says so to the room.
    Joined {
        /// Who.
        user: UserKey,
        /// Where.
        room: RoomKey,
        /// The room as this user sees it.
        view: Room,
    },
    /// A user is no longer a member; comes right before the event that says so to the others.
    Left {
        /// Who.
        user: UserKey,
        /// Where.
        room: RoomKey,
        /// The room's id.
        id: RoomId,
        /// The `seq` of the leave: nothing after it is theirs to hear.
        seq: u64,
        /// Who ended it, when it was somebody else.
        by: Option<User>,
    },
    /// Something of one user's stands otherwise from now on, and every connection of the user is told how.
    Personal {
        /// Whose.
        user: UserKey,
        /// How it stands.
        frame: PersonalFrame,
    },
    /// A session ended: its connections close.
    SessionEnded {
        /// Whose.
        user: UserKey,
        /// Which.
        session: SessionId,
    },
}

/// Something that is dropped only once what was written with it is settled; see [`Chat::keeping`](crate::Chat::keeping).
pub type Kept = Arc<dyn Send + Sync>;

/// What one commit changed, in order.
pub struct Batch {
    /// What is so from now on.
    pub committed: Vec<Committed>,
    /// What those who wrote it want kept until it was told on: to be dropped after that.
    pub kept: Vec<Kept>,
}

impl Batch {
    /// Whether there is nothing to tell.
    pub const fn is_empty(&self) -> bool {
        self.committed.is_empty()
    }
}

/// What is known of a room that one may enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRef {
    /// Its key inside the server.
    pub key: RoomKey,
    /// Its id.
    pub id: RoomId,
    /// Its name.
    pub name: String,
    /// Who finds and enters it.
    pub kind: RoomKind,
    /// Its latest `seq` when it was read.
    pub head: u64,
}
