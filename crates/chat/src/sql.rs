//! SQL as this crate speaks it, to SQLite and to PostgreSQL: parameters by number, columns by name.
//!
//! A [`Sql`] is one connection of either database, and nouns pass it around. Their statements are written once wherever
//! the dialects agree; where they do not, [`Sql::pick`] has both side by side. Parameters are written `?1`, `?2` and so
//! on for both databases. Every function here blocks its thread.
//!
//! Must not know: any noun, the writer, what a transaction is for.

mod error;
mod postgres;
mod row;
mod sqlite;
mod stored;
#[cfg(test)]
mod tests;
mod value;

pub use error::{SqlError, SqlResult};
pub(crate) use postgres::Postgres;
pub(crate) use row::Row;
pub(crate) use sqlite::Sqlite;
pub(crate) use stored::{Column, Misfit, Stored};
pub(crate) use value::{Kind, Parameter, Value, params};

use std::ops::ControlFlow;

/// One connection, of whichever database.
#[derive(Clone, Copy)]
pub(crate) enum Sql<'c> {
    /// An open file.
    Sqlite(&'c Sqlite),
    /// A session with a server.
    Postgres(&'c Postgres),
}

/// Which database a connection speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl<'c> Sql<'c> {
    /// Which database this connection speaks to.
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The text that this database understands.
    pub(crate) fn pick(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.dialect() {
            Dialect::Sqlite => sqlite,
            Dialect::Postgres => postgres,
        }
    }

    /// What `read` makes of the first row; none when there is no row.
    pub(crate) fn one<T>(
        self,
        text: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> SqlResult<T>,
    ) -> SqlResult<Option<T>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.one(text, params, read),
            Self::Postgres(postgres) => postgres.one(text, params, read),
        }
    }

    /// What `read` makes of each row, in the order of the rows.
    pub(crate) fn all<T>(
        self,
        text: &str,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        match self {
            Self::Sqlite(sqlite) => sqlite.all(text, params, read),
            Self::Postgres(postgres) => postgres.all(text, params, read),
        }
    }

    /// Whether a statement has any row.
    pub(crate) fn exists(self, text: &str, params: &[Value<'_>]) -> SqlResult<bool> {
        let found = self.one(&format!("select exists ({text}) as found"), params, |row| row.get("found"))?;
        Ok(found.unwrap_or_default())
    }

    /// Hands each row to `step` until it breaks off. Only a few rows are in memory at a time, however many there are.
    ///
    /// `step` cannot use the connection: its rows are still arriving on it. After a break PostgreSQL still sends the
    /// rest, and the next statement waits for that: a statement that is broken off often has a `limit`.
    ///
    /// # Errors
    /// Besides what the database says, [`SqlError::Busy`] for a statement within `step`.
    pub(crate) fn each(
        self,
        text: &str,
        params: &[Value<'_>],
        step: impl FnMut(&Row<'_>) -> SqlResult<ControlFlow<()>>,
    ) -> SqlResult<()> {
        match self {
            Self::Sqlite(sqlite) => sqlite.each(text, params, step),
            Self::Postgres(postgres) => postgres.each(text, params, step),
        }
    }

    /// How many rows a statement without an answer changed.
    pub(crate) fn run(self, text: &str, params: &[Value<'_>]) -> SqlResult<u64> {
        match self {
            Self::Sqlite(sqlite) => sqlite.run(text, params),
            Self::Postgres(postgres) => postgres.run(text, params),
        }
    }

    /// Runs several statements that take no parameters.
    pub(crate) fn script(self, text: &str) -> SqlResult<()> {
        match self {
            Self::Sqlite(sqlite) => sqlite.script(text),
            Self::Postgres(postgres) => postgres.script(text),
        }
    }
}

impl<'c> From<&'c Sqlite> for Sql<'c> {
    fn from(sqlite: &'c Sqlite) -> Self {
        Self::Sqlite(sqlite)
    }
}

impl<'c> From<&'c Postgres> for Sql<'c> {
    fn from(postgres: &'c Postgres) -> Self {
        Self::Postgres(postgres)
    }
}
