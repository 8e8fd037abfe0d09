//! Bringing the tables up to date.

pub(super) mod postgres;

use super::opening::OpenError;
use crate::sql::Dialect;
use refinery::Runner;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, OpenFlags};
use sabotage::Point;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

refinery::embed_migrations!("src/store/migrations/sqlite");

/// Brings the database at `path` up to date; keeps a copy of what it was, if it was anything.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    if sabotage::ARMED {
        let die = |_: TraceEvent<'_>| sabotage::pass(Point::MidMigration);
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(die))?;
    }
    bring(connection, path, migrations::runner())?;
    if sabotage::ARMED {
        connection.trace_v2(TraceEventCodes::empty(), None::<fn(TraceEvent<'_>)>)?;
    }
    Ok(())
}

/// Finds out whether the tables of the database at `path` are known, which another process may be using.
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let known = newest(&migrations::runner());
    match schema(&connection)? {
        Some(found) if found > known => Err(OpenError::Newer { found, known }),
        Some(_) | None => Ok(()),
    }
}

fn bring(connection: &mut Connection, path: &Path, runner: Runner) -> Result<(), OpenError> {
    let known = newest(&runner);
    match schema(connection)? {
        Some(found) if found > known => return Err(OpenError::Newer { found, known }),
        Some(found) if found < known => keep(connection, path, known)?,
        Some(_) | None => {}
    }
    // Together: by itself each migration would be in one transaction and the note that it ran in the next, and whoever
    // dies between the two could never start again.
    runner.set_grouped(true).run(connection)?;
    Ok(())
}

/// The version of the newest tables that a program knows.
fn newest(runner: &Runner) -> u32 {
    let versions = runner.get_migrations().iter().filter_map(|one| u32::try_from(one.version()).ok());
    versions.max().unwrap_or(0)
}

/// The version of the newest tables that this program knows.
pub(super) fn known(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::Sqlite => newest(&migrations::runner()),
        Dialect::Postgres => newest(&postgres::migrations::runner()),
    }
}

/// The version of the tables that are there; none in a new database.
pub(super) fn schema(connection: &Connection) -> rusqlite::Result<Option<u32>> {
    if !connection.table_exists(None, "refinery_schema_history")? {
        return Ok(None);
    }
    connection.query_row("select max(version) from refinery_schema_history", [], |row| row.get(0))
}

/// Copies the database as it is to a file of its own beside it. Older copies go.
fn keep(connection: &Connection, path: &Path, version: u32) -> Result<(), OpenError> {
    let kept = kept_as(path, version);
    let (partial, folder) = (kept.with_extension("partial"), path.parent().unwrap_or(Path::new(".")));
    // What a start that was killed has left; SQLite writes into nothing but an empty file.
    remove(&partial)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(OpenError::Copy)?;
    connection
        .execute("vacuum into ?1", [partial.to_string_lossy()])
        .map_err(|error| OpenError::CopySql(error.into()))?;
    let whole = || {
        std::fs::rename(&partial, &kept)?;
        File::open(folder)?.sync_all()
    };
    whole().map_err(OpenError::Copy)?;
    tracing::info!(copy = %kept.display(), "the database is kept as it was before it is brought up to date");
    for old in (0..version).map(|version| kept_as(path, version)) {
        remove(&old)?;
    }
    Ok(())
}

