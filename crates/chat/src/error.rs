//! What can stand in the way of a command.

use crate::sql::SqlError;
use protocol::ErrorCode;
use serde_json::{Map, Value, json};

/// Why something was not done, or not known to be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there, or not yours: callers cannot tell which.
    #[error("There is no such {0}, or it is not yours to see.")]
    NotFound(&'static str),
    /// Yours to see, not to do.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A value breaks a rule.
    #[error("{message}")]
    Invalid {
        /// Which value.
        field: &'static str,
        /// Which rule, by a stable name.
        rule: &'static str,
        /// The bound that was passed, where the rule has one.
        max: Option<u64>,
        /// A sentence that says what to do.
        message: String,
    },
    /// The nonce was used for another draft.
    #[error("This nonce was used for something else before. Take a new one for a new message.")]
    Conflict,
    /// The name belongs to somebody or something else.
    #[error("The name {0} is taken. Choose another one.")]
    NameTaken(String),
    /// Somebody is in as many rooms as one can be.
    #[error("{name} is in {most} rooms, and nobody fits into more. Leaving one makes place.")]
    TooManyRooms {
        /// Who is.
        name: String,
        /// The most.
        most: u64,
    },
    /// Unknown name or wrong password: callers cannot tell which.
    #[error("That name and password do not go together.")]
    BadCredentials,
    /// The invite or setup link does not work (any more).
    #[error("This link does not work any more. Ask for a new one.")]
    LinkSpent,
    /// Too much waits to be written.
    #[error("The server is busy. It takes messages again in a moment.")]
    Overloaded,
    /// The disk is full: this was not stored.
    #[error(
        "The server's disk is full. Nothing can be stored until its operator makes space; reading goes on."
    )]
    DiskFull,
    /// The database is in another process or on another machine and cannot be reached: this was not stored.
    #[error("The server cannot reach its database at the moment. Try again shortly.")]
    Away,
    /// The batch failed: nobody knows whether it reached the disk.
    #[error("Nobody knows yet whether this was stored. Ask again with the same nonce.")]
    Unknown,
    /// The database failed.
    #[error("the database failed: {0}")]
    Store(#[from] SqlError),
    /// A task ended before it answered.
    #[error("the server is stopping")]
    Stopping,
    /// The password could not be hashed.
    #[error("hashing failed: {0}")]
    Hashing(String),
}

/// Why a database, or a copy of one, is of no use as it is.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It holds none of our tables.
    #[error("it is not a database of Roomful")]
    Foreign,
    /// It was made by a newer program.
    #[error(
        "its tables have version {found}, and this Roomful knows them up to {known}: use the newer Roomful that made it"
    )]
    Newer {
        /// The version of its tables.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// SQLite found it damaged; what it found.
    #[error("it is damaged: {}", .0.join("; "))]
    Damaged(Vec<String>),
    /// Whoever asked for it wanted no more of it.
    #[error("it was stopped before it was done")]
    Stopped,
    /// It could not be read or written.
    #[error("{0}")]
    Sql(#[from] SqlError),
    /// What was read could not be written elsewhere.
    #[error("{0}")]
    Write(#[from] std::io::Error),
}

/// What the operations of this crate answer.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The refusal as the wire tells it. Causes stay here: what is not the caller's business becomes `internal`.
    pub fn wire(&self) -> protocol::Error {
        let mut params = Map::new();
        let code = match self {
            Self::NotFound(what) => {
                params.insert("what".into(), json!(what));
                ErrorCode::NotFound
            }
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Invalid { field, rule, max, .. } => {
                params.insert("field".into(), json!(field));
                params.insert("rule".into(), json!(rule));
                if let Some(max) = max {
                    params.insert("max".into(), json!(max));
                }
                ErrorCode::Invalid
            }
            Self::Conflict => ErrorCode::Conflict,
            Self::NameTaken(name) => {
                params.insert("name".into(), Value::String(name.clone()));
                ErrorCode::NameTaken
            }
            Self::TooManyRooms { name, most } => {
                params.insert("name".into(), Value::String(name.clone()));
                params.insert("rooms".into(), json!(most));
                ErrorCode::TooLarge
            }
            Self::BadCredentials => ErrorCode::BadCredentials,
            Self::LinkSpent => ErrorCode::LinkSpent,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::DiskFull => {
                params.insert("reason".into(), json!("disk_full"));
                ErrorCode::Overloaded
            }
            Self::Away => away(&mut params),
            // What could not be read has changed nothing.
            Self::Store(error) if error.is_lost() => away(&mut params),
            Self::Unknown | Self::Stopping => ErrorCode::Unknown,
            Self::Store(_) | Self::Hashing(_) => ErrorCode::Internal,
        };
        let (message, retry_after_ms) = match code {
            ErrorCode::Internal => ("Something broke on the server. Its log says what.".to_owned(), None),
            ErrorCode::Overloaded => match self {
                Self::Store(_) => (Self::Away.to_string(), Some(1_000)),
                _ => (self.to_string(), Some(1_000)),
            },
            ErrorCode::Unknown => (Self::Unknown.to_string(), Some(500)),
            _ => (self.to_string(), None),
        };
        protocol::Error { code, params, message, retry_after_ms }
    }

    pub(crate) fn invalid(field: &'static str, rule: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, rule, max: None, message: message.into() }
    }
}

/// The code of a database that cannot be reached, and the reason in `params`.
fn away(params: &mut Map<String, Value>) -> ErrorCode {
    params.insert("reason".into(), json!("database_away"));
    ErrorCode::Overloaded
}
