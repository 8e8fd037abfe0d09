//! The SQL, and the one connection that writes.

pub(crate) mod accounts;
pub(crate) mod backup;
pub(crate) mod checks;
pub(crate) mod epoch;
pub(crate) mod export;
pub(crate) mod foundation;
pub(crate) mod invites;
pub(crate) mod log;
pub(crate) mod memberships;
pub(crate) mod messages;
pub(crate) mod reads;
pub(crate) mod rooms;
pub(crate) mod sessions;

mod checkup;
mod company;
mod condition;
mod heads;
mod migrations;
mod queue;
mod readers;
mod wal;
mod writer;

use crate::error::{Error, Result};
use crate::stream::{Batch, Committed, Kept};
use checkup::Checkup;
pub(crate) use condition::Condition;
use readers::Readers;
use rusqlite::{OpenFlags, Transaction};
use sabotage::Bug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use writer::Writer;

pub use checkup::Checked;
pub(crate) use rusqlite::Connection;
pub use writer::OpenError;

/// What SQLite has to say when it fails.
pub type SqlError = rusqlite::Error;

/// SQLite before this can corrupt a WAL database when two connections write or checkpoint at once.
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a statement waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// A transaction under way on the writer, with what it will tell once it is on the disk.
pub(crate) struct Tx<'c> {
    pub(crate) sql: Transaction<'c>,
    pub(crate) told: Vec<Committed>,
    /// What is to be dropped once that was told on, or the batch has failed.
    pub(crate) kept: Vec<Kept>,
    /// What time it is for the work under way, in milliseconds since 1970 UTC.
    pub(crate) now: i64,
    heads: heads::Heads,
}

/// What came of a batch, for memory that must not outlive what it was read from. It is told before anybody else hears.
pub(crate) enum Settled<'a> {
    /// This was committed.
    Committed(&'a [Committed]),
    /// Nobody knows what was committed.
    Unknown,
}

/// Hears what came of each batch.
pub(crate) type OnSettled = Box<dyn Fn(Settled<'_>) + Send>;

/// Where all is kept.
#[derive(Clone)]
pub(crate) struct Store {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    /// What everything that is written keeps.
    kept: Option<Kept>,
    checkup: Arc<Checkup>,
}

impl Store {
    /// Opens the database at `path`, makes or migrates its tables, and starts the writer.
    pub(crate) fn open(
        path: &Path,
        told: mpsc::Sender<Batch>,
        settled: OnSettled,
    ) -> std::result::Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(OpenError::OldSqlite(rusqlite::version()));
        }
        sabotage::mount()?;
        let unclean = wal::was_left(path);
        let mut connection = connect(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        migrations::run(&mut connection, path)?;
        let readers = Readers::open(path)?;
        let writer = Writer::start(path, connection, told, settled)?;
        let checkup = Checkup::start(path, unclean)?;
        let (writer, readers, checkup) = (Arc::new(writer), Arc::new(readers), Arc::new(checkup));
        Ok(Self { writer, readers, checkup, kept: None })
    }

    /// The same, but what is written keeps `kept` until it has failed or was told on.
    pub(crate) fn keeping(&self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self.clone() }
    }

    /// Finds out whether the tables of the database at `path` are known. Writes nothing.
    pub(crate) fn check(path: &Path) -> std::result::Result<(), OpenError> {
        migrations::check(path)
    }

    /// Queues `work` for the next batch, behind all that was queued before. A refusal undoes what `work` did; the answer
    /// comes after the commit.
    pub(crate) fn write<T: Send + 'static, W: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let submitted = self.writer.submit(true, self.kept.clone(), work);
        async move { submitted?.await.map_err(|_| Error::Unknown)? }
    }

    /// Like [`Store::write`], for a post. It needs no `savepoint` if its refusals have changed nothing and its SQL cannot fail
    /// by its input.
    pub(crate) fn write_post<T: Send + 'static, W: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static>(
        &self,
        savepoint: bool,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let submitted = self.writer.submit(savepoint, self.kept.clone(), work);
        async move { submitted?.await.map_err(|_| Error::Unknown)? }
    }

    /// Runs `work` in a read transaction of its own: all it sees is of one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let read = self.readers.read(work).await;
        if let Err(Error::Store(error)) = &read {
            self.checkup.met(error);
        }
        read
    }

    /// Tells something that needs no commit, in order with what does.
    pub(crate) async fn tell(&self, committed: Committed) {
        self.writer.tell(committed).await;
    }

    /// How writing goes, and will go.
    pub(crate) fn condition(&self) -> watch::Receiver<Condition> {
        self.writer.condition()
    }

    /// What came of looking through a database that was not closed, and will.
    pub(crate) fn checked(&self) -> watch::Receiver<Checked> {
        self.checkup.checked()
    }

    /// Finishes what waits, folds the log into the database and closes it. Readers, too: the log goes with the last
    /// connection, and one that stays looks like a server that was killed.
    pub(crate) async fn close(&self) {
        self.checkup.stop();
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // FULL: a commit is on the disk before anybody hears of it. Memory-mapped reads would bypass error handling.
    connection.execute_batch(
        "pragma synchronous = full; pragma foreign_keys = on; pragma trusted_schema = off;
         pragma cell_size_check = on; pragma mmap_size = 0; pragma temp_store = memory;
         pragma wal_autocheckpoint = 0; pragma journal_size_limit = 67108864;",
    )?;
    if sabotage::has(Bug::NormalSync) {
        connection.pragma_update(None, "synchronous", "normal")?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The error again, if it is of one stored value that is not what it should be; else a failure of the database.
fn is_of_a_value(error: SqlError) -> Result<SqlError> {
    match error {
        SqlError::FromSqlConversionFailure(..)
        | SqlError::IntegralValueOutOfRange(..)
        | SqlError::InvalidColumnType(..)
        | SqlError::Utf8Error(..) => Ok(error),
        _ => Err(error.into()),
    }
}

/// Opens the database beside a server that may be running, without any way to change it.
fn connect_beside(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(
        "pragma trusted_schema = off; pragma cell_size_check = on; pragma mmap_size = 0; pragma temp_store = memory;",
    )?;
    Ok(connection)
}

/// Whether a statement hit the unique index on these columns, such as `users.folded`.
fn is_unique(error: &SqlError, columns: &str) -> bool {
    match error {
        SqlError::SqliteFailure(code, Some(message)) => {
            code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE && message.contains(columns)
        }
        _ => false,
    }
}
