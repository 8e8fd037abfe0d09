//! The product as a whole: opened, watched and closed here; each noun's file adds what can be done with its noun.

use crate::caller::Caller;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::marks::Marks;
use crate::news::News;
use crate::passwords::Passwords;
use crate::replays::Replays;
use crate::rights::Membership;
use crate::sql::Sql;
use crate::store::{
    Checked, Condition, Database, OnSettled, OpenError, Post, Settled, Store, Tx, foundation, memberships,
};
use crate::stream::{Batch, Committed, Kept};
use protocol::RoomId;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// [`Batch`]es that may wait for whoever tells them on; then the writer waits.
const TOLD: usize = 64;

/// The product. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Chat(pub(crate) Arc<Parts>);

/// What the product is made of.
#[derive(Clone)]
pub(crate) struct Parts {
    /// For this file alone: whatever else writes does so by [`Chat::write`], at a time of its own.
    store: Store,
    pub(crate) clock: Clock,
    pub(crate) passwords: Passwords,
    pub(crate) marks: Arc<Marks>,
    pub(crate) epoch: Arc<str>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) news: Arc<News>,
}

impl Chat {
    /// Opens a database, making the file when there is none, and answers with the stream of what is committed
    /// from now on. The stream must be read: once it is full, nothing more is written.
    ///
    /// # Errors
    /// When the database cannot be opened or is of a newer version.
    pub async fn open(
        database: impl Into<Database>,
        clock: Clock,
    ) -> std::result::Result<(Self, mpsc::Receiver<Batch>), OpenError> {
        Self::opened(database.into(), clock, Store::open).await
    }

    /// The same for a command beside a server that may be running on the database, and that is told nothing of what the
    /// command does.
    ///
    /// # Errors
    /// When the database cannot be opened, is of a newer version, or is of an older one and a server runs on it.
    pub async fn open_beside(
        database: impl Into<Database>,
        clock: Clock,
    ) -> std::result::Result<(Self, mpsc::Receiver<Batch>), OpenError> {
        Self::opened(database.into(), clock, Store::open_beside).await
    }

    async fn opened(
        database: Database,
        clock: Clock,
        open: fn(&Database, mpsc::Sender<Batch>, OnSettled) -> std::result::Result<Store, OpenError>,
    ) -> std::result::Result<(Self, mpsc::Receiver<Batch>), OpenError> {
        let (told, stream) = mpsc::channel(TOLD);
        // A migration can take minutes, and whoever waits for it must be able to give up.
        let (replays, news) = (Arc::new(Replays::new()), Arc::new(News::new()));
        let noting = (Arc::clone(&replays), Arc::clone(&news));
        let settled = move |outcome: Settled<'_>| match outcome {
            Settled::Committed(committed) => {
                noting.0.committed(committed);
                noting.1.committed(committed);
            }
            Settled::Unknown => {
                noting.0.unknown();
                noting.1.any();
            }
        };
        let opened = tokio::task::spawn_blocking(move || open(&database, told, Box::new(settled))).await;
        let store = opened.map_err(|error| OpenError::Thread(error.into()))??;
        let now = clock.now();
        let epoch =
            store.write(move |tx| foundation::lay(tx.sql, now)).await.map_err(|error| match error {
                Error::Store(error) => OpenError::Sql(error),
                other => OpenError::Thread(std::io::Error::other(other)),
            })?;
        let chat = Parts {
            store,
            clock,
            passwords: Passwords::new(),
            marks: Arc::new(Marks::new()),
            epoch: epoch.into(),
            replays,
            news,
        };
        Ok((Self(Arc::new(chat)), stream))
    }

    /// The same, but what it writes keeps `kept` until it has failed, or until what was committed was told on: whether or
    /// not somebody still waits for the answer.
    #[must_use]
    pub fn keeping(&self, kept: Kept) -> Self {
        let store = self.0.store.keeping(kept);
        Self(Arc::new(Parts { store, ..Parts::clone(&self.0) }))
    }

    /// Finds out whether this program knows the tables of a database, which another process may be using. Writes nothing.
    /// Blocks its thread.
    ///
    /// # Errors
    /// When they cannot be read or are of a newer version.
    pub fn check(database: &Database) -> std::result::Result<(), OpenError> {
        Store::check(database)
    }

    /// Which life of the database this is: another one after every restore.
    pub fn epoch(&self) -> &str {
        &self.0.epoch
    }

    /// Comes back when the disk has failed, with how: nothing is written any more, and what this process knows of the
    /// database is worth nothing. Only a new process can tell what is there.
    pub async fn broken(&self) -> String {
        let mut condition = self.0.store.condition();
        loop {
            if let Condition::Broken(how) = &*condition.borrow_and_update() {
                return how.clone();
            }
            if condition.changed().await.is_err() {
                // The store is gone, and so is whatever could break.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What came of looking through the database, which goes on beside everything else after a stop that was none. The
    /// receiver hears when it is done.
    pub fn checked(&self) -> watch::Receiver<Checked> {
        self.0.store.checked()
    }

    /// Whether something could be written now.
    ///
    /// # Errors
    /// When nothing can: `DiskFull`, `Unknown` once the disk has failed, `Overloaded`.
    pub async fn is_writable(&self) -> Result<()> {
        self.0.store.write(|_| Ok(())).await
    }

    /// What time it is for this crate, in milliseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// Writes what is merged in memory, finishes what waits, and closes the database. Later calls answer `unknown`.
    pub async fn close(&self) {
        self.0.news.close();
        if let Err(error) = self.write_reads().await {
            tracing::error!(%error, "the last read marks were not written");
        }
        self.0.store.close().await;
    }

    /// Does `work` in a transaction, at the time of this call, behind all that was asked before. A refusal undoes what `work`
    /// did; the answer comes after the commit.
    pub(crate) fn write<T: Send + 'static, W: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let now = self.now();
        self.0.store.write(move |tx| {
            tx.now = now;
            work(tx)
        })
    }

    /// The same in one of the caller's rooms, with the proof that they are a member.
    ///
    /// # Errors
    /// `NotFound` for whoever is no member.
    pub(crate) fn write_in<T: Send + 'static>(
        &self,
        caller: &Caller,
        room: RoomId,
        work: impl FnOnce(&mut Tx<'_>, &Membership) -> Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T>> + Send {
        let user = caller.key();
        self.write(move |tx| {
            let membership = memberships::prove(tx.sql, room, user)?;
            work(tx, &membership)
        })
    }

    /// Like [`Chat::write`] for a message; what it asks for is told as a `post` when it is done among others: then a refusal
    /// of `work` has changed nothing, and its SQL cannot fail by its input.
    pub(crate) fn write_post<T: Send + 'static, W: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static>(
        &self,
        post: Option<Post>,
        work: W,
    ) -> impl Future<Output = Result<T>> + Send + use<T, W> {
        let now = self.now();
        self.0.store.write_post(post, move |tx| {
            tx.now = now;
            work(tx)
        })
    }

    /// Tells something that needs no commit, in order with what does.
    pub(crate) async fn tell(&self, committed: Committed) {
        self.0.store.tell(committed).await;
    }

    /// Reads: all that `work` sees is of one moment.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Sql<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.store.read(work).await
    }
}
