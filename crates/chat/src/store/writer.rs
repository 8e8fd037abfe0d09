//! The one thread that writes: gathers what waits into a transaction, commits, tells, answers.

use super::company::Company;
use super::condition::{self, Condition};
use super::heads::Heads;
use super::queue::{Queue, Refused};
use super::wal::Wal;
use super::{OnSettled, Settled, Tx};
use crate::error::{Error, Result};
use crate::stream::{Batch, Committed, Kept};
use rusqlite::Connection;
use sabotage::{Bug, Point};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Jobs that may wait; beyond it the answer is `overloaded`.
const QUEUE: usize = 4096;
/// Jobs in one transaction: the sync at its end costs the same for one as for all.
const BATCH: usize = 512;

/// How often a full disk is tried.
const PROBE: Duration = Duration::from_secs(1);

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite that was linked can corrupt the database.
    #[error("this build carries SQLite {0}; 3.51.3 or newer is needed, older ones can corrupt the database")]
    OldSqlite(&'static str),
    /// The database could not be read or written.
    #[error("it could not be opened")]
    Sql(#[from] rusqlite::Error),
    /// It was made by a newer program. It is left as it is.
    #[error(
        "its tables have version {found}, and this Roomful knows them up to {known}: use the newer Roomful that made \
         it, or the copy from before that one"
    )]
    Newer {
        /// The version of its tables.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The tables could not be brought up to date. They are as they were.
    #[error("it could not be brought up to date, and is as it was")]
    Migration(#[from] refinery::Error),
    /// There is no file for a copy.
    #[error(
        "it must be brought up to date, and no copy of it could be kept beside it, so nothing was changed"
    )]
    Copy(#[source] std::io::Error),
    /// The copy could not be written.
    #[error(
        "it must be brought up to date, and no copy of it could be written beside it, so nothing was changed"
    )]
    CopySql(#[source] rusqlite::Error),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[from] std::io::Error),
}

type Told = mpsc::Sender<Batch>;

/// One piece of work in a batch.
trait Job: Send {
    /// Does the work. An error fails the whole batch; what else came of it is kept for [`Job::settle`].
    fn run(&mut self, tx: &mut Tx<'_>) -> rusqlite::Result<()>;
    /// Answers.
    fn settle(self: Box<Self>, outcome: Outcome);
}

/// What came of a batch.
#[derive(Clone, Copy)]
enum Outcome {
    Committed,
    /// Nobody knows what of it is on the disk.
    Unknown,
    /// It was not begun, for the disk is full.
    Full,
}

struct Work<T, F> {
    work: Option<F>,
    answer: Option<Result<T>>,
    to: oneshot::Sender<Result<T>>,
    savepoint: bool,
    kept: Option<Kept>,
}

impl<T: Send, F: FnOnce(&mut Tx<'_>) -> Result<T> + Send> Job for Work<T, F> {
    fn run(&mut self, tx: &mut Tx<'_>) -> rusqlite::Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        tx.kept.extend(self.kept.take());
        let told = tx.told.len();
        if self.savepoint {
            // Only posts know of heads that are not written yet.
            tx.heads.write(&tx.sql)?;
            tx.sql.execute_batch("savepoint work")?;
        }
        let answer = match work(tx) {
            // Without a savepoint what it did cannot be undone alone, and a broken disk is everybody's business.
            Err(Error::Store(error)) if !self.savepoint || is_of_the_disk(&error) => return Err(error),
            answer => answer,
        };
        if self.savepoint {
            if answer.is_ok() {
                tx.heads.write(&tx.sql)?;
                tx.sql.execute_batch("release work")?;
            } else {
                tx.heads.forget();
                tx.sql.execute_batch("rollback to work; release work")?;
            }
        }
        if answer.is_err() {
            tx.told.truncate(told);
        }
        self.answer = Some(answer);
        Ok(())
    }

    fn settle(self: Box<Self>, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Committed => self.answer.unwrap_or(Err(Error::Unknown)),
            // What was refused was judged by a state that is gone with the batch: then nothing is known of it either.
            Outcome::Unknown => Err(Error::Unknown),
            Outcome::Full => Err(Error::DiskFull),
        };
        // Whoever asked may be gone; what was committed stays.
        let _ = self.to.send(answer);
    }
}

/// Whether the database itself failed, and not one statement on its input.
fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, FileLockingProtocolFailed,
        NotADatabase, OutOfMemory, ReadOnly, SystemIoFailure,
    };
    matches!(
        error.sqlite_error_code(),
        Some(
            CannotOpen
                | DatabaseBusy
                | DatabaseCorrupt
                | DatabaseLocked
                | DiskFull
                | FileLockingProtocolFailed
                | NotADatabase
                | OutOfMemory
                | ReadOnly
                | SystemIoFailure
        )
    )
}

pub(super) struct Writer {
    queue: Arc<Queue<Box<dyn Job>>>,
    told: Told,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
    stopping: Arc<AtomicBool>,
    condition: watch::Sender<Condition>,
}

