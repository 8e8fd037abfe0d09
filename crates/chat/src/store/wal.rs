//! The write-ahead log: folded into the database early, so that it stays short and is written over and over.
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

/// Bytes of a page in the log: itself, and what the log says of it.
const PAGE: u64 = 4096 + 24;
/// The log is folded once it is longer than this. Beside the writer nearly all of it is copied; to the disk it is brought
/// by whoever copies the last page, and while people post that is the writer.
const LONG: u64 = 4 << 20;
/// Here the writer stops for whoever still reads from the log.
const TOO_LONG: u64 = 64 << 20;
/// How long until a log that did not begin anew is folded again: somebody reads what stands in it.
const SOON: Duration = Duration::from_millis(200);
/// How long the writer stops, and how long until something that failed is tried again. Who reads for minutes, as a backup
/// does, must not hold up who writes: then the log grows, and shrinks when they are done.
const PATIENCE: Duration = Duration::from_millis(100);
const AGAIN: Duration = Duration::from_secs(2);

/// The log as the thread that writes sees it.
pub(super) struct Wal {
    /// Bytes since it was begun, as of the last commit.
    length: Arc<AtomicU64>,
    folder: Folder,
    stage: Stage,
    condition: watch::Sender<Condition>,
}

/// How far the folding of a long log is.
#[derive(Clone, Copy)]
enum Stage {
    Short,
    /// The folder folds what there was.
    Beside,
    /// The writer folded the rest; the next commit begins the log anew if nobody reads from it. If not, it is folded again
    /// from then on.
    Folded(Instant),
}

/// The thread that folds beside the writer.
struct Folder {
    thread: Thread,
    asked: Arc<AtomicBool>,
}

impl Wal {
    /// Watches the log that `connection` writes to, and starts the thread that folds it by another connection to the
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
        // Somebody who was killed left one: that is folded beside, not before the first answers.
        let asked = Arc::new(AtomicBool::new(bytes(path) > LONG));
        let other = connect(path)?;
        let (ask, told) = (Arc::clone(&asked), condition.clone());
        let thread = std::thread::Builder::new()
            .name("checkpoints".into())
            .spawn(move || fold_beside(other.connection(), &ask, &stopping, &told))?;
        let folder = Folder { thread: thread.thread().clone(), asked };
        Ok((Self { length, folder, stage: Stage::Short, condition }, thread))
    }

    /// Sees to it that the log stays short, between two batches.
    pub(super) fn tend(&mut self, connection: &Connection) {
        let length = self.length.load(Ordering::Relaxed);
        if length <= LONG {
            self.stage = Stage::Short;
            return;
        }
        self.stage = match self.stage {
            Stage::Folded(again) if Instant::now() < again => self.stage,
            Stage::Short | Stage::Folded(_) => {
                self.fold_beside();
                Stage::Beside
            }
            Stage::Beside if self.folder.is_asked() => Stage::Beside,
            Stage::Beside => {
                let is_folded = if length > TOO_LONG {
                    self.stop_and_fold(connection)
                } else {
                    fold(connection, "passive", &self.condition)
                };
                Stage::Folded(Instant::now() + if is_folded { SOON } else { AGAIN })
            }
        };
    }

    /// Has the log folded by the other thread: it may begin anew, and what it took of the disk be used again.
    pub(super) fn fold_beside(&self) {
        self.folder.ask();
    }

    fn stop_and_fold(&self, connection: &Connection) -> bool {
        let _ = connection.busy_timeout(PATIENCE);
        let is_folded = fold(connection, "restart", &self.condition);
        let _ = connection.busy_timeout(BUSY);
        if is_folded {
            self.length.store(0, Ordering::Relaxed);
        }
        is_folded
    }

    /// Folds all of the log, which is then gone.
    pub(super) fn end(&self, connection: &Connection) {
        fold(connection, "truncate", &self.condition);
    }
}

impl Folder {
    fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Whether it has not folded yet.
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

/// Whether whoever had the database at `path` before did not close it: then its log is still there.
pub(super) fn was_left(path: &Path) -> bool {
    bytes(path) > 0
}

fn fold_beside(
    connection: &Connection,
    asked: &AtomicBool,
    stopping: &AtomicBool,
    condition: &watch::Sender<Condition>,
) {
    while !stopping.load(Ordering::Acquire) && !matches!(*condition.borrow(), Condition::Broken(_)) {
        if asked.load(Ordering::Acquire) {
            fold(connection, "passive", condition);
            asked.store(false, Ordering::Release);
        } else {
            std::thread::park();
        }
    }
}

/// Whether as much of the log was folded as this way of folding can. All of it only if nobody reads what stands in it: by
/// `passive` that is no failure, by the others it is.
fn fold(connection: &Connection, how: &str, condition: &watch::Sender<Condition>) -> bool {
    sabotage::pass(Point::MidCheckpoint);
    let busy =
        connection.query_row(&format!("pragma wal_checkpoint({how})"), [], |row| row.get::<_, bool>(0));
    busy.map(|busy| !busy).map_err(SqlError::from).unwrap_or_else(|error| {
        // A database that cannot grow is no reason to stop: the log can, until it cannot, either. Then it is tried every
        // second, and has been said.
        let is_full = condition::told_by(&error) == Some(Condition::Full);
        if !is_full || *condition.borrow() != Condition::Full {
            tracing::warn!(%error, how, "the write-ahead log could not be folded into the database");
        }
        if !is_full {
            condition::note(condition, &error);
        }
        false
    })
}

/// The size of the log's file. It keeps it when the log begins anew.
fn bytes(path: &Path) -> u64 {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(0, |file| file.len())
}
