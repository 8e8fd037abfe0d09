//! The one thread that writes: gathers what waits into a transaction, commits, tells, answers.

use super::company::Company;
use super::condition::{self, Condition};
use super::engine::{Engine, Recovered};
use super::opening::OpenError;
use super::queue::{Queue, Refused};
use super::run::{Post, Rest};
use super::tx::{OnSettled, Settled, Tx};
use crate::error::{Error, Result};
use crate::sql::{Sql, SqlError, SqlResult, params};
use crate::stream::{Batch, Committed, Kept};
use sabotage::{Bug, Point};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Jobs that may wait; beyond it the answer is `overloaded`.
const QUEUE: usize = 4096;
/// Jobs in one transaction: the sync at its end costs the same for one as for all.
const BATCH: usize = 512;

/// How often a full disk, or a database that is away, is tried.
const PROBE: Duration = Duration::from_secs(1);

type Told = mpsc::Sender<Batch>;

/// One piece of work in a batch.
trait Job: Send {
    /// What it is going to ask for, if it is a post that is done among others.
    fn post(&self) -> Option<&Post>;
    /// Does the work. An error fails the whole batch; what else came of it is kept for [`Job::settle`].
    fn run(&mut self, tx: &mut Tx<'_>) -> SqlResult<()>;
    /// Answers.
    fn settle(self: Box<Self>, outcome: Outcome);
}

/// What came of a batch.
#[derive(Clone, Copy)]
enum Outcome {
    Committed,
    /// Nobody knows what of it is on the disk.
    Unknown,
    /// It was not begun, or is undone, for the disk is full.
    Full,
    /// It was not begun, or is undone, for the database is away.
    Away,
}

/// How a job is done.
pub(super) enum Manner {
    /// Under a savepoint: a refusal undoes what it did.
    Alone,
    /// Among other posts: its refusals have changed nothing and its SQL cannot fail by its input.
    Among(Post),
}

struct Work<T, F> {
    work: Option<F>,
    answer: Option<Result<T>>,
    to: oneshot::Sender<Result<T>>,
    manner: Manner,
    kept: Option<Kept>,
}

impl<T: Send, F: FnOnce(&mut Tx<'_>) -> Result<T> + Send> Job for Work<T, F> {
    fn post(&self) -> Option<&Post> {
        match &self.manner {
            Manner::Among(post) => Some(post),
            Manner::Alone => None,
        }
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> SqlResult<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        tx.kept.extend(self.kept.take());
        let told = tx.told.len();
        let is_alone = matches!(self.manner, Manner::Alone);
        if is_alone {
            // Only posts know of heads that are not written yet.
            tx.heads.write(tx.sql)?;
            tx.sql.run("savepoint work", params![])?;
        }
        let answer = match work(tx) {
            // Without a savepoint what it did cannot be undone alone, and a broken disk is everybody's business.
            Err(Error::Store(error)) if !is_alone || condition::is_of_the_database(&error) => {
                return Err(error);
            }
            answer => answer,
        };
        if is_alone {
            if answer.is_ok() {
                tx.heads.write(tx.sql)?;
                tx.sql.run("release work", params![])?;
            } else {
                tx.heads.forget();
                tx.sql.script("rollback to work; release work")?;
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
            Outcome::Away => Err(Error::Away),
        };
        // Whoever asked may be gone; what was committed stays.
        let _ = self.to.send(answer);
    }
}

pub(super) struct Writer {
    queue: Arc<Queue<Box<dyn Job>>>,
    told: Told,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopping: Arc<AtomicBool>,
    condition: watch::Sender<Condition>,
}

impl Writer {
    /// Starts the thread that writes to what `open` opens. Beside the engine `open` gives the threads that it has started,
    /// which end once the flag is set and they are unparked.
    pub(super) fn start(
        told: Told,
        settled: OnSettled,
        open: impl FnOnce(
            Arc<AtomicBool>,
            watch::Sender<Condition>,
        ) -> std::result::Result<(Engine, Vec<JoinHandle<()>>), OpenError>,
    ) -> std::result::Result<Self, OpenError> {
        let queue = Arc::new(Queue::new(QUEUE));
        let stopping = Arc::new(AtomicBool::new(false));
        let condition = watch::Sender::new(Condition::Sound);
        let (engine, mut threads) = open(Arc::clone(&stopping), condition.clone())?;
        let writing = Writing {
            engine,
            queue: Arc::clone(&queue),
            told: told.clone(),
            settled,
            condition: condition.clone(),
            doubtful: None,
        };
        threads.push(std::thread::Builder::new().name("writer".into()).spawn(move || writing.run())?);
        Ok(Self { queue, told, threads: Mutex::new(threads), stopping, condition })
    }

    pub(super) fn submit<T: Send + 'static>(
        &self,
        manner: Manner,
        kept: Option<Kept>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        if let Some(refusal) = self.condition.borrow().refusal() {
            return Err(refusal);
        }
        let (to, answer) = oneshot::channel();
        let job = Box::new(Work { work: Some(work), answer: None, to, manner, kept });
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
    engine: Engine,
    queue: Arc<Queue<Box<dyn Job>>>,
    told: Told,
    settled: OnSettled,
    condition: watch::Sender<Condition>,
    /// What was being committed when the connection was lost: nobody knows yet whether it was.
    doubtful: Option<Batch>,
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
            if !self.mends(&mut batch) {
                break;
            }
        }
        let is_broken = matches!(*self.condition.borrow(), Condition::Broken(_));
        self.engine.end(is_broken);
    }

