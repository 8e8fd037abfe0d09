//! A room that somebody on this node listens to.

use chat::RoomKey;
use protocol::{RoomId, RoomKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// How far a room has been told. The shards share it, for beats.
#[derive(Debug)]
pub struct Head {
    pub(super) id: RoomId,
    pub(super) key: RoomKey,
    seq: AtomicU64,
    /// When the room last moved, in milliseconds of the task's own clock; 0 when it has not.
    moved: AtomicU64,
}

impl Head {
    pub(super) fn new(id: RoomId, key: RoomKey, seq: u64) -> Self {
        Self { id, key, seq: AtomicU64::new(seq), moved: AtomicU64::new(0) }
    }

    /// The seq of the last event told.
    pub fn seq(&self) -> u64 {
        self.seq.load(Ordering::Acquire)
    }

    /// When the room last moved, by the task's own clock; 0 when it has not.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self, seq: u64, now: u64) {
        self.moved.store(now, Ordering::Relaxed);
        self.seq.store(seq, Ordering::Release);
    }
}

/// What the task keeps of a room while somebody connected is a member, or visits it.
pub(super) struct Room {
    pub(super) name: String,
    pub(super) kind: RoomKind,
    pub(super) head: Arc<Head>,
    /// How many hold the room: connected users who are members of it, and visitors. At zero the entry goes.
    pub(super) holders: usize,
    /// Connections that follow the room, by wire protocol: an event is encoded only for a protocol that has some.
    pub(super) native: usize,
    pub(super) simple: usize,
    /// Bytes published since the last milestone.
    pub(super) published: usize,
    /// When presence was last told, and whether it has changed since.
    pub(super) told_at: Option<Instant>,
    pub(super) presence_due: bool,
    pub(super) roster_due: bool,
}

impl Room {
    pub(super) fn new(head: Head, name: &str, kind: RoomKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            head: Arc::new(head),
            holders: 0,
            native: 0,
            simple: 0,
            published: 0,
            told_at: None,
            presence_due: false,
            roster_due: false,
        }
    }
}

/// A room whose presence is to be told again at a time.
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) room: RoomKey,
}