/// `roomful-before-v2.db` beside `roomful.db`.
fn kept_as(path: &Path, version: u32) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}-before-v{version}.db"))
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::Copy(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use refinery::Migration;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::{Arc, Mutex};
    use tempfile::{TempDir, tempdir};

    const FIRST: &str = "create table cast (name text not null) strict; insert into cast values ('Ana');";
    const SECOND: &str = "create table roles (name text not null, role text not null) strict;
                          insert into roles select name, 'owner' from cast;
                          alter table cast add column here integer not null default 0;
                          update cast set here = 1;
                          create unique index cast_name on cast (name);";

    fn connection(path: &Path) -> Connection {
        crate::store::opening::connect(path).expect("a database").into_connection()
    }

    fn runner(versions: usize) -> Runner {
        let all = [("V1__cast", FIRST), ("V2__roles", SECOND)];
        let known =
            all.iter().take(versions).map(|(name, sql)| Migration::unapplied(name, sql).expect("a name"));
        Runner::new(&known.collect::<Vec<_>>())
    }

    fn at(version: usize) -> (TempDir, PathBuf) {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("roomful.db");
        let mut sql = connection(&path);
        sql.pragma_update(None, "journal_mode", "wal").expect("a log");
        bring(&mut sql, &path, runner(version)).expect("the tables");
        (folder, path)
    }

    fn is_second(sql: &Connection) -> bool {
        let role = "select role from roles join cast using (name) where name = 'Ana' and here = 1";
        sql.query_row(role, [], |row| row.get::<_, String>(0)).is_ok_and(|role| role == "owner")
    }

    #[test]
    fn what_an_upgrade_changes_is_kept_as_it_was() {
        let (folder, path) = at(1);
        let older = folder.path().join("roomful-before-v1.db");
        std::fs::write(&older, "of the upgrade before").expect("a copy");
        let mut sql = connection(&path);
        bring(&mut sql, &path, runner(2)).expect("the tables");
        assert!(is_second(&sql));
        let kept = folder.path().join("roomful-before-v2.db");
        assert_eq!(std::fs::metadata(&kept).expect("the copy").permissions().mode() & 0o777, 0o600);
        let kept = Connection::open(kept).expect("the copy");
        assert_eq!(schema(&kept).expect("its version"), Some(1));
        assert_eq!(kept.query_row("select name from cast", [], |row| row.get(0)), Ok("Ana".to_owned()));
        assert!(!older.exists(), "the newest copy is enough");
    }

    #[test]
    fn a_database_that_is_new_or_up_to_date_is_not_copied() {
        let (folder, path) = at(2);
        let mut sql = connection(&path);
        bring(&mut sql, &path, runner(2)).expect("the tables");
        assert!(!folder.path().join("roomful-before-v2.db").exists());
    }

    #[test]
    fn an_older_program_leaves_a_newer_database_alone_and_names_both() {
        let (_folder, path) = at(2);
        let before = std::fs::read(&path).expect("a file");
        let mut sql = connection(&path);
        let refused = bring(&mut sql, &path, runner(1)).expect_err("newer");
        let expected = "its tables have version 2, and this Roomful knows them up to 1: use the newer Roomful that \
                        made it, or a copy from before that one";
        assert_eq!(refused.to_string(), expected);
        assert!(is_second(&sql));
        assert_eq!(std::fs::read(&path).expect("a file"), before);
    }

    /// Copies what is on the disk before each statement: what a process that dies there leaves behind.
    fn deaths(path: &Path, sql: &mut Connection) -> Arc<Mutex<Vec<TempDir>>> {
        let (deaths, found) = (Arc::<Mutex<Vec<TempDir>>>::default(), path.to_owned());
        let kept = Arc::clone(&deaths);
        let copy = move |_: TraceEvent<'_>| {
            let folder = tempdir().expect("a folder");
            for file in std::fs::read_dir(found.parent().expect("a folder")).expect("files") {
                let file = file.expect("a file");
                // Shared memory does not outlive its processes.
                if !file.file_name().to_string_lossy().ends_with("-shm") {
                    std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
                }
            }
            kept.lock().expect("whole").push(folder);
        };
        sql.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(copy)).expect("a look at each statement");
        deaths
    }

    #[test]
    fn whoever_dies_at_any_statement_of_an_upgrade_completes_it_at_the_next_start() {
        for version in [0, 1] {
            let (_folder, path) = at(version);
            let mut sql = connection(&path);
            let deaths = deaths(&path, &mut sql);
            bring(&mut sql, &path, runner(2)).expect("the tables");
            let deaths = std::mem::take(&mut *deaths.lock().expect("whole"));
            assert!(deaths.len() > 10, "{} statements", deaths.len());
            for (statement, folder) in deaths.iter().enumerate() {
                let path = folder.path().join("roomful.db");
                let mut sql = connection(&path);
                bring(&mut sql, &path, runner(2))
                    .unwrap_or_else(|error| panic!("statement {statement}: {error}"));
                assert!(is_second(&sql), "statement {statement}");
                assert_eq!(schema(&sql).expect("a version"), Some(2));
            }
        }
    }
}
