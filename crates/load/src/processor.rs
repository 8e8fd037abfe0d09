//! Which processor a process may use.

use anyhow::{Context, Result};
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where the server runs and where the load: apart, so that one does not pay for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pins {
    /// The server's processor.
    pub server: usize,
    /// The load's processor.
    pub load: usize,
}

impl Pins {
    /// Does `start` so that what it starts stays on the server's processor, and keeps this thread on the load's.
    ///
    /// # Errors
    /// When there is no such processor, or `start` fails.
    pub fn start_apart<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        // A child inherits it, and so do the threads it will start: there is no moment at which one runs elsewhere.
        stay_on(self.server)?;
        let started = start();
        stay_on(self.load)?;
        started
    }
}

/// Whether a processor may be used by this process.
pub fn is_there(processor: usize) -> bool {
    processor < CpuSet::MAX_CPU && sched_getaffinity(None).is_ok_and(|set| set.is_set(processor))
}

/// Lets this thread, and those it will start, run only when nothing else wants the processor.
///
/// # Errors
/// When the kernel does not let it.
pub fn give_way() -> Result<()> {
    const LAST: i32 = 19;
    // Of a thread alone, by the kernel's own account of priorities.
    setpriority_process(None, LAST).context("this thread cannot give way to others")
}

fn stay_on(processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    if processor < CpuSet::MAX_CPU {
        set.set(processor);
    }
    sched_setaffinity(None, &set).with_context(|| format!("processor {processor} cannot be used"))
}
