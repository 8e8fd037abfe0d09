//! Whether what is written reaches the disk.

use crate::error::Error;
use crate::sql::SqlError;
use rusqlite::ErrorCode;
use tokio::sync::watch;

/// How writing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// As it should.
    Sound,
    /// The disk is full: nothing is written until there is space.
    Full,
    /// The database is on another machine or in another process and cannot be reached: nothing is written until it can.
    Away,
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
            Self::Away => Some(Error::Away),
            Self::Broken(_) => Some(Error::Unknown),
        }
    }
}

/// What an error says of the database as a whole; nothing when it is about something else.
pub(super) fn told_by(error: &SqlError) -> Option<Condition> {
    if error.is_full() {
        return Some(Condition::Full);
    }
    if error.is_lost() {
        return Some(Condition::Away);
    }
    match code(error)? {
        ErrorCode::SystemIoFailure
        | ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ReadOnly
        | ErrorCode::CannotOpen => Some(Condition::Broken(error.to_string())),
        _ => None,
    }
}

/// Whether the database itself failed, and not one statement on its input.
pub(super) fn is_of_the_database(error: &SqlError) -> bool {
    let busy = [
        ErrorCode::DatabaseBusy,
        ErrorCode::DatabaseLocked,
        ErrorCode::FileLockingProtocolFailed,
        ErrorCode::OutOfMemory,
    ];
    told_by(error).is_some() || code(error).is_some_and(|code| busy.contains(&code))
}

/// What SQLite calls the error.
fn code(error: &SqlError) -> Option<ErrorCode> {
    match error {
        SqlError::Sqlite(error) => error.sqlite_error_code(),
        SqlError::Postgres(_)
        | SqlError::Value { .. }
        | SqlError::NoColumn(_)
        | SqlError::Lost(_)
        | SqlError::Busy
        | SqlError::RolledBack
        | SqlError::Address(_)
        | SqlError::Unfit(_) => None,
    }
}

/// Takes note of what an error says of the database. A broken one stays broken.
pub(super) fn note(condition: &watch::Sender<Condition>, error: &SqlError) {
    let Some(told) = told_by(error) else { return };
    condition.send_if_modified(|known| {
        let news = *known != told && !matches!(known, Condition::Broken(_));
        if news {
            *known = told;
        }
        news
    });
}
