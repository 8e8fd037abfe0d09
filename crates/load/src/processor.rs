//! Which processor a process may use.

use anyhow::{Context, Result};
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

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

/// Whether a processor could be used by this process when it was first asked: since then it may keep to one itself.
pub fn is_there(processor: usize) -> bool {
    static ALLOWED: OnceLock<CpuSet> = OnceLock::new();
    let allowed = ALLOWED.get_or_init(|| sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new()));
    processor < CpuSet::MAX_CPU && allowed.is_set(processor)
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

/// Lets this thread run as soon as it is woken, whoever else wants its processor: what it measures is then not how long
/// it waited itself. Whether the system allows that; Linux does to whoever has `CAP_SYS_NICE`, and has `chrt` (util-linux).
pub fn keep_time() -> bool {
    let thread = gettid().as_raw_nonzero().to_string();
    let mut asking = Command::new("chrt");
    asking
        .args(["--fifo", "--pid", "10", &thread])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    asking.status().is_ok_and(|status| status.success())
}

fn stay_on(processor: usize) -> Result<()> {
    let mut set = CpuSet::new();
    if processor < CpuSet::MAX_CPU {
        set.set(processor);
    }
    sched_setaffinity(None, &set).with_context(|| format!("processor {processor} cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_keeps_to_one_processor_still_finds_one_for_the_next_server() {
        let there: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| is_there(*processor)).collect();
        let (first, last) = (there[0], there[there.len() - 1]);
        Pins { server: first, load: last }.start_apart(|| Ok(())).expect("both are there");
        assert!(there.iter().all(|processor| is_there(*processor)));
    }
}
