//! Whether what is written reaches the disk.

use crate::error::Error;
use rusqlite::ErrorCode;
use tokio::sync::watch;

/// How writing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// As it should.
    Sound,
    /// The disk is full: nothing is written until there is space.
    Full,
    /// The disk fails. What was acknowledged is on it; what else is cannot be known without opening the database anew,
    /// for a sync that failed may have thrown away what the next one would need.
    Broken(String),
}

impl Condition {
    /// Why nothing can be written.
    pub(super) fn refusal(&self) -> Option<Error> {
        match self {
            Self::Sound => None,
            Self::Full => Some(Error::DiskFull),
            Self::Broken(_) => Some(Error::Unknown),
        }
    }
}

/// What an error says of the disk; nothing when it is about something else.
pub(super) fn told_by(error: &rusqlite::Error) -> Option<Condition> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(Condition::Full),
        ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ReadOnly
        | ErrorCode::CannotOpen => Some(Condition::Broken(error.to_string())),
        _ => None,
    }
}

/// Takes note of what an error says of the disk. A broken one stays broken.
pub(super) fn note(condition: &watch::Sender<Condition>, error: &rusqlite::Error) {
    let Some(told) = told_by(error) else { return };
    condition.send_if_modified(|known| {
        let news = *known != told && !matches!(known, Condition::Broken(_));
        if news {
            *known = told;
        }
        news
    });
}
