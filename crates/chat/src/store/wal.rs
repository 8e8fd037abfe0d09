//! SQLite's write-ahead log, the WAL: checkpointed early, so that it stays short and is written over and over.
//!
//! A commit that makes the file longer waits for the file system's own journal, too; one that writes over what is there
//! already does not, and takes a third of the time.

use super::condition::{self, Condition};
use super::opening::{BUSY, OpenError, connect};
use crate::sql::{SqlError, Sqlite};
use rusqlite::Connection;
use sabotage::Point;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Bytes of a page in the WAL: the page itself, and what the WAL says of it.
const PAGE: u64 = 4096 + 24;
/// The WAL is checkpointed once it is longer than this. The other thread copies nearly all of it into the database. The
/// thread that copies the last page also syncs the database; while people post, that thread is the writer.
const LONG: u64 = 4 << 20;
/// At this length the writer stops, and waits for readers that still read from the WAL.
const TOO_LONG: u64 = 64 << 20;
/// How long until a WAL that did not begin anew, because somebody reads from it, is checkpointed again.
const SOON: Duration = Duration::from_millis(200);
/// How long the writer stops, and how long until a checkpoint that failed is tried again. A reader that reads for
/// minutes, as a backup does, must not hold up people who post: the WAL grows meanwhile, and shrinks when it is done.
const PATIENCE: Duration = Duration::from_millis(100);
const AGAIN: Duration = Duration::from_secs(2);

/// The WAL as the thread that writes sees it.
pub(super) struct Wal {
    /// Bytes since the WAL was begun, as of the last commit.
    length: Arc<AtomicU64>,
    beside: Beside,
    stage: Stage,
    condition: watch::Sender<Condition>,
}

/// How far the checkpoint of a long WAL is.
#[derive(Clone, Copy)]
enum Stage {
    Short,
    /// The other thread checkpoints what there was.
    Beside,
    /// The writer checkpointed the rest. The next commit begins the WAL anew if nobody reads from it; if somebody does,
    /// the WAL is checkpointed again from this moment on.
    Checkpointed(Instant),
}

/// The thread that checkpoints beside the writer.
struct Beside {
    thread: Thread,
    asked: Arc<AtomicBool>,
}

impl Wal {
    /// Watches the WAL that `connection` writes to, and starts the thread that checkpoints it by another connection to the
    /// database at `path`, until `stopping` is set and it is unparked.
    pub(super) fn watch(
        path: &Path,
        connection: &mut Sqlite,
        stopping: Arc<AtomicBool>,
        condition: watch::Sender<Condition>,
    ) -> std::result::Result<(Self, JoinHandle<()>), OpenError> {
        let length = Arc::new(AtomicU64::new(0));
        let hook = Arc::clone(&length);
        connection.connection_mut().wal_hook(Some(
            move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
                hook.store(u64::try_from(pages).unwrap_or(0) * PAGE, Ordering::Relaxed);
                Ok(())
            },
        ))?;
        // A server that was killed left a WAL: it is checkpointed beside the writer, and the first answers do not wait for it.
        let asked = Arc::new(AtomicBool::new(bytes(path) > LONG));
        let other = connect(path)?;
        let (ask, told) = (Arc::clone(&asked), condition.clone());
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || checkpoint_beside(other.connection(), &ask, &stopping, &told))?;
        let beside = Beside { thread: thread.thread().clone(), asked };
        Ok((Self { length, beside, stage: Stage::Short, condition }, thread))
    }

    /// Sees to it that the WAL stays short, between two batches.
    pub(super) fn tend(&mut self, connection: &Connection) {
        let length = self.length.load(Ordering::Relaxed);
        if length <= LONG {
            self.stage = Stage::Short;
            return;
        }
        self.stage = match self.stage {
            Stage::Checkpointed(again) if Instant::now() < again => self.stage,
            Stage::Short | Stage::Checkpointed(_) => {
                self.checkpoint_beside();
                Stage::Beside
            }
            Stage::Beside if self.beside.is_asked() => Stage::Beside,
            Stage::Beside => {
                let is_done = if length > TOO_LONG {
                    self.stop_and_checkpoint(connection)
                } else {
                    checkpoint(connection, "passive", &self.condition)
                };
                Stage::Checkpointed(Instant::now() + if is_done { SOON } else { AGAIN })
            }
        };
    }

    /// Has the other thread checkpoint the WAL: then the WAL may begin anew, and use again the space that it has.
    pub(super) fn checkpoint_beside(&self) {
        self.beside.ask();
    }

    fn stop_and_checkpoint(&self, connection: &Connection) -> bool {
        let _ = connection.busy_timeout(PATIENCE);
        let is_done = checkpoint(connection, "restart", &self.condition);
        let _ = connection.busy_timeout(BUSY);
        if is_done {
            self.length.store(0, Ordering::Relaxed);
        }
        is_done
    }

    /// Checkpoints all of the WAL, which is then empty.
    pub(super) fn end(&self, connection: &Connection) {
        checkpoint(connection, "truncate", &self.condition);
    }
}

impl Beside {
    fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Whether the checkpoint that was asked for is still to be made.
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

/// Whether the server before did not close the database at `path`: then the WAL is still there.
pub(super) fn was_left(path: &Path) -> bool {
    bytes(path) > 0
}

fn checkpoint_beside(
    connection: &Connection,
    asked: &AtomicBool,
    stopping: &AtomicBool,
    condition: &watch::Sender<Condition>,
) {
    while !stopping.load(Ordering::Acquire) && !matches!(*condition.borrow(), Condition::Broken(_)) {
        if asked.load(Ordering::Acquire) {
            checkpoint(connection, "passive", condition);
            asked.store(false, Ordering::Release);
        } else {
            std::thread::park();
        }
    }
}

/// Checkpoints the WAL, and says whether as much was done as this kind of checkpoint can do. No kind copies pages that
/// somebody still reads past. For `passive` that is no failure; for the other kinds it is.
fn checkpoint(connection: &Connection, how: &str, condition: &watch::Sender<Condition>) -> bool {
    sabotage::pass(Point::MidCheckpoint);
    let busy =
        connection.query_row(&format!("pragma wal_checkpoint({how})"), [], |row| row.get::<_, bool>(0));
    busy.map(|busy| !busy).map_err(SqlError::from).unwrap_or_else(|error| {
        // A database that cannot grow is no reason to stop: the WAL may still grow. When it cannot, either, the writer
        // tries again every second, and the server's log has said so already.
        let is_full = condition::told_by(&error) == Some(Condition::Full);
        if !is_full || *condition.borrow() != Condition::Full {
            tracing::warn!(%error, how, "the write-ahead log could not be checkpointed");
        }
        if !is_full {
            condition::note(condition, &error);
        }
        false
    })
}

/// The size of the WAL's file, which it keeps when the WAL begins anew.
fn bytes(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).map_or(0, |file| file.len())
}
