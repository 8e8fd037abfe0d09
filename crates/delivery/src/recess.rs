//! The recess of a shard that always has something to do.

use std::thread;
use std::time::{Duration, Instant};

/// Longest time without a recess.
const STINT: Duration = Duration::from_micros(300);
/// How long one is. The kernel makes up to 50 µs more of it. A sleep of next to nothing is over before the thread has left
/// its processor, and helps nobody.
const RECESS: Duration = Duration::from_micros(20);

/// When a shard last left its processor to others.
///
/// A thread that never sleeps keeps its processor for several milliseconds, whoever wakes meanwhile: neither are threads of
/// the kernel let in before, nor does `sched_yield` do more than let in those of the same control group. A commit needs the
/// processor again and again, at last for the kernel's thread that flushes the disk, so every post would wait for that, in
/// every room of the server.
pub(crate) struct Recess {
    last: Instant,
}

impl Recess {
    pub(crate) fn new() -> Recess {
        Recess { last: Instant::now() }
    }

    /// Takes note that the shard has waited since `began`. Was that too short to count, and the last one long ago, there is
    /// one now.
    pub(crate) fn after_wait(&mut self, began: Instant) {
        let now = Instant::now();
        if now - began >= RECESS {
            self.last = now;
        } else if now - self.last >= STINT {
            thread::sleep(RECESS);
            self.last = Instant::now();
        }
    }
}
