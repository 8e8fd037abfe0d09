//! How long to wait before trying again.

use std::time::Duration;

/// Full jitter: the n-th wait is drawn evenly between nothing and `base` × 2ⁿ, never above `cap`.
///
/// Without the jitter all clients that one restart cut off would return in the same instant, again and again.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// Starts with waits of up to `base` that double up to `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, attempt: 0 }
    }

    /// The next wait. `random` lies in 0.0..1.0; it is an argument so that this type knows no randomness.
    pub fn next(&mut self, random: f64) -> Duration {
        let ceiling = self.base.saturating_mul(2_u32.saturating_pow(self.attempt)).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// Goes back to the shortest waits; called once a connection has proved to work.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn backoff() -> Backoff {
        Backoff::new(Duration::from_millis(500), Duration::from_secs(30))
    }

    #[test]
    fn the_ceiling_doubles_up_to_the_cap() {
        let mut backoff = backoff();
        let ceilings: Vec<u128> = (0..9).map(|_| backoff.next(1.0).as_millis()).collect();
        assert_eq!(ceilings, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    }

    #[test]
    fn the_wait_is_drawn_from_the_whole_range() {
        assert_eq!(backoff().next(0.0), Duration::ZERO);
        assert_eq!(backoff().next(0.5), Duration::from_millis(250));
    }

    #[test]
    fn a_connection_that_worked_starts_over() {
        let mut backoff = backoff();
        backoff.next(1.0);
        backoff.next(1.0);
        backoff.reset();
        assert_eq!(backoff.next(1.0), Duration::from_millis(500));
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = backoff();
        for _ in 0..1000 {
            assert!(backoff.next(1.0) <= Duration::from_secs(30));
        }
        backoff.attempt = u32::MAX;
        assert_eq!(backoff.next(1.0), Duration::from_secs(30));
        assert_eq!(backoff.attempt, u32::MAX);
    }

    #[test]
    fn a_random_number_out_of_range_does_no_harm() {
        assert_eq!(backoff().next(-1.0), Duration::ZERO);
        assert_eq!(backoff().next(7.0), Duration::from_millis(500));
    }
}
