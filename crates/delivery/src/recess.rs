//! Gives up the processor now and then, on a shard that always has something to do.

use std::thread;
use std::time::{Duration, Instant};

/// The longest time without a recess.
const STINT: Duration = Duration::from_micros(300);
/// How long a recess is. The kernel adds up to 50 µs. A sleep that is much shorter is over before the thread has left
/// its processor.
const RECESS: Duration = Duration::from_micros(20);

/// Remembers when a shard last left its processor to other threads.
///
/// A thread that never sleeps keeps its processor for several milliseconds, whichever thread wakes meanwhile. Threads
/// of the kernel are not let in before that, and `sched_yield` lets in only threads of the same control group. A
/// commit needs the processor several times, at last for the kernel's thread that flushes the disk. Without a recess
/// every post, in every room of the server, would wait for that.
pub(crate) struct Recess {
    last: Instant,
}

impl Recess {
    pub(crate) fn new() -> Recess {
        Recess { last: Instant::now() }
    }

    /// Notes that the shard has waited for events since `began`. If that wait was too short to count, and the last
    /// recess is long ago, the shard takes one now.
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
