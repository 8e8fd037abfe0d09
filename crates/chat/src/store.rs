//! The SQL, and the one connection that writes. It knows no noun of the product but their tables.

pub(crate) mod accounts;
pub(crate) mod backup;
pub(crate) mod checks;
pub(crate) mod counts;
pub(crate) mod epoch;
pub(crate) mod export;
pub(crate) mod foundation;
pub(crate) mod invites;
pub(crate) mod log;
pub(crate) mod memberships;
pub(crate) mod messages;
pub(crate) mod places;
pub(crate) mod reactions;
pub(crate) mod reads;
pub(crate) mod rooms;
pub(crate) mod sessions;

mod beside;
mod checkup;
mod company;
mod condition;
mod engine;
mod heads;
mod identity;
mod migrations;
mod opening;
mod queue;
mod readers;
mod run;
mod session;
mod tx;
mod wal;
mod writer;

use crate::error::{Error, Result};
use crate::sql::{Postgres, Sql};
use crate::stream::{Batch, Committed, Kept};
use checkup::Checkup;
pub(crate) use condition::Condition;
use engine::Engine;
use readers::Readers;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use writer::{Manner, Writer};

pub use beside::ServerFacts;
pub use checkup::Checked;
pub use opening::{Database, OpenError, Way};
pub(crate) use run::Post;
pub(crate) use tx::{OnSettled, Settled, Tx};

/// SQLite before this can corrupt a WAL database when two connections write or checkpoint at once.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Where all is kept.
#[derive(Clone)]
pub(crate) struct Store {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    /// What everything that is written keeps.
    kept: Option<Kept>,
    /// Looks through a file that was not closed; a server looks after its own files.
    checkup: Option<Arc<Checkup>>,
}

impl Store {
    /// Opens the database, makes or migrates its tables, and starts the writer.
    pub(crate) fn open(
        database: &Database,
        told: mpsc::Sender<Batch>,
        settled: OnSettled,
    ) -> std::result::Result<Self, OpenError> {
        match database {
            Database::File(path) => Self::open_file(path, told, settled),
            Database::Postgres(address) => {
                Self::open_session(database, told, settled, || Engine::session(address))
            }
        }
    }

    /// The same beside a server that may be running on the database, for work that tells nobody anything. A PostgreSQL
    /// database lets one server at a time write: this store does without the right that says so.
    pub(crate) fn open_beside(
        database: &Database,
        told: mpsc::Sender<Batch>,
        settled: OnSettled,
    ) -> std::result::Result<Self, OpenError> {
        match database {
            Database::File(path) => Self::open_file(path, told, settled),
            Database::Postgres(address) => {
                Self::open_session(database, told, settled, || Engine::beside(address))
            }
        }
    }

    fn open_session(
        database: &Database,
        told: mpsc::Sender<Batch>,
        settled: OnSettled,
        open: impl FnOnce() -> std::result::Result<Engine, OpenError>,
    ) -> std::result::Result<Self, OpenError> {
        let writer = Writer::start(told, settled, |_, _| Ok((open()?, Vec::new())))?;
        let readers = Arc::new(Readers::open(database)?);
        Ok(Self { writer: Arc::new(writer), readers, checkup: None, kept: None })
    }

    fn open_file(
        path: &Path,
        told: mpsc::Sender<Batch>,
        settled: OnSettled,
    ) -> std::result::Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(OpenError::OldSqlite(rusqlite::version()));
        }
        sabotage::mount()?;
        let unclean = wal::was_left(path);
        let mut connection = opening::connect(path)?;
        connection.connection().pragma_update(None, "journal_mode", "wal")?;
        migrations::run(connection.connection_mut(), path)?;
        let readers = Readers::open(&path.into())?;
        let writer = Writer::start(told, settled, |stopping, condition| {
            Engine::file(path, connection, stopping, condition)
        })?;
        let checkup = Some(Arc::new(Checkup::start(path, unclean)?));
        Ok(Self { writer: Arc::new(writer), readers: Arc::new(readers), checkup, kept: None })
    }

    /// The same store, with a `kept` for each write. The value is dropped once the write has failed, or once the server
    /// has passed on to the shards what was committed.
    pub(crate) fn keeping(&self, kept: Kept) -> Self {
        Self { kept: Some(kept), ..self.clone() }
    }

    /// Finds out whether the tables of the database are known. Writes nothing.
    pub(crate) fn check(database: &Database) -> std::result::Result<(), OpenError> {
        match database {
            Database::File(path) => migrations::check(path),
            Database::Postgres(address) => migrations::postgres::check(&Postgres::connect(address)?),
        }
    }

    /// Queues `work` for the next batch, behind all that was queued before. A refusal undoes what `work` did; the answer
    /// comes after the commit.
    pub(crate) fn write<T: Send + 'static, W: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let submitted = self.writer.submit(Manner::Alone, self.kept.clone(), work);
        async move { submitted?.await.map_err(|_| Error::Unknown)? }
    }

    /// Like [`Store::write`], for a message. A `post` is done among others and without a savepoint: its refusals have changed
    /// nothing and its SQL cannot fail by its input.
    pub(crate) fn write_post<T: Send + 'static, W: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static>(
        &self,
        post: Option<Post>,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let manner = post.map_or(Manner::Alone, Manner::Among);
        let submitted = self.writer.submit(manner, self.kept.clone(), work);
        async move { submitted?.await.map_err(|_| Error::Unknown)? }
    }

    /// Runs `work` in a read transaction of its own: all it sees is of one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Sql<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let read = self.readers.read(work).await;
        if let (Err(Error::Store(error)), Some(checkup)) = (&read, &self.checkup) {
            checkup.met(error);
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
        match &self.checkup {
            Some(checkup) => checkup.checked(),
            None => watch::Sender::new(Checked::Unneeded).subscribe(),
        }
    }

    /// Finishes what waits, checkpoints the WAL and closes the database. The readers are closed, too: SQLite removes the
    /// WAL with the last connection, and a WAL that stays looks like that of a server that was killed.
    pub(crate) async fn close(&self) {
        if let Some(checkup) = &self.checkup {
            checkup.stop();
        }
        self.readers.close().await;
        self.writer.close().await;
    }
}
