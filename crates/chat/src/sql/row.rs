//! One row of an answer, read by the names of its columns.

use super::error::{SqlError, SqlResult};
use super::stored::{Column, Stored, unlike};
use std::cell::Cell;

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
