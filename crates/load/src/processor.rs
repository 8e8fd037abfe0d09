//! Which processor a process may use.

use anyhow::{Context, Result};
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The processors of server and load: two, so that one does not take time from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pins {
    /// The server's processor.
    pub server: usize,
    /// The load's processor.
    pub load: usize,
}

impl Pins {
    /// Runs `start` so that the processes it starts stay on the server's processor. Keeps this thread on the load's.
    ///
    /// # Errors
    /// When there is no such processor, or `start` fails.
    pub fn start_apart<T>(self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        // A child inherits the processor, and so do the threads that it starts: at no moment does one run elsewhere.
        stay_on(self.server)?;
        let started = start();
        stay_on(self.load)?;
        started
    }
}

/// Whether this process could use a processor when that was first asked. It may keep to one itself since.
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
    // For this thread alone, by the kernel's own priorities.
    setpriority_process(None, LAST).context("this thread cannot give way to others")
}

/// Lets this thread run as soon as it wakes, before any other that wants its processor. Then the times that it
/// measures do not hold its own waiting. Returns whether the system allows that. Linux allows it to a process with
/// `CAP_SYS_NICE`, and `chrt` (util-linux) is needed.
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
