//! Writing at the pace of the readers: who may write into a room now, who waits, and who comes back later.
//!
//! A room's load is the bytes of its events that are being written, and of its frames that some shard has not offered to
//! all its readers yet. Writes are admitted while the load is under half a tail. So a reader whose socket takes what it is
//! offered never falls off the tail, and no other room waits for a room that is loud. A write keeps its place in the load
//! until its event is published: see [`Chat::keeping`].

use chat::{Caller, Chat};
use delivery::Milestone;
use protocol::{Error, ErrorCode, RoomId};
use sabotage::Bug;
use serde_json::Map;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// The bytes that an event takes beside its text: the frame around it.
const FRAME: usize = 320;
/// After how long a client that found no place in the queue may try again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How much may be under way to a room's readers, and how many writes may wait.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes under way at which writes begin to wait.
    pub bytes: usize,
    /// Writes that may wait; beyond it the answer is `slow_down`.
    pub waiting: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: delivery::Options::default().tail_bytes / 2, waiting: 256 }
    }
}

/// Admits writes, room by room. A handle: clones share the rooms.
#[derive(Clone)]
pub struct Pacing {
    inner: Arc<Inner>,
}

struct Inner {
    bounds: Bounds,
    /// Rooms with something under way; the others cost nothing.
    rooms: Mutex<HashMap<RoomId, Load>>,
}

#[derive(Default)]
struct Load {
    bytes: usize,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    bytes: usize,
    admit: oneshot::Sender<UnderWay>,
}

/// Bytes on their way to a room's readers. They count until this is dropped.
pub struct UnderWay {
    inner: Arc<Inner>,
    room: RoomId,
    bytes: usize,
}

/// What becomes of a write.
pub enum Verdict {
    /// It may be written now. The value must be kept until it is.
    Admitted(UnderWay),
    /// It has a place in the room's queue, which is lost when the receiver is dropped.
    Waits(oneshot::Receiver<UnderWay>),
    /// The queue is full: come back later.
    Refused(Error),
}

impl Pacing {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { inner: Arc::new(Inner { bounds, rooms: Mutex::default() }) }
    }

    /// Asks for a write of so many bytes of text, by a user who may write into the room. Writes into a room are admitted in
    /// the order in which they asked.
    pub fn ask(&self, room: RoomId, text: usize) -> Verdict {
        let bytes = text + FRAME;
        let mut rooms = self.inner.rooms();
        let load = rooms.entry(room).or_default();
        if load.waiting.is_empty() && load.bytes < self.inner.bounds.bytes {
            load.bytes += bytes;
            return Verdict::Admitted(self.inner.under_way(room, bytes));
        }
        // A write that was given up takes no place.
        if load.waiting.len() >= self.inner.bounds.waiting {
            load.waiting.retain(|waiting| !waiting.admit.is_closed());
        }
        if load.waiting.len() >= self.inner.bounds.waiting && !sabotage::has(Bug::UnboundedQueue) {
            return Verdict::Refused(slow_down());
        }
        let (admit, admitted) = oneshot::channel();
        load.waiting.push_back(Waiting { bytes, admit });
        Verdict::Waits(admitted)
    }

    /// A chat by which a member may write so many bytes of text into a room, once the room's readers can follow. Somebody who
    /// is no member takes no place and waits for nothing: the write itself refuses them.
    ///
    /// # Errors
    /// `slow_down`.
    pub(crate) async fn member(
        &self,
        chat: &Chat,
        caller: &Caller,
        room: RoomId,
        text: usize,
    ) -> Result<Chat, Error> {
        match chat.membership(caller.key(), room).await {
            Ok(_) => self.admit(chat, room, text).await,
            Err(_) => Ok(chat.clone()),
        }
    }

    /// A chat by which somebody may become a member of an open room, once the room's readers can follow. Where nobody would
    /// become a member, nothing waits.
    ///
    /// # Errors
    /// `slow_down`.
    pub(crate) async fn joiner(&self, chat: &Chat, caller: &Caller, room: RoomId) -> Result<Chat, Error> {
        let joins = chat.may_join(caller, room).await.unwrap_or_default();
        self.newcomer(chat, Some(room).filter(|_| joins)).await
    }

    /// A chat by which somebody may become a member of a room that they are let into. Without a room nothing waits.
    ///
    /// # Errors
    /// `slow_down`.
    pub(crate) async fn newcomer(&self, chat: &Chat, room: Option<RoomId>) -> Result<Chat, Error> {
        match room {
            Some(room) => self.admit(chat, room, 0).await,
            None => Ok(chat.clone()),
        }
    }

    async fn admit(&self, chat: &Chat, room: RoomId, text: usize) -> Result<Chat, Error> {
        let under_way = match self.ask(room, text) {
            Verdict::Admitted(under_way) => Some(under_way),
            Verdict::Waits(admitted) => admitted.await.ok(),
            Verdict::Refused(error) => return Err(error),
        };
        Ok(keeping(chat, under_way))
    }

    /// Bytes published between two milestones. They are few, so that little is unknown to have passed; and enough, so that
    /// milestones cost nothing.
    pub(crate) fn stride(&self) -> usize {
        self.inner.bounds.bytes / 8
    }

    /// Counts bytes that were published, until the milestone behind them is passed.
    pub(crate) fn published(&self, room: RoomId, bytes: usize) -> Milestone {
        self.inner.rooms().entry(room).or_default().bytes += bytes;
        Arc::new(self.inner.under_way(room, bytes))
    }
}

