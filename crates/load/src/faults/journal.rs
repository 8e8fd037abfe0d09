//! What one person did, what came of it, and everything they were shown.

use protocol::{ErrorCode, Message, RoomId, UserId};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Microseconds since the round began.
    pub at_us: u64,
    /// What it was.
    #[serde(flatten)]
    pub what: What,
}

/// What somebody did or saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Began to post. The text begins with the nonce, so that a message is known by its text alone.
    Invoke { nonce: String, room: RoomId, text: String },
    /// The server says that it is posted.
    Ok { nonce: String, room: RoomId, seq: u64 },
    /// Every attempt was refused.
    Failed { nonce: String, code: ErrorCode },
    /// The last attempt was refused; an earlier one may have been heard.
    Refused { nonce: String, code: ErrorCode },
    /// Nobody knows.
    Unknown { nonce: String },
    /// An edit or a deletion was acknowledged.
    Revised { room: RoomId, target: u64, rev: u64 },
    /// A read mark was acknowledged.
    Marked { room: RoomId, seq: u64 },
    /// Looked for one's own acknowledged message on a page.
    ReadBack { nonce: String, room: RoomId, seq: u64, found: bool },
    /// Asked for something in a room that one was never in.
    Peeked { room: RoomId, status: u16 },
    /// A resume was sent on the connection at hand.
    Resume { room: RoomId, after: u64 },
    /// A frame of the native protocol, as it was sent. A hello begins a connection.
    Frame { text: String },
    /// A frame of the simple protocol, as it was sent.
    SimpleFrame { text: String },
    /// A connection of the simple protocol begins.
    SimpleBegins {},
}

/// Who keeps a journal.
#[derive(Debug, Clone, Serialize)]
pub struct Keeper {
    /// Their name.
    pub name: String,
    /// Their account; none for somebody passing.
    pub user: Option<UserId>,
}

/// A journal in the making. Clones write into the same one.
#[derive(Debug, Clone)]
pub struct Pen {
    began: Instant,
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// A finished journal.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Whose it is.
    pub keeper: Keeper,
    /// In order of time.
    pub entries: Vec<Entry>,
    /// What was on their screen at the end.
    pub screens: Vec<Screen>,
}

/// What a client shows of one room.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    /// Which room.
    pub room: RoomId,
    /// How far the log was applied.
    pub last: u64,
    /// The messages, and from and up to (exclusively) which seq there must be all of them.
    pub rows: Vec<Message>,
    /// See `rows`.
    pub window: std::ops::Range<u64>,
}

impl Pen {
    /// A journal whose times count from `began`.
    pub fn new(began: Instant) -> Self {
        Self { began, entries: Arc::default() }
    }

    /// Notes something now.
    pub fn note(&self, what: What) {
        let at_us = self.began.elapsed().as_micros() as u64;
        self.lock().push(Entry { at_us, what });
    }

    /// Notes what else was shown, and closes the journal.
    pub fn close(&self, keeper: Keeper, frames: Vec<String>, screens: Vec<Screen>) -> Journal {
        for text in frames {
            self.note(What::Frame { text });
        }
        Journal { keeper, entries: std::mem::take(&mut *self.lock()), screens }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // A list that is whole after every statement.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
