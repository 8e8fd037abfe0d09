//! The rest of a shard that always has something to send.

use std::thread;
use std::time::{Duration, Instant};

/// Longest time without a rest.
const STINT: Duration = Duration::from_micros(300);
/// How long to rest. The kernel makes up to 50 µs more of it. A rest of next to nothing is over before the thread has left
/// its processor, and helps nobody.
const REST: Duration = Duration::from_micros(20);

/// When a shard last left its processor to others.
///
/// A thread that never sleeps keeps its processor for several milliseconds, whoever wakes meanwhile: neither are threads of
/// the kernel let in before, nor does `sched_yield` do more than let in those of the same control group. A commit needs the
/// processor again and again, at last for the kernel's thread that flushes the disk, so every post would wait for that, in
/// every room of the server.
pub(crate) struct Rest {
    last: Instant,
}

impl Rest {
    pub(crate) fn new() -> Rest {
        Rest { last: Instant::now() }
    }

    /// Rests if it is time to.
    pub(crate) fn take(&mut self) {
        if self.last.elapsed() >= STINT {
            thread::sleep(REST);
            self.taken();
        }
    }

    /// The shard has slept.
    pub(crate) fn taken(&mut self) {
        self.last = Instant::now();
    }
}
