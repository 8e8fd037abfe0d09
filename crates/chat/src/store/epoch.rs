//! Which life of the database this is, in SQL.

use crate::error::Result;
use rusqlite::{Connection, OptionalExtension};

/// None in a database just made.
pub(crate) fn find(sql: &Connection) -> Result<Option<String>> {
    Ok(sql.query_row("select value from meta where name = 'epoch'", [], |row| row.get(0)).optional()?)
}

pub(crate) fn insert(sql: &Connection, epoch: &str) -> Result<()> {
    sql.execute("insert into meta (name, value) values ('epoch', ?1)", [epoch])?;
    Ok(())
}

pub(crate) fn renew(sql: &Connection, epoch: &str) -> rusqlite::Result<()> {
    sql.execute("update meta set value = ?1 where name = 'epoch'", [epoch])?;
    Ok(())
}