impl Inner {
    fn under_way(self: &Arc<Self>, room: RoomId, bytes: usize) -> UnderWay {
        UnderWay { inner: Arc::clone(self), room, bytes }
    }

    /// Bytes are written or have passed: admits the writes whose turn it is.
    fn passed(self: &Arc<Self>, room: RoomId, bytes: usize) {
        let mut admitted = Vec::new();
        let mut rooms = self.rooms();
        let Some(load) = rooms.get_mut(&room) else { return };
        load.bytes = load.bytes.saturating_sub(bytes);
        while load.bytes < self.bounds.bytes
            && let Some(Waiting { bytes, admit }) = load.waiting.pop_front()
        {
            if !admit.is_closed() {
                load.bytes += bytes;
                admitted.push((admit, bytes));
            }
        }
        if load.bytes == 0 {
            rooms.remove(&room);
        }
        drop(rooms);
        for (admit, bytes) in admitted {
            // A write that was given up just now gives its bytes back, which takes the lock again.
            drop(admit.send(self.under_way(room, bytes)));
        }
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<RoomId, Load>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.inner.passed(self.room, self.bytes);
    }
}

/// A chat that writes what was admitted. The write's place in the load is kept until its event was published.
pub(crate) fn keeping(chat: &Chat, under_way: Option<UnderWay>) -> Chat {
    match under_way {
        Some(under_way) => chat.keeping(Arc::new(under_way)),
        None => chat.clone(),
    }
}

fn slow_down() -> Error {
    Error {
        code: ErrorCode::SlowDown,
        params: Map::new(),
        message: "This room is busier than its readers can follow: try again shortly.".to_owned(),
        retry_after_ms: u64::try_from(RETRY_AFTER.as_millis()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 2 * FRAME, waiting: 2 };

    fn lobby() -> RoomId {
        "0192f0c1-0001-7000-8000-000000000001".parse().expect("an id")
    }

    fn garden() -> RoomId {
        "0192f0c1-0001-7000-8000-000000000002".parse().expect("an id")
    }

    fn admitted(pacing: &Pacing, room: RoomId) -> UnderWay {
        match pacing.ask(room, 0) {
            Verdict::Admitted(post) => post,
            Verdict::Waits(_) | Verdict::Refused(_) => unreachable!("there is room"),
        }
    }

    fn waits(pacing: &Pacing, room: RoomId) -> oneshot::Receiver<UnderWay> {
        match pacing.ask(room, 0) {
            Verdict::Waits(waits) => waits,
            Verdict::Admitted(_) | Verdict::Refused(_) => {
                unreachable!("there is no room, but a place to wait")
            }
        }
    }

    #[test]
    fn posts_beyond_the_pace_wait_in_order_and_beyond_the_queue_come_back_later() {
        let pacing = Pacing::new(BOUNDS);
        let first = admitted(&pacing, lobby());
        let _second = admitted(&pacing, lobby());
        let (mut third, mut fourth) = (waits(&pacing, lobby()), waits(&pacing, lobby()));
        let Verdict::Refused(error) = pacing.ask(lobby(), 0) else { unreachable!("two wait already") };
        assert_eq!((error.code, error.retry_after_ms), (ErrorCode::SlowDown, Some(250)));
        let _elsewhere = admitted(&pacing, garden());

        drop(first);
        let third = third.try_recv().expect("its turn");
        assert!(fourth.try_recv().is_err());
        drop(third);
        fourth.try_recv().expect("its turn");
    }

    #[test]
    fn whoever_gives_up_waiting_holds_up_nobody() {
        let pacing = Pacing::new(BOUNDS);
        let (first, second) = (admitted(&pacing, lobby()), admitted(&pacing, lobby()));
        let gone = (waits(&pacing, lobby()), waits(&pacing, lobby()));
        drop(gone);
        let mut third = waits(&pacing, lobby());
        drop(first);
        third.try_recv().expect("its turn");
        drop(second);
        assert!(pacing.inner.rooms().is_empty(), "nothing is under way");
    }

    #[test]
    fn what_was_published_counts_until_its_milestone_is_passed() {
        let pacing = Pacing::new(BOUNDS);
        let milestone = pacing.published(lobby(), BOUNDS.bytes);
        let beyond = pacing.published(lobby(), 1);
        let mut post = waits(&pacing, lobby());
        drop(milestone);
        post.try_recv().expect("its turn");
        drop(beyond);
        assert!(pacing.inner.rooms().is_empty(), "nothing is under way");
    }
}
