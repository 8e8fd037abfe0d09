//! Work for a lane: what a command comes to, and when it may start.

use delivery::Frame;
use std::future::Future;
use std::pin::Pin;

/// Work under way. It ends with the reply to hand over; with none where the work has answered by itself.
pub(crate) type Work = Pin<Box<dyn Future<Output = Option<Frame>> + Send>>;
pub(super) type Held = Pin<Box<dyn Future<Output = Work> + Send>>;
pub(super) type Start = Box<dyn FnOnce() -> Started + Send>;

/// What comes of starting work.
pub(crate) enum Started {
    /// The work is under way.
    Now(Work),
    /// The work has to wait for something before it is under way, and the work behind it waits, too.
    Held(Held),
}

/// When a command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Beside others: as soon as all work before it that has a turn of its own is done.
    Beside,
    /// In a turn of its own: when all work before it is done. No work behind it starts until this is done.
    Own,
}

impl Started {
    /// Work that need not wait.
    pub(crate) fn now(work: impl Future<Output = Option<Frame>> + Send + 'static) -> Self {
        Self::Now(Box::pin(work))
    }

    /// Work that starts with what `until` ends with.
    #[allow(
        clippy::async_yields_async,
        reason = "the lane awaits the work later, after starting what is behind it"
    )]
    pub(crate) fn held<T>(
        until: impl Future<Output = T> + Send + 'static,
        start: impl FnOnce(T) -> Work + Send + 'static,
    ) -> Self
    where
        T: Send,
    {
        Self::Held(Box::pin(async move { start(until.await) }))
    }

    pub(super) const fn is_held(&self) -> bool {
        match self {
            Self::Now(_) => false,
            Self::Held(_) => true,
        }
    }
}
