//! What happens in Roomful: accounts, sessions, rooms, memberships, messages and reads, in one embedded database.
//!
//! [`Chat`] is the way in; each file adds what can be done with its noun. What was committed leaves as one ordered
//! stream of [`Committed`], after the commit and before the answer to whoever asked.
//!
//! Must not know: axum, HTTP status, cookies, WebSocket frames, the web client, the configuration file.

mod accounts;
pub mod backup;
pub mod checks;
mod clock;
mod error;
mod export;
mod invites;
mod log;
mod memberships;
mod messages;
mod passwords;
pub mod presence;
mod reads;
mod rooms;
mod sessions;
#[allow(dead_code, unused_imports, unused_macros)]
mod sql;
mod store;
mod stream;
mod text;
mod together;
mod token;
mod visitors;

pub use accounts::Account;
pub use clock::Clock;
pub use error::{DatabaseError, Error, Result};
pub use export::export;
pub use log::Replay;
pub use memberships::Membership;
pub use messages::Place;
pub use sessions::{Caller, NewSession};
pub use store::{Checked, OpenError, SqlError};
pub use stream::{Batch, Committed, Kept, RoomKey, RoomRef, UserKey};
pub use text::{Draft, NAME_CHARS, Name, PASSWORD_MIN, TEXT_CHARS, fold};
pub use token::Token;
pub use visitors::{History, Visitor};

use log::Replays;
use passwords::Passwords;
use reads::Reads;
use std::path::Path;
use std::sync::Arc;
use store::{Condition, Store};
use tokio::sync::{mpsc, watch};

/// The most items on a page.
pub const PAGE: u32 = 100;
/// A page of messages or events ends early beyond this many bytes, give or take those that stand around the texts: it
/// waits in memory for whoever reads it slowly.
const PAGE_BYTES: usize = 128 * 1024;
/// The most rooms that an account is in: each is read and sent whenever they connect.
pub const ROOMS: u64 = 1_000;
/// The most rooms that a guest is in, of whom anybody may have any number.
pub const ROOMS_OF_GUEST: u64 = 100;
/// The name of the room that everybody is in from the start.
pub const LOBBY: &str = "lobby";
/// More missed events than this are not sent one by one: the client starts afresh from the newest page.
pub const RESUME_EVENTS: u64 = 1_000;

/// [`Batch`]es that may wait for whoever tells them on; then the writer waits.
const TOLD: usize = 64;

/// The product. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Chat(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    store: Store,
    clock: Clock,
    passwords: Passwords,
    reads: Arc<Reads>,
    epoch: Arc<str>,
    replays: Arc<Replays>,
}

impl Chat {
    /// Opens the database at `path`, making it when there is none, and answers with the stream of what is committed
    /// from now on. The stream must be read: once it is full, nothing more is written.
    ///
    /// # Errors
    /// When the database cannot be opened or is of a newer version.
    pub async fn open(
        path: &Path,
        clock: Clock,
    ) -> std::result::Result<(Self, mpsc::Receiver<Batch>), OpenError> {
        let (told, stream) = mpsc::channel(TOLD);
        let path = path.to_owned();
        // A migration can take minutes, and whoever waits for it must be able to give up.
        let replays = Arc::new(Replays::new());
        let noting = Arc::clone(&replays);
        let opened = tokio::task::spawn_blocking(move || Store::open(&path, told, noting)).await;
        let store = opened.map_err(|error| OpenError::Thread(error.into()))??;
        let now = clock.now();
        let epoch =
            store.write(move |tx| rooms::prepare(&tx.sql, now)).await.map_err(|error| match error {
                Error::Store(error) => OpenError::Sql(error),
                other => OpenError::Thread(std::io::Error::other(other)),
            })?;
        let chat = Parts {
            store,
            clock,
            passwords: Passwords::new(),
            reads: Arc::new(Reads::new()),
            epoch: epoch.into(),
            replays,
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

    /// Finds out whether this program knows the tables of the database at `path`, which another process may be using.
    /// Writes nothing.
    ///
    /// # Errors
    /// When they cannot be read or are of a newer version.
    pub fn check(path: &Path) -> std::result::Result<(), OpenError> {
        Store::check(path)
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
        if let Err(error) = self.write_reads().await {
            tracing::error!(%error, "the last read marks were not written");
        }
        self.0.store.close().await;
    }
}
