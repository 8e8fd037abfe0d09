//! Which rooms have moved since somebody asked.

use crate::stream::{Committed, RoomKey};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The most rooms that are remembered one by one.
const ROOMS: usize = 4096;

/// Notes which rooms move, so that nobody has to look through all rooms for the few with news.
pub(crate) struct News {
    inner: Mutex<Inner>,
    /// Rung when there are news after there were none, and at the end.
    bell: Notify,
}

struct Inner {
    moved: Moved,
    closed: bool,
}

/// Rooms that have moved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// These and no others.
    Rooms(HashSet<RoomKey>),
    /// Any room may have: there were too many to remember, or nobody knows what was committed.
    Any,
}

impl News {
    /// At the start any room may have moved.
    pub(crate) fn new() -> Self {
        Self { inner: Mutex::new(Inner { moved: Moved::Any, closed: false }), bell: Notify::new() }
    }

    /// Takes note of what was committed.
    pub(crate) fn committed(&self, committed: &[Committed]) {
        let rooms = committed.iter().filter_map(|committed| match committed {
            Committed::Event { room, .. } => Some(*room),
            Committed::Joined { .. }
            | Committed::Left { .. }
            | Committed::Personal { .. }
            | Committed::SessionEnded { .. } => None,
        });
        self.change(|moved| {
            if let Moved::Rooms(known) = moved {
                known.extend(rooms);
                if known.len() > ROOMS {
                    *moved = Moved::Any;
                }
            }
        });
    }

    /// Takes note that any room may have moved.
    pub(crate) fn any(&self) {
        self.change(|moved| *moved = Moved::Any);
    }

    /// Takes what was noted since the last time.
    pub(crate) fn take(&self) -> Moved {
        std::mem::replace(&mut self.lock().moved, Moved::Rooms(HashSet::new()))
    }

    /// Comes back when there is something to take, and at the end.
    pub(crate) async fn arrived(&self) {
        while !self.has_some() && !self.is_closed() {
            self.bell.notified().await;
        }
    }

    /// Says that no more is coming: the database closes.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn has_some(&self) -> bool {
        self.lock().moved.has_some()
    }

    fn change(&self, change: impl FnOnce(&mut Moved)) {
        let mut inner = self.lock();
        let had_some = inner.moved.has_some();
        change(&mut inner.moved);
        let ring = !had_some && inner.moved.has_some();
        drop(inner);
        if ring {
            self.bell.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moved {
    fn has_some(&self) -> bool {
        match self {
            Self::Rooms(rooms) => !rooms.is_empty(),
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::accounts::nobody;
    use protocol::{Event, EventKind, RoomId};

    fn event(room: i64) -> Committed {
        let kind = EventKind::MessageDeleted { target: 1, rev: 1 };
        let id = RoomId::new(uuid::Uuid::nil());
        Committed::Event { room: RoomKey(room), event: Event { room: id, seq: 1, at: 0, by: nobody(), kind } }
    }

    #[test]
    fn rooms_are_remembered_until_there_are_too_many() {
        let news = News::new();
        assert_eq!(news.take(), Moved::Any);
        news.committed(&[event(7), event(8), event(7)]);
        assert_eq!(news.take(), Moved::Rooms([RoomKey(7), RoomKey(8)].into()));
        assert_eq!(news.take(), Moved::Rooms(HashSet::new()));
        let many: Vec<_> = (0..=ROOMS as i64).map(event).collect();
        news.committed(&many);
        assert_eq!(news.take(), Moved::Any);
        news.committed(&[event(7)]);
        news.any();
        assert_eq!(news.take(), Moved::Any);
    }

    #[tokio::test]
    async fn whoever_waits_hears_of_news_and_of_the_end() {
        let news = News::new();
        news.arrived().await;
        news.take();
        // What is joined is begun in this order: somebody waits before there is anything.
        tokio::join!(news.arrived(), async { news.committed(&[event(7)]) });
        assert_eq!(news.take(), Moved::Rooms([RoomKey(7)].into()));
        tokio::join!(news.arrived(), async { news.close() });
        assert!(news.is_closed());
    }
}