impl Writer {
    pub(super) fn start(
        path: &Path,
        mut connection: Connection,
        told: Told,
        settled: OnSettled,
    ) -> std::result::Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(QUEUE));
        let stopping = Arc::new(AtomicBool::new(false));
        let condition = watch::Sender::new(Condition::Sound);
        let (wal, checkpoints) = Wal::watch(path, &mut connection, Arc::clone(&stopping), condition.clone())?;
        let writing = Writing {
            connection,
            queue: Arc::clone(&queue),
            told: told.clone(),
            settled,
            condition: condition.clone(),
            wal,
        };
        let writing = std::thread::Builder::new().name("writer".into()).spawn(move || writing.run())?;
        Ok(Self { queue, told, threads: Mutex::new(vec![writing, checkpoints]), stopping, condition })
    }

    pub(super) fn submit<T: Send + 'static>(
        &self,
        savepoint: bool,
        kept: Option<Kept>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        if let Some(refusal) = self.condition.borrow().refusal() {
            return Err(refusal);
        }
        let (to, answer) = oneshot::channel();
        let job = Box::new(Work { work: Some(work), answer: None, to, savepoint, kept });
        match self.queue.push(job) {
            Ok(()) => Ok(answer),
            Err(Refused::Full) => Err(Error::Overloaded),
            Err(Refused::Closed) => Err(Error::Stopping),
        }
    }

    /// How writing goes, and will go.
    pub(super) fn condition(&self) -> watch::Receiver<Condition> {
        self.condition.subscribe()
    }

    pub(super) async fn tell(&self, committed: Committed) {
        // Nobody listens any more only while the server stops.
        let _ = self.told.send(Batch { committed: vec![committed], kept: Vec::new() }).await;
    }

    pub(super) async fn close(&self) {
        self.queue.close();
        self.stopping.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in &threads {
            thread.thread().unpark();
        }
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread of the store ended in a panic");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("the store did not close");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Held by the thread that writes: should a job panic, nobody waits for ever.
struct Attendance<'a>(&'a Queue<Box<dyn Job>>);

impl Drop for Attendance<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// What the writing thread works with.
struct Writing {
    connection: Connection,
    queue: Arc<Queue<Box<dyn Job>>>,
    told: Told,
    settled: OnSettled,
    condition: watch::Sender<Condition>,
    wal: Wal,
}

impl Writing {
    fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _attendance = Attendance(&queue);
        let mut batch = Vec::with_capacity(BATCH);
        let mut company = Company::default();
        while queue.take(&mut batch, BATCH, company.wanted(), company.patience()) {
            let (began, jobs) = (Instant::now(), batch.len());
            let outcome = self.write(&mut batch);
            company = Company { jobs, commit: began.elapsed() };
            for job in batch.drain(..) {
                job.settle(outcome);
            }
            let condition = self.condition.borrow().clone();
            match condition {
                Condition::Sound => self.wal.tend(&self.connection),
                Condition::Full => self.wait_for_space(&mut batch),
                Condition::Broken(_) => break,
            }
        }
        if matches!(*self.condition.borrow(), Condition::Broken(_)) {
            // Closing would fold the log into the database, and nobody knows what of the log the disk still has.
            return std::mem::forget(self.connection);
        }
        self.wal.end(&self.connection);
    }

    /// Commits a batch and tells what came of it.
    fn write(&mut self, batch: &mut Vec<Box<dyn Job>>) -> Outcome {
        let jobs = batch.len();
        let committed = match commit(&mut self.connection, batch, &self.told) {
            Ok(committed) => committed,
            Err(error) => {
                tracing::error!(%error, jobs, "a batch failed and is unknown to those who asked");
                condition::note(&self.condition, &error);
                (self.settled)(Settled::Unknown);
                return Outcome::Unknown;
            }
        };
        sabotage::pass(Point::BeforeReply);
        (self.settled)(Settled::Committed(&committed.committed));
        // Commit, then tell: an event for a message that then failed to commit could not be taken back.
        if !committed.is_empty() {
            let _ = self.told.blocking_send(committed);
        }
        Outcome::Committed
    }

    /// Refuses what comes until the disk takes something again.
    fn wait_for_space(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        tracing::error!("the disk is full: nothing is written until there is space, reading goes on");
        while *self.condition.borrow() == Condition::Full && self.queue.rest(batch, PROBE) {
            for job in batch.drain(..) {
                job.settle(Outcome::Full);
            }
            // A log that can be folded wholly into pages the database has already leaves space for the probe.
            self.wal.fold_beside();
            match probe(&mut self.connection) {
                Ok(()) => {
                    tracing::info!("the disk has space again: writing goes on");
                    self.condition.send_replace(Condition::Sound);
                }
                Err(error) => condition::note(&self.condition, &error),
            }
        }
        for job in batch.drain(..) {
            job.settle(Outcome::Full);
        }
    }
}

/// Writes something of the size of a large batch, and takes it away again.
fn probe(connection: &mut Connection) -> rusqlite::Result<()> {
    let mut write = |statement| {
        let sql = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        sql.execute(statement, [])?;
        sql.commit()
    };
    write("insert or replace into meta (name, value) values ('space', hex(zeroblob(131072)))")?;
    write("delete from meta where name = 'space'")
}

fn commit(
    connection: &mut Connection,
    batch: &mut Vec<Box<dyn Job>>,
    told: &Told,
) -> rusqlite::Result<Batch> {
    let sql = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut tx = Tx { sql, told: Vec::new(), kept: Vec::new(), now: 0, heads: Heads::default() };
    for job in batch.iter_mut() {
        job.run(&mut tx)?;
    }
    tx.heads.write(&tx.sql)?;
    hurry(batch, &mut tx.told, told);
    sabotage::pass(Point::BeforeCommit);
    tx.sql.commit()?;
    Ok(Batch { committed: tx.told, kept: tx.kept })
}

/// What must wait for the commit, done before it in a build that is to have such a bug; nothing in any other.
fn hurry(batch: &mut Vec<Box<dyn Job>>, committed: &mut Vec<Committed>, told: &Told) {
    if sabotage::has(Bug::PublishBeforeCommit) && !committed.is_empty() {
        let _ = told.blocking_send(Batch { committed: std::mem::take(committed), kept: Vec::new() });
    }
    if sabotage::has(Bug::ReplyBeforeCommit) {
        for job in batch.drain(..) {
            job.settle(Outcome::Committed);
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
