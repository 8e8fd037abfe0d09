//! What the writer does when the disk takes nothing more.

use super::super::opening;
use super::*;
use tempfile::{TempDir, tempdir};

/// A writer on a database that can grow by some pages only, and another connection to it.
fn small() -> (TempDir, Writer, rusqlite::Connection) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("small.db");
    let connection = opening::connect(&path).expect("a database");
    connection.connection().pragma_update(None, "journal_mode", "wal").expect("a log");
    let tables = "create table meta (name text primary key, value text not null);
                  create table said (text text not null);
                  insert into said values (hex(zeroblob(400000))); pragma max_page_count = 250;";
    connection.connection().execute_batch(tables).expect("tables");
    let other = opening::connect(&path).expect("a database").into_connection();
    let (told, _) = mpsc::channel(1);
    let open = |stopping, condition| Engine::file(&path, connection, stopping, condition);
    let writer = Writer::start(told, Box::new(|_| {}), open).expect("a writer");
    (folder, writer, other)
}

async fn say(writer: &Writer, bytes: u32) -> Result<()> {
    let said = writer.submit(Manner::Alone, None, move |tx| {
        tx.sql.run("insert into said values (hex(zeroblob(?1)))", params![bytes])?;
        Ok(())
    });
    said?.await.map_err(|_| Error::Unknown)?
}

#[tokio::test]
async fn a_full_disk_refuses_what_comes_and_writes_again_when_there_is_space() {
    let (_folder, writer, other) = small();
    let mut condition = writer.condition();
    say(&writer, 10).await.expect("space");
    assert!(matches!(say(&writer, 1_000_000).await, Err(Error::Unknown)), "the batch that met it");
    condition.wait_for(|now| *now == Condition::Full).await.expect("a writer");
    assert!(matches!(say(&writer, 10).await, Err(Error::DiskFull)), "whoever comes after it");
    let said = other.query_row("select count(*) from said", [], |row| row.get(0));
    assert_eq!(said, Ok(2), "reading goes on");
    other.execute("delete from said where length(text) > 100", []).expect("space");
    condition.wait_for(|now| *now == Condition::Sound).await.expect("a writer");
    say(&writer, 10).await.expect("space");
    assert_eq!(
        other.query_row("select count(*) from meta", [], |row| row.get(0)),
        Ok(0),
        "the probe is gone"
    );
    writer.close().await;
}

#[tokio::test]
async fn a_server_whose_disk_is_full_can_be_stopped() {
    let (_folder, writer, other) = small();
    let mut condition = writer.condition();
    let _ = say(&writer, 1_000_000).await;
    condition.wait_for(|now| *now == Condition::Full).await.expect("a writer");
    writer.close().await;
    assert!(matches!(say(&writer, 10).await, Err(Error::DiskFull | Error::Stopping)));
    assert_eq!(other.query_row("select count(*) from said", [], |row| row.get(0)), Ok(1));
}

#[test]
fn a_broken_disk_stays_broken() {
    let (condition, _) = watch::channel(Condition::Sound);
    let error = |code| SqlError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
    condition::note(&condition, &error(rusqlite::ffi::SQLITE_BUSY));
    assert_eq!(*condition.borrow(), Condition::Sound, "somebody else's turn is no fault of the disk");
    condition::note(&condition, &error(rusqlite::ffi::SQLITE_IOERR_FSYNC));
    condition::note(&condition, &error(rusqlite::ffi::SQLITE_FULL));
    assert!(matches!(&*condition.borrow(), Condition::Broken(_)));
}
