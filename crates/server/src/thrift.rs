//! When memory that was freed is given back to the system.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// A server is calm while it uses less than one part in so many of a processor.
const LITTLE: u32 = 10;
/// Giving back is worth while after so much processor time since the last time: a server that did nothing has freed
/// nothing.
const WORTH: Duration = Duration::from_millis(500);

/// Gives back the memory that many connections freed when they came, or went. It waits until the server is calm, because the
/// allocator makes every other thread wait meanwhile.
#[derive(Debug)]
pub struct Thrift {
    looked_at: Instant,
    /// Processor time of the process when it was looked at.
    used: Duration,
    /// Processor time of the process when memory was last given back.
    given_back: Duration,
}

impl Thrift {
    /// Begins to look. The time until now does not count as calm.
    pub fn new() -> Self {
        let used = used();
        Self { looked_at: Instant::now(), used, given_back: used }
    }

    /// Looks whether the server was calm since the last look, and gives memory back if that is worth while.
    pub async fn look(&mut self) {
        if self.is_time(Instant::now(), used()) {
            // A panic there would be the allocator's, and ends the process.
            let _ = tokio::task::spawn_blocking(give_back).await;
        }
    }

    fn is_time(&mut self, now: Instant, used: Duration) -> bool {
        let calm = used.saturating_sub(self.used) * LITTLE < now - self.looked_at;
        (self.looked_at, self.used) = (now, used);
        let is_time = calm && used.saturating_sub(self.given_back) >= WORTH;
        if is_time {
            self.given_back = used;
        }
        is_time
    }
}

fn give_back() {
    let began = Instant::now();
    let some = heap::give_back();
    tracing::debug!(some, us = began.elapsed().as_micros() as u64, "memory that was freed was given back");
}

/// Processor time of the process so far.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every 20 s at a server that used these milliseconds since the time before.
    fn looks(used: &[u64]) -> Vec<bool> {
        let (mut now, mut sum) = (Instant::now(), Duration::ZERO);
        let mut thrift = Thrift { looked_at: now, used: sum, given_back: Duration::ZERO };
        let look = |used: &u64| {
            now += Duration::from_secs(20);
            sum += Duration::from_millis(*used);
            thrift.is_time(now, sum)
        };
        used.iter().map(look).collect()
    }

    #[test]
    fn memory_is_given_back_once_after_a_rush_and_not_during_it() {
        assert_eq!(looks(&[5_000, 9_000, 100, 100, 100]), [false, false, true, false, false]);
    }

    #[test]
    fn who_does_next_to_nothing_is_left_alone() {
        assert_eq!(looks(&[200, 200, 99, 2]), [false, false, false, true]);
    }
}
