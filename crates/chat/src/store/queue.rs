//! The queue into the writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Jobs that wait for the writer, at most so many.
pub(super) struct Queue<T> {
    inner: Mutex<Inner<T>>,
    /// Rung when as many wait as the writer waits for.
    bell: Condvar,
    most: usize,
}

struct Inner<T> {
    jobs: Vec<T>,
    /// How many the writer sleeps for; 0 while it works.
    wanted: usize,
    closed: bool,
}

/// Why a job was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize) -> Self {
        let inner = Inner { jobs: Vec::new(), wanted: 0, closed: false };
        Self { inner: Mutex::new(inner), bell: Condvar::new(), most }
    }

    pub(super) fn push(&self, job: T) -> Result<(), Refused> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(Refused::Closed);
        }
        if inner.jobs.len() >= self.most {
            return Err(Refused::Full);
        }
        inner.jobs.push(job);
        let ring = inner.wanted > 0 && inner.jobs.len() >= inner.wanted;
        if ring {
            inner.wanted = 0;
        }
        drop(inner);
        if ring {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Waits for a job, and then up to `patience` until `company` wait; takes all into `batch`, at most `limit`. `false`
    /// when the queue is closed and nothing waits any more.
    pub(super) fn take(&self, batch: &mut Vec<T>, limit: usize, company: usize, patience: Duration) -> bool {
        let mut inner = self.lock();
        while inner.jobs.is_empty() {
            if inner.closed {
                return false;
            }
            inner.wanted = 1;
            inner = self.bell.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + patience;
        while inner.jobs.len() < company.min(limit) && !inner.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner.wanted = company.min(limit);
            inner = self.bell.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.wanted = 0;
        let taken = inner.jobs.len().min(limit);
        batch.extend(inner.jobs.drain(..taken));
        true
    }

    /// Waits for a job, no longer than `time`; takes all into `batch`. `false` when the queue is closed.
    pub(super) fn rest(&self, batch: &mut Vec<T>, time: Duration) -> bool {
        let mut inner = self.lock();
        if inner.jobs.is_empty() && !inner.closed {
            inner.wanted = 1;
            inner = self.bell.wait_timeout(inner, time).unwrap_or_else(PoisonError::into_inner).0;
            inner.wanted = 0;
        }
        batch.append(&mut inner.jobs);
        !inner.closed
    }

    /// Takes no more; what waits is still done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    /// The writer is gone: whoever waits is told by the loss of their job.
    pub(super) fn abandon(&self) {
        let jobs = {
            let mut inner = self.lock();
            inner.closed = true;
            std::mem::take(&mut inner.jobs)
        };
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_full_queue_refuses_and_a_closed_one_still_gives_what_it_holds() {
        let queue = Queue::new(2);
        let mut batch = Vec::new();
        queue.push(1).unwrap();
        queue.push(2).unwrap();
        assert_eq!(queue.push(3), Err(Refused::Full));
        queue.close();
        assert_eq!(queue.push(3), Err(Refused::Closed));
        assert!(queue.take(&mut batch, 1, 1, Duration::ZERO));
        assert!(queue.take(&mut batch, 8, 8, LONG), "nobody is waited for who cannot come");
        assert!(!queue.take(&mut batch, 8, 1, LONG));
        assert_eq!(batch, [1, 2]);
    }

    #[test]
    fn a_batch_waits_for_company_but_not_for_ever() {
        let queue = Arc::new(Queue::new(64));
        let (mut batch, began) = (Vec::new(), Instant::now());
        queue.push(0).unwrap();
        assert!(queue.take(&mut batch, 64, 2, Duration::from_millis(1)));
        assert_eq!((batch.as_slice(), began.elapsed() >= Duration::from_millis(1)), (&[0][..], true));
        let pushing = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || (1..=4).for_each(|job| queue.push(job).unwrap()))
        };
        batch.clear();
        assert!(queue.take(&mut batch, 64, 4, LONG));
        pushing.join().unwrap();
        assert_eq!(batch, [1, 2, 3, 4]);
    }
}
