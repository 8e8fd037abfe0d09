//! How a statement fails, whichever database ran it.

use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
use std::error::Error as _;
use std::io;
use tokio_postgres::error::SqlState;

/// What a statement answers.
pub type SqlResult<T> = Result<T, SqlError>;

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// SQLite says so.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL says so. It is no source: whoever prints all sources would print the values of rows.
    #[error("{}", in_short(.0))]
    Postgres(tokio_postgres::Error),
    /// A value is not what its column or parameter holds.
    #[error("{column} {what}")]
    Value {
        /// The name of the column, or the number of the parameter.
        column: String,
        /// What is wrong with the value.
        what: String,
    },
    /// The answer has no column of this name.
    #[error("the statement answers without a column {0}")]
    NoColumn(String),
    /// There is no connection to PostgreSQL any more, or none could be made; the cause in words.
    #[error("there is no connection to PostgreSQL: {0}")]
    Lost(String),
    /// The rows of an earlier statement are still arriving.
    #[error("a statement was run while another one's rows were still arriving")]
    Busy,
    /// A statement of the transaction had failed, and nothing of the transaction was kept.
    #[error("the transaction was rolled back, because one of its statements had failed")]
    RolledBack,
    /// The address of the database cannot be used.
    #[error("{0}")]
    Address(String),
    /// The server, or the database on it, cannot keep what is entrusted to it; what to change.
    #[error("{0}")]
    Unfit(String),
}

impl SqlError {
    /// The error of a value that is not what `column` holds.
    pub(crate) fn value(column: &str, what: impl Into<String>) -> Self {
        Self::Value { column: column.to_owned(), what: what.into() }
    }

    /// Whether one stored value is not what it should be, while the database is well.
    pub(crate) fn is_of_a_value(&self) -> bool {
        match self {
            Self::Value { .. } => true,
            Self::Sqlite(error) => matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            ),
            Self::Postgres(_)
            | Self::NoColumn(_)
            | Self::Lost(_)
            | Self::Busy
            | Self::RolledBack
            | Self::Address(_)
            | Self::Unfit(_) => false,
        }
    }

    /// Whether a statement hit the unique index named `index`. SQLite names the `columns` of an index instead, such as
    /// `users.folded`, unless the index is on an expression.
    pub(crate) fn violates(&self, columns: &str, index: &str) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, Some(message))) => {
                let unique = [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY];
                let named = |named: &str| named == columns || named == format!("index '{index}'");
                unique.contains(&code.extended_code)
                    && message.strip_prefix("UNIQUE constraint failed: ").is_some_and(named)
            }
            Self::Postgres(error) => error.as_db_error().is_some_and(|error| {
                *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some(index)
            }),
            Self::Sqlite(_)
            | Self::Value { .. }
            | Self::NoColumn(_)
            | Self::Lost(_)
            | Self::Busy
            | Self::RolledBack
            | Self::Address(_)
            | Self::Unfit(_) => false,
        }
    }

    /// Whether the connection is of no use any more, or there is none: another one may do.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            Self::Lost(_) => true,
            Self::Postgres(error) => is_lost(error),
            Self::Sqlite(_)
            | Self::Value { .. }
            | Self::NoColumn(_)
            | Self::Busy
            | Self::RolledBack
            | Self::Address(_)
            | Self::Unfit(_) => false,
        }
    }

    /// Whether the disk of the database has no place left.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Postgres(error) => error.code() == Some(&SqlState::DISK_FULL),
            Self::Value { .. }
            | Self::NoColumn(_)
            | Self::Lost(_)
            | Self::Busy
            | Self::RolledBack
            | Self::Address(_)
            | Self::Unfit(_) => false,
        }
    }
}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

/// Whether PostgreSQL, or the network, ended the session or did not begin one.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        let ended = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::DATABASE_DROPPED,
            SqlState::IDLE_SESSION_TIMEOUT,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::TOO_MANY_CONNECTIONS,
            // The server has become a standby of another one, which takes its place.
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ];
        // All of class 08 is about the connection itself.
        return ended.contains(code) || code.code().starts_with("08");
    }
    error.is_closed() || error.source().is_some_and(|source| source.downcast_ref::<io::Error>().is_some())
}

/// The error without the details that PostgreSQL adds, which quote the values of the row.
pub(super) fn in_short(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("PostgreSQL: {} ({})", error.message(), error.code().code());
    }
    match error.source() {
        Some(source) => format!("PostgreSQL: {error}: {source}"),
        None => format!("PostgreSQL: {error}"),
    }
}
