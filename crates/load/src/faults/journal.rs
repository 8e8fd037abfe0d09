//! The acts of one person, their outcomes, and everything that the person was shown.

use protocol::{ErrorCode, Message, RoomId, UserId};
use serde::{Serialize, Serializer};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One line of a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Microseconds since the round began.
    pub at_us: u64,
    /// The act or sight. A frame that was told to many is shared by all their journals.
    pub what: Arc<What>,
}

/// An act or a sight of a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Began to post. The text begins with the nonce, so that a message is known by its text alone.
    Invoke { nonce: String, room: RoomId, text: String },
    /// The server says that it is posted.
    Ok { nonce: String, room: RoomId, seq: u64 },
    /// Every attempt was refused.
    Failed { nonce: String, code: ErrorCode },
    /// The last attempt was refused. An earlier one may have been done.
    Refused { nonce: String, code: ErrorCode },
    /// Every attempt may have been done or not.
    Unknown { nonce: String },
    /// An edit or a deletion was acknowledged.
    Revised { room: RoomId, target: u64, rev: u64 },
    /// A read mark was acknowledged.
    Marked { room: RoomId, seq: u64 },
    /// Looked on a page for an acknowledged message of their own.
    ReadBack { nonce: String, room: RoomId, seq: u64, found: bool },
    /// Asked for something in a room that they were never in.
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

/// The keeper of a journal.
#[derive(Debug, Clone, Serialize)]
pub struct Keeper {
    /// Their name.
    pub name: String,
    /// Their account; none for a passing visitor.
    pub user: Option<UserId>,
}

/// A journal in the making. Clones write into the same one.
#[derive(Debug, Clone)]
pub struct Pen {
    began: Instant,
    frames: Frames,
    entries: Arc<Mutex<Vec<Entry>>>,
}

/// All frames of a round, each held once: a thousand people are told the same, and half an hour of that does not fit into
/// memory a thousand times.
#[derive(Debug, Clone, Default)]
pub struct Frames(Arc<Mutex<HashSet<Arc<What>>>>);

/// A finished journal.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The keeper of the journal.
    pub keeper: Keeper,
    /// In order of time.
    pub entries: Vec<Entry>,
    /// Their screen at the end.
    pub screens: Vec<Screen>,
}

/// What a client shows of one room.
#[derive(Debug, Clone, PartialEq)]
pub struct Screen {
    /// Which room.
    pub room: RoomId,
    /// Up to which seq events were applied.
    pub last: u64,
    /// The messages. Between the two ends of `window` there must be all of them.
    pub rows: Vec<Message>,
    /// See `rows`.
    pub window: std::ops::Range<u64>,
}

impl What {
    /// The text of a frame, of whichever protocol.
    pub fn shown(&self) -> Option<&str> {
        match self {
            Self::Frame { text } | Self::SimpleFrame { text } => Some(text),
            Self::Invoke { .. }
            | Self::Ok { .. }
            | Self::Failed { .. }
            | Self::Refused { .. }
            | Self::Unknown { .. }
            | Self::Revised { .. }
            | Self::Marked { .. }
            | Self::ReadBack { .. }
            | Self::Peeked { .. }
            | Self::Resume { .. }
            | Self::SimpleBegins {} => None,
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a> {
            at_us: u64,
            #[serde(flatten)]
            what: &'a What,
        }
        Line { at_us: self.at_us, what: &self.what }.serialize(serializer)
    }
}

impl Frames {
    /// The shared copy of this entry.
    fn one(&self, what: What) -> Arc<What> {
        // The set is whole after every statement.
        let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = frames.get(&what) {
            return Arc::clone(known);
        }
        let what = Arc::new(what);
        frames.insert(Arc::clone(&what));
        what
    }
}

impl Pen {
    /// A journal whose times count from `began`, of a round with these frames.
    pub fn new(began: Instant, frames: Frames) -> Self {
        Self { began, frames, entries: Arc::default() }
    }

    /// Notes something now.
    pub fn note(&self, what: What) {
        let at_us = self.began.elapsed().as_micros() as u64;
        let what = if what.shown().is_some() { self.frames.one(what) } else { Arc::new(what) };
        self.lock().push(Entry { at_us, what });
    }

    /// Notes the rest of what was shown, and closes the journal.
    pub fn close(&self, keeper: Keeper, frames: Vec<String>, screens: Vec<Screen>) -> Journal {
        for text in frames {
            self.note(What::Frame { text });
        }
        Journal { keeper, entries: std::mem::take(&mut *self.lock()), screens }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // The list is whole after every statement.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_are_told_is_held_once_and_stands_in_each_of_their_journals() {
        let (frames, began) = (Frames::default(), Instant::now());
        let [ana, ben] = ["Ana", "Ben"].map(|name| {
            let pen = Pen::new(began, frames.clone());
            pen.note(What::Frame { text: format!("only to {name}") });
            pen.note(What::Frame { text: "to all".to_owned() });
            pen.close(Keeper { name: name.to_owned(), user: None }, vec![], vec![]).entries
        });
        assert!(Arc::ptr_eq(&ana[1].what, &ben[1].what) && ana[0].what != ben[0].what);
        let line = serde_json::to_value(&ben[1]).expect("a line");
        assert_eq!((&line["what"], &line["text"]), (&"frame".into(), &"to all".into()));
    }
}
