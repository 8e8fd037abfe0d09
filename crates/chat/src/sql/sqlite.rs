//! SQLite, in this process.

use super::error::{SqlError, SqlResult};
use super::row::Row;
use super::stored::Stored;
use super::value::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Statement, ToSql, params_from_iter};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many statements are kept prepared.
const STATEMENTS: usize = 64;

/// One connection to a database file.
pub(crate) struct Sqlite {
    connection: Connection,
    /// The names of the columns of each statement: SQLite makes them anew whenever it is asked.
    columns: RefCell<HashMap<Box<str>, Columns>>,
    /// Whether the rows of a statement are being handed out one by one.
    stepping: Cell<bool>,
}

type Columns = Arc<[Box<str>]>;

impl Sqlite {
    pub(crate) fn new(connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Self { connection, columns: RefCell::default(), stepping: Cell::new(false) }
    }

    /// The connection, for what only SQLite has: backups, pragmas, hooks, transactions as values.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The same, for what needs it alone.
    pub(crate) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The connection, to be closed.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    pub(super) fn one<T>(
        &self,
        text: &str,
        params: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> SqlResult<T>,
    ) -> SqlResult<Option<T>> {
        let mut statement = self.prepare(text)?;
        let mut rows = statement.query(params_from_iter(params))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let columns = self.columns(text, row.as_ref())?;
        read(&Row::sqlite(row, &columns)).map(Some)
    }

    pub(super) fn all<T>(
        &self,
        text: &str,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        let mut statement = self.prepare(text)?;
        let mut rows = statement.query(params_from_iter(params))?;
        let mut all = Vec::new();
        let Some(mut row) = rows.next()? else { return Ok(all) };
        let columns = self.columns(text, row.as_ref())?;
        loop {
            all.push(read(&Row::sqlite(row, &columns))?);
            match rows.next()? {
                Some(next) => row = next,
                None => return Ok(all),
            }
        }
    }

    pub(super) fn each(
        &self,
        text: &str,
        params: &[Value<'_>],
        mut step: impl FnMut(&Row<'_>) -> SqlResult<ControlFlow<()>>,
    ) -> SqlResult<()> {
        let mut statement = self.prepare(text)?;
        let mut rows = statement.query(params_from_iter(params))?;
        let Some(mut row) = rows.next()? else { return Ok(()) };
        let columns = self.columns(text, row.as_ref())?;
        loop {
            // SQLite could run another statement meanwhile. PostgreSQL cannot, and what works here must work there.
            self.stepping.set(true);
            let stepped = step(&Row::sqlite(row, &columns));
            self.stepping.set(false);
            if stepped?.is_break() {
                return Ok(());
            }
            match rows.next()? {
                Some(next) => row = next,
                None => return Ok(()),
            }
        }
    }

    pub(super) fn run(&self, text: &str, params: &[Value<'_>]) -> SqlResult<u64> {
        let changed = self.prepare(text)?.execute(params_from_iter(params))?;
        Ok(changed.try_into().unwrap_or(u64::MAX))
    }

    pub(super) fn script(&self, text: &str) -> SqlResult<()> {
        self.is_free()?;
        Ok(self.connection.execute_batch(text)?)
    }

    fn prepare(&self, text: &str) -> SqlResult<CachedStatement<'_>> {
        self.is_free()?;
        Ok(self.connection.prepare_cached(text)?)
    }

    fn is_free(&self) -> SqlResult<()> {
        if self.stepping.get() { Err(SqlError::Busy) } else { Ok(()) }
    }

    /// The names of the columns of a statement that has a row: SQLite may prepare it anew before the first.
    fn columns(&self, text: &str, statement: &Statement<'_>) -> SqlResult<Columns> {
        let mut known = self.columns.borrow_mut();
        match known.get(text) {
            // A `select *` gets other columns when the tables change.
            Some(columns) if columns.len() == statement.column_count() => return Ok(Arc::clone(columns)),
            Some(_) | None => {}
        }
        if known.len() >= 2 * STATEMENTS {
            known.clear();
        }
        let names = (0..statement.column_count()).map(|at| statement.column_name(at).map(Box::from));
        let columns: Columns = names.collect::<rusqlite::Result<_>>()?;
        known.insert(text.into(), Arc::clone(&columns));
        Ok(columns)
    }
}

/// What stands in the column `at`, which is called `name`.
pub(super) fn stored<'r>(row: &'r rusqlite::Row<'r>, at: usize, name: &str) -> SqlResult<Stored<'r>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Stored::Null,
        ValueRef::Integer(number) => Stored::Int(number),
        ValueRef::Real(_) => Stored::Other("a fraction"),
        ValueRef::Text(text) => match str::from_utf8(text) {
            Ok(text) => Stored::Text(text),
            Err(_) => return Err(SqlError::value(name, "holds a text that is no UTF-8")),
        },
        ValueRef::Blob(bytes) => Stored::Blob(bytes),
    })
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = match self {
            Self::Null(_) => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
            Self::Id(id) => ValueRef::Blob(id.as_bytes()),
            Self::Ints(_)
            | Self::OptionalInts(_)
            | Self::Bools(_)
            | Self::Texts(_)
            | Self::OptionalTexts(_)
            | Self::Blobs(_)
            | Self::Ids(_) => {
                let none = "SQLite takes no arrays as parameters";
                return Err(rusqlite::Error::ToSqlConversionFailure(none.into()));
            }
        };
        Ok(ToSqlOutput::Borrowed(borrowed))
    }
}
