//! The memory of a process while something else is measured.

use crate::usage::Memory;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The pause between two looks: long enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(250);

/// Looks at a process until it is stopped.
pub struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(f64, u64)>>,
}

impl Watch {
    /// Begins to look at process `pid`. Without one it looks at nothing.
    pub fn begin(pid: Option<u32>) -> Self {
        let over = Arc::new(AtomicBool::new(pid.is_none()));
        let until = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let (began, mut seen) = (Instant::now(), Vec::new());
            while !until.load(Ordering::Relaxed) {
                let rss = pid.map_or(0, Memory::resident);
                seen.push((began.elapsed().as_secs_f64(), rss));
                thread::park_timeout(PAUSE);
            }
            seen
        });
        Self { over, thread }
    }

    /// Stops. Seconds and resident bytes.
    pub fn end(self) -> Vec<(f64, u64)> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_default()
    }
}
