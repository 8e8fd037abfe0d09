//! What must hold of a database at any moment, and whether it does.

use crate::error::DatabaseError;
use crate::store::checks as store;
use std::path::Path;

/// Something that must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// SQLite can read every page, row and value.
    Integrity,
    /// Every index has exactly the entries that its table's rows ask for.
    Indexes,
    /// Whatever a row refers to is there.
    References,
    /// Each room's events are numbered 1, 2, 3 … up to its head.
    Rooms,
    /// Each message has the events that made it what it is, and each event of a message has its message.
    Messages,
    /// Nobody has read further than there is.
    Reads,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Integrity, Self::Indexes, Self::References, Self::Rooms, Self::Messages, Self::Reads];

    /// Its name, for people and programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Indexes => "indexes",
            Self::References => "references",
            Self::Rooms => "rooms",
            Self::Messages => "messages",
            Self::Reads => "reads",
        }
    }

    /// What it looks at, as a sentence.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Integrity => "SQLite can read every page, row and value of the database.",
            Self::Indexes => "Every index has exactly the entries of its table's rows.",
            Self::References => "Whatever a row refers to is there.",
            Self::Rooms => "Each room's events are numbered without holes up to its head.",
            Self::Messages => "Messages and the events that made them belong together.",
            Self::Reads => "Nobody has read further than there is.",
        }
    }
}

/// What was found in a database.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The version of its tables.
    pub schema: u32,
    /// When its newest event happened, in milliseconds since 1970 UTC.
    pub newest: Option<i64>,
    /// Every check, and what speaks against it: nothing where all is well, else the first faults.
    pub faults: Vec<(Check, Vec<String>)>,
}

/// Checks all of the database as it is at one moment, beside a server that may be running.
///
/// # Errors
/// When it cannot be read at all, is not ours, or is newer than this program.
pub fn check(database: &Path) -> Result<Findings, DatabaseError> {
    store::check(database)
}
