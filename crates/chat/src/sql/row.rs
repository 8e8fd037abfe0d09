//! One row of an answer, read by the names of its columns.

use super::error::{SqlError, SqlResult};
use std::borrow::Cow;
use std::cell::Cell;
use uuid::Uuid;

/// One row of an answer. Its columns can be read in any order and more than once; in the order in which the statement
/// names them, finding a column costs one comparison.
pub(crate) struct Row<'r> {
    from: Source<'r>,
    /// The column after the one that was read last.
    next: Cell<usize>,
}

enum Source<'r> {
    Sqlite { row: &'r rusqlite::Row<'r>, columns: &'r [Box<str>] },
    Postgres(&'r tokio_postgres::Row),
}

/// A value as a database keeps it, borrowed from its row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stored<'r> {
    Null,
    Int(i64),
    Bool(bool),
    Text(&'r str),
    Blob(&'r [u8]),
    Id(Uuid),
    /// Something that no column of ours holds, such as a fraction; what it is.
    Other(&'r str),
}

/// What is wrong with a stored value, to be said after the name of its column.
pub(crate) type Misfit = Cow<'static, str>;

/// What can be read from a column.
pub(crate) trait Column: Sized {
    /// The value, if `stored` is one.
    fn read(stored: Stored<'_>) -> Result<Self, Misfit>;
}

impl<'r> Row<'r> {
    pub(super) fn sqlite(row: &'r rusqlite::Row<'r>, columns: &'r [Box<str>]) -> Self {
        Self { from: Source::Sqlite { row, columns }, next: Cell::new(0) }
    }

    pub(super) fn postgres(row: &'r tokio_postgres::Row) -> Self {
        Self { from: Source::Postgres(row), next: Cell::new(0) }
    }

    /// The value of the column with this name.
    ///
    /// # Errors
    /// `Value` when the column holds something else, `NoColumn` when there is none.
    pub(crate) fn get<T: Column>(&self, name: &str) -> SqlResult<T> {
        T::read(self.stored(name)?).map_err(|what| SqlError::value(name, what))
    }

    /// The text of the column with this name, without a copy of it.
    ///
    /// # Errors
    /// `Value` when the column holds something else, `NoColumn` when there is none.
    pub(crate) fn text(&self, name: &str) -> SqlResult<Option<&'r str>> {
        match self.stored(name)? {
            Stored::Null => Ok(None),
            Stored::Text(text) => Ok(Some(text)),
            other => Err(SqlError::value(name, unlike("a text", other))),
        }
    }

    /// What stands in the column with this name.
    ///
    /// # Errors
    /// `Value` for a text that is no UTF-8, `NoColumn` when there is no such column.
    pub(crate) fn stored(&self, name: &str) -> SqlResult<Stored<'r>> {
        let at = self.find(name).ok_or_else(|| SqlError::NoColumn(name.to_owned()))?;
        self.next.set(at + 1);
        match &self.from {
            Source::Sqlite { row, .. } => super::sqlite::stored(row, at, name),
            Source::Postgres(row) => super::postgres::stored(row, at, name),
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        let from = self.next.get();
        match &self.from {
            Source::Sqlite { columns, .. } => position(columns.len(), from, |at| &*columns[at] == name),
            Source::Postgres(row) => {
                let columns = row.columns();
                position(columns.len(), from, |at| columns[at].name() == name)
            }
        }
    }
}

/// The first of `count` columns that `is` the one, sought from `from` on and around the end.
fn position(count: usize, from: usize, is: impl Fn(usize) -> bool) -> Option<usize> {
    let from = from.min(count);
    (from..count).chain(0..from).find(|at| is(*at))
}

/// That something else was expected than is stored. Never says what is stored: it may be secret, and gets into logs.
fn unlike(expected: &str, stored: Stored<'_>) -> Misfit {
    let found = match stored {
        Stored::Null => "nothing",
        Stored::Int(_) => "a number",
        Stored::Bool(_) => "a truth value",
        Stored::Text(_) => "a text",
        Stored::Blob(_) => "bytes",
        Stored::Id(_) => "an id",
        Stored::Other(what) => what,
    };
    format!("holds {found} instead of {expected}").into()
}

impl<T: Column> Column for Option<T> {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Null => Ok(None),
            some => T::read(some).map(Some),
        }
    }
}

impl Column for i64 {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Int(number) => Ok(number),
            other => Err(unlike("a number", other)),
        }
    }
}

impl Column for u64 {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        i64::read(stored)?.try_into().map_err(|_| "holds a number below zero".into())
    }
}

impl Column for u32 {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        i64::read(stored)?.try_into().map_err(|_| "holds a number that is too large or below zero".into())
    }
}

impl Column for bool {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            // SQLite has no truth values of its own.
            Stored::Int(0) => Ok(false),
            Stored::Int(1) => Ok(true),
            Stored::Bool(value) => Ok(value),
            other => Err(unlike("yes or no", other)),
        }
    }
}

impl Column for String {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Text(text) => Ok(text.to_owned()),
            other => Err(unlike("a text", other)),
        }
    }
}

impl Column for Vec<u8> {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Blob(bytes) => Ok(bytes.to_owned()),
            other => Err(unlike("bytes", other)),
        }
    }
}

impl<const N: usize> Column for [u8; N] {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Blob(bytes) => {
                bytes.try_into().map_err(|_| format!("holds {} bytes instead of {N}", bytes.len()).into())
            }
            other => Err(unlike("bytes", other)),
        }
    }
}

impl Column for Uuid {
    fn read(stored: Stored<'_>) -> Result<Self, Misfit> {
        match stored {
            Stored::Id(id) => Ok(id),
            // SQLite has no ids of its own.
            Stored::Blob(bytes) => Self::from_slice(bytes)
                .map_err(|_| format!("holds {} bytes instead of an id", bytes.len()).into()),
            other => Err(unlike("an id", other)),
        }
    }
}
