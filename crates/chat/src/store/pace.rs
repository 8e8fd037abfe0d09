//! How long the writer waits for company.

use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The most that a batch waits for more.
const LONGEST: Duration = Duration::from_millis(1);
/// How often it looks meanwhile.
const GLANCE: Duration = Duration::from_micros(50);

/// How the last batch went.
#[derive(Default)]
pub(super) struct Pace {
    /// How many jobs it had.
    pub(super) jobs: usize,
    /// What it took to commit them.
    pub(super) commit: Duration,
}

impl Pace {
    /// Whoever was answered by the last batch is likely to ask again at once: waiting for half of them, for a part of
    /// what a commit takes anyway, saves a whole one. For half, so that the others ask while this batch is committed:
    /// waiting for all leaves the writer idle in between. After a batch of one nobody is waited for.
    pub(super) fn gather<T>(&self, jobs: &mut mpsc::Receiver<T>, batch: &mut Vec<T>, most: usize) {
        let until = Instant::now() + (self.commit / 2).min(LONGEST);
        while batch.len() * 2 < self.jobs && Instant::now() < until {
            std::thread::sleep(GLANCE);
            while batch.len() < most
                && let Ok(job) = jobs.try_recv()
            {
                batch.push(job);
            }
        }
    }
}
