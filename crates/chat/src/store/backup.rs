//! Copies of the database in SQL.

use super::opening::{connect, connect_beside};
use super::{checks, epoch, migrations};
use crate::error::DatabaseError;
use crate::sql::Sql;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::backup::{Backup, StepResult};
use sabotage::Bug;
use std::path::Path;

/// Pages between two looks at whether to go on: four megabytes.
const STEP: i32 = 1_024;

/// What a database holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Contents {
    /// The version of its tables.
    pub schema: u32,
    /// Which life of the database it is.
    pub epoch: String,
    /// Accounts and guests.
    pub users: u64,
    /// Rooms of every kind.
    pub rooms: u64,
    /// Messages, deleted ones too.
    pub messages: u64,
    /// Events of all rooms.
    pub events: u64,
}

/// Not `vacuum into`, which writes every row anew and takes several times as long; and not the backup interface on its
/// own, which starts over whenever another process commits between two steps. Inside a read transaction it sees one
/// moment of the log, whatever is written meanwhile, and holds up nobody.
pub(crate) fn copy(
    from: &Path,
    to: &Path,
    going: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Contents, DatabaseError> {
    let mut source = connect_beside(from)?.into_connection();
    let moment = source.transaction()?;
    schema(&moment)?;
    let mut copy = Connection::open(to)?;
    // Nobody else sees the copy before it is whole, and it is thrown away if it does not become so.
    copy.execute_batch(
        "pragma locking_mode = exclusive; pragma journal_mode = off; pragma synchronous = off;
         pragma trusted_schema = off; pragma cell_size_check = on; pragma temp_store = memory;",
    )?;
    let page: u64 = moment.query_row("pragma page_size", [], |row| row.get(0))?;
    let backup = Backup::new(&moment, &mut copy)?;
    loop {
        let step = backup.step(STEP)?;
        let progress = backup.progress();
        let pages = |number: i32| u64::try_from(number).unwrap_or(0);
        let (all, left) = (pages(progress.pagecount), pages(progress.remaining));
        if !going(all.saturating_sub(left) * page, all * page) {
            return Err(DatabaseError::Stopped);
        }
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Not while the copy is ours alone and the moment is held.
            _ => return Err(busy().into()),
        }
    }
    drop(backup);
    drop(moment);
    // One file that can be read without making others beside it.
    copy.query_row("pragma journal_mode = delete", [], |_| Ok(()))?;
    contents(&copy)
}

pub(crate) fn inspect(database: &Path) -> Result<Contents, DatabaseError> {
    contents(connect_beside(database)?.connection())
}

fn contents(sql: &Connection) -> Result<Contents, DatabaseError> {
    let schema = schema(sql)?;
    let damage = checks::damage(sql)?;
    if !damage.is_empty() {
        return Err(DatabaseError::Damaged(damage));
    }
    let count = |table: &str| sql.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0));
    let epoch = sql.query_row("select value from meta where name = 'epoch'", [], |row| row.get(0));
    Ok(Contents {
        schema,
        epoch: epoch.optional()?.ok_or(DatabaseError::Foreign)?,
        users: count("users")?,
        rooms: count("rooms")?,
        messages: count("messages")?,
        events: count("events")?,
    })
}

/// The version of the tables, if we know it.
pub(super) fn schema(sql: &Connection) -> Result<u32, DatabaseError> {
    let (found, known) = (migrations::schema(sql)?.ok_or(DatabaseError::Foreign)?, migrations::known());
    if found > known { Err(DatabaseError::Newer { found, known }) } else { Ok(found) }
}

pub(crate) fn renew_epoch(database: &Path, epoch: &str) -> Result<(), DatabaseError> {
    let connection = connect(database)?;
    if !sabotage::has(Bug::SameEpochOnRestore) {
        epoch::renew(Sql::from(&connection), epoch)?;
    }
    connection.into_connection().close().map_err(|(_, error)| error)?;
    Ok(())
}

fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
}
