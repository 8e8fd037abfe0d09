//! Copies of the database in SQL.

use super::beside::{self, ServerFacts};
use super::opening::{Database, connect, connect_beside};
use super::{checks, epoch, migrations};
use crate::error::DatabaseError;
use crate::sql::{Dialect, Sql, Sqlite, params};
use rusqlite::Connection;
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
    beside::known(migrations::schema(&moment)?, Dialect::Sqlite)?;
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
    contents(&Sqlite::new(copy))
}

pub(crate) fn inspect(database: &Path) -> Result<Contents, DatabaseError> {
    contents(&connect_beside(database)?)
}

/// What a file holds, if it is not damaged.
fn contents(sqlite: &Sqlite) -> Result<Contents, DatabaseError> {
    // Damage must not hide behind what cannot be counted for it.
    beside::schema(sqlite.into())?;
    let damage = checks::damage(sqlite.connection())?;
    if !damage.is_empty() {
        return Err(DatabaseError::Damaged(damage));
    }
    count(sqlite.into())
}

fn count(sql: Sql<'_>) -> Result<Contents, DatabaseError> {
    let count = |table: &str| -> Result<u64, DatabaseError> {
        let text = format!("select count(*) as count from {table}");
        Ok(sql.one(&text, params![], |row| row.get("count"))?.unwrap_or_default())
    };
    Ok(Contents {
        schema: beside::schema(sql)?,
        epoch: epoch::find(sql)?.ok_or(DatabaseError::Foreign)?,
        users: count("users")?,
        rooms: count("rooms")?,
        messages: count("messages")?,
        events: count("events")?,
    })
}

/// One moment of a PostgreSQL database, which its server keeps for as long as it is held.
pub struct Moment {
    /// The name that `pg_dump --snapshot` knows the moment by.
    pub snapshot: String,
    /// What the database holds.
    pub contents: Contents,
    /// What is missing from the rooms or numbered wrongly.
    pub holes: Vec<String>,
    /// What the server says of itself.
    pub server: ServerFacts,
}

pub(crate) fn hold<T>(address: &str, work: impl FnOnce(&Moment) -> T) -> Result<T, DatabaseError> {
    beside::read(&Database::Postgres(address.to_owned()), |sql| {
        let contents = count(sql)?;
        let snapshot = "select pg_export_snapshot() as snapshot";
        let snapshot = sql.one(snapshot, params![], |row| row.get("snapshot"))?;
        let moment = Moment {
            snapshot: snapshot.ok_or(DatabaseError::Foreign)?,
            contents,
            holes: checks::misnumbered(sql)?,
            server: beside::server(sql)?.ok_or(DatabaseError::Foreign)?,
        };
        Ok(work(&moment))
    })
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
