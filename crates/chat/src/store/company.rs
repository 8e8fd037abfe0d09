//! How long the writer waits for company.

use std::time::Duration;

/// The most that a batch waits for more.
const LONGEST: Duration = Duration::from_millis(1);

/// How the last batch went.
#[derive(Default)]
pub(super) struct Company {
    /// How many jobs it had.
    pub(super) jobs: usize,
    /// What it took to commit them.
    pub(super) commit: Duration,
}

impl Company {
    /// Whoever was answered by the last batch is likely to ask again at once: waiting for half of them, for a part of
    /// what a commit takes anyway, saves a whole one. For half, so that the others ask while this batch is committed:
    /// waiting for all leaves the writer idle in between. After a batch of one nobody is waited for.
    pub(super) fn wanted(&self) -> usize {
        self.jobs.div_ceil(2)
    }

    /// How long to wait for them.
    pub(super) fn patience(&self) -> Duration {
        (self.commit / 2).min(LONGEST)
    }
}
