//! What a shard knows of a drain: close frames to all of its connections, spread over a while.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::key::ConnId;

/// Makes the reason of each close frame anew.
pub(crate) type Reason = Arc<dyn Fn() -> String + Send + Sync>;

/// Close frames to all connections, one after the other, so that the clients do not all come back at once.
pub(crate) struct Drain {
    pub(crate) code: u16,
    pub(crate) reason: Reason,
    pub(crate) since: u64,
    /// Milliseconds over which the close frames are spread.
    over: u64,
    pub(crate) everybody: Vec<ConnId>,
    pub(crate) told: usize,
    /// Dropped when all connections are gone.
    pub(crate) gone: Option<Sender<()>>,
}

impl Drain {
    pub(crate) fn new(code: u16, reason: Reason, over: Duration, gone: Sender<()>) -> Drain {
        let over = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        Drain { code, reason, since: 0, over, everybody: Vec::new(), told: 0, gone: Some(gone) }
    }

    /// How long until the next close frame is due; `None` when all have been queued.
    pub(crate) fn due_in(&self, now: u64) -> Option<Duration> {
        let everybody = self.everybody.len() as u64;
        let next = self.since + self.over * self.told as u64 / everybody.max(1);
        (self.told < self.everybody.len()).then(|| Duration::from_millis(next.saturating_sub(now)))
    }

    /// How many close frames should have been queued by now.
    pub(crate) fn due(&self, now: u64) -> usize {
        let (everybody, passed) = (self.everybody.len() as u64, now - self.since);
        if passed >= self.over { self.everybody.len() } else { (1 + everybody * passed / self.over) as usize }
    }
}
