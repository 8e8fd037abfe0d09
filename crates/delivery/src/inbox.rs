//! The queue into a shard.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::Waker;

use crate::job::Job;

/// A buffer for more jobs than this gives its memory back.
const KEPT: usize = 4096;

/// Orders for one shard. Not bounded: a caller that publishes bounds how far it runs ahead.
pub(crate) struct Inbox {
    waiting: Mutex<Waiting>,
    /// The shard sleeps, or is about to. The next job wakes it, and no further one.
    asleep: AtomicBool,
    waker: Waker,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// The shard has stopped and takes no more.
    shut: bool,
}

impl Inbox {
    pub(crate) fn new(waker: Waker) -> Inbox {
        Inbox { waiting: Mutex::default(), asleep: AtomicBool::new(false), waker }
    }

    /// Queues a job; gives it back if the shard has stopped.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        {
            let mut waiting = self.lock();
            if waiting.shut {
                return Err(job);
            }
            waiting.jobs.push_back(job);
        }
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Ok(())
    }

    /// Queues jobs in one go. If the shard has stopped, leaves them in `jobs`.
    pub(crate) fn push_all(&self, jobs: &mut Vec<Job>) {
        {
            let mut waiting = self.lock();
            if waiting.shut {
                return;
            }
            waiting.jobs.extend(jobs.drain(..));
        }
        if self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Moves the jobs that wait into `jobs`, which must be empty.
    pub(crate) fn take(&self, jobs: &mut VecDeque<Job>) {
        if jobs.capacity() > KEPT {
            *jobs = VecDeque::new();
        }
        mem::swap(&mut self.lock().jobs, jobs);
    }

    /// Announces that the shard is about to sleep; `false` if a job waits and the shard must not sleep.
    pub(crate) fn lie_down(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        // The lock makes any push that did not see the flag come before this look.
        let quiet = self.lock().jobs.is_empty();
        if !quiet {
            self.get_up();
        }
        quiet
    }

    pub(crate) fn get_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Takes the last jobs, and lets no more in.
    pub(crate) fn shut(&self) -> VecDeque<Job> {
        let mut waiting = self.lock();
        waiting.shut = true;
        mem::take(&mut waiting.jobs)
    }

    fn wake(&self) {
        // The waker fails only in two harmless cases: its counter is full, so the shard wakes already; or the shard
        // is gone.
        let _: io::Result<()> = self.waker.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