    /// Waits until the database takes something, if it does not. False when it never will, or the queue is closed.
    fn mends(&mut self, batch: &mut Vec<Box<dyn Job>>) -> bool {
        // A database that comes back may be full, and one that is full may go away.
        loop {
            let condition = self.condition.borrow().clone();
            let outcome = match condition {
                Condition::Sound => {
                    self.engine.tend();
                    return true;
                }
                Condition::Full => {
                    tracing::error!(
                        "the disk is full: nothing is written until there is space, reading goes on"
                    );
                    Outcome::Full
                }
                Condition::Away => {
                    tracing::error!("the database is away: nothing is written until it is back");
                    Outcome::Away
                }
                Condition::Broken(_) => return false,
            };
            if !self.wait(batch, &condition, outcome) {
                return false;
            }
        }
    }

    /// Commits a batch and tells what came of it.
    fn write(&mut self, batch: &mut Vec<Box<dyn Job>>) -> Outcome {
        let jobs = batch.len();
        let done = self.engine.begin().and_then(|sql| work(sql, batch, &self.told));
        let (committed, rest) = match done {
            Ok(done) => done,
            Err(error) => return self.failed(&error, jobs, None),
        };
        sabotage::pass(Point::BeforeCommit);
        match self.engine.commit(rest) {
            Ok(()) => {
                sabotage::pass(Point::BeforeReply);
                self.tell(committed);
                Outcome::Committed
            }
            Err(error) => self.failed(&error, jobs, Some(committed)),
        }
    }

    /// Commit, then tell: an event for a message that then failed to commit could not be taken back.
    fn tell(&self, batch: Batch) {
        (self.settled)(Settled::Committed(&batch.committed));
        if !batch.is_empty() {
            let _ = self.told.blocking_send(batch);
        }
    }

    /// Takes note of how a batch failed: before its commit, or with what it was to commit.
    fn failed(&mut self, error: &SqlError, jobs: usize, committing: Option<Batch>) -> Outcome {
        self.engine.rollback();
        condition::note(&self.condition, error);
        (self.settled)(Settled::Unknown);
        if error.is_lost() {
            self.engine.give_up();
            if committing.is_none() {
                tracing::warn!(%error, jobs, "the database went away before a batch was committed, and has nothing of it");
                return Outcome::Away;
            }
            self.doubtful = committing;
        }
        tracing::error!(%error, jobs, "a batch failed and is unknown to those who asked");
        Outcome::Unknown
    }

    /// Refuses what comes until the condition is another one. False when the queue is closed.
    fn wait(&mut self, batch: &mut Vec<Box<dyn Job>>, why: &Condition, outcome: Outcome) -> bool {
        let mut known = String::new();
        while *self.condition.borrow() == *why {
            let is_open = self.queue.rest(batch, PROBE);
            for job in batch.drain(..) {
                job.settle(outcome);
            }
            if !is_open {
                return false;
            }
            match self.engine.recover() {
                Ok(Recovered::AsItWas) => self.go_on(),
                Ok(Recovered::Another) => {
                    let what =
                        "another database stands in its place: one that was restored, copied or took over";
                    self.condition.send_replace(Condition::Broken(what.to_owned()));
                }
                Err(error) => {
                    condition::note(&self.condition, &error);
                    let why = error.to_string();
                    if why != known {
                        tracing::warn!(%error, "the database still takes nothing");
                        known = why;
                    }
                }
            }
        }
        true
    }

    /// Writes again, after it is clear what became of the batch that was being committed.
    fn go_on(&mut self) {
        match self.resolve() {
            Ok(()) => {
                tracing::info!("the database takes something again: writing goes on");
                self.condition.send_replace(Condition::Sound);
            }
            Err(error) => {
                if error.is_lost() {
                    self.engine.give_up();
                }
                condition::note(&self.condition, &error);
            }
        }
    }

    /// Finds out whether what was being committed when the connection was lost is there, and tells it if it is. Nobody else
    /// can have written meanwhile.
    fn resolve(&mut self) -> SqlResult<()> {
        let Some(batch) = self.doubtful.take() else { return Ok(()) };
        match self.engine.has(&batch.committed) {
            Ok(true) => self.tell(batch),
            Ok(false) => {}
            Err(error) => {
                self.doubtful = Some(batch);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Does all jobs of a batch in the transaction that has begun, but for what is to be written with its commit.
fn work(sql: Sql<'_>, batch: &mut Vec<Box<dyn Job>>, told: &Told) -> SqlResult<(Batch, Rest)> {
    let mut tx = Tx::new(sql);
    let mut foreseen = 0;
    for at in 0..batch.len() {
        if let Sql::Postgres(session) = sql
            && at >= foreseen
        {
            let posts: Vec<&Post> = batch[at..].iter().map_while(|job| job.post()).collect();
            if !posts.is_empty() {
                foreseen = at + posts.len();
                tx.heads.foresee(session, &posts)?;
            }
        }
        batch[at].run(&mut tx)?;
    }
    let rest = tx.heads.rest(sql)?;
    hurry(batch, &mut tx.told, told);
    Ok((Batch { committed: tx.told, kept: tx.kept }, rest))
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
