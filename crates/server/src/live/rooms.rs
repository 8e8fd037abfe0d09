//! The rooms of a connected user, and the beats that are made of them.

use super::encode::native;
use super::keys::room_key;
use super::room::Head;
use chat::RoomKey;
use delivery::Frame;
use protocol::frame::Beat;
use protocol::{RoomId, ServerFrame};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// What most hear most of the time.
static NOTHING_MOVED: LazyLock<Frame> =
    LazyLock::new(|| native(&ServerFrame::Beat(Beat { heads: BTreeMap::new() })));

/// What the beats of a connection have told so far.
#[derive(Debug, Default)]
pub struct Beaten {
    /// When the newest of the rooms had moved, in live's own time.
    newest: AtomicU64,
    /// [`Live::moves`](super::Live::moves) when the rooms were last looked at.
    moves: AtomicU64,
}

/// The rooms of a connected user: what resuming and beats go by. It follows memberships as they are committed, never
/// what delivery follows, so that a lost subscription is noticed too. In order of id: most are in few, and a list is a
/// fraction of a map.
#[derive(Debug, Default)]
pub struct Rooms(Mutex<Vec<Arc<Head>>>);

impl Rooms {
    /// The key of one of the user's rooms.
    pub fn find(&self, id: RoomId) -> Option<RoomKey> {
        let rooms = self.lock();
        place(&rooms, id).ok().map(|place| rooms[place].key)
    }

    /// The id of one of the user's rooms.
    pub fn named(&self, key: delivery::Key) -> Option<RoomId> {
        self.lock().iter().find(|head| room_key(head.key) == key).map(|head| head.id)
    }

    /// The beat of a connection after those before: the heads of rooms that moved since. `moves` is
    /// [`Live::moves`](super::Live::moves), asked before. `tells` is true of every room but in a build that is to have a
    /// bug.
    pub fn beat(&self, beaten: &Beaten, moves: u64, tells: impl Fn(RoomId) -> bool) -> Frame {
        // Where all is quiet the rooms are not looked at: they lie all over memory.
        if beaten.moves.swap(moves, Ordering::Relaxed) == moves {
            return NOTHING_MOVED.clone();
        }
        let since = beaten.newest.load(Ordering::Relaxed);
        let rooms = self.lock();
        // Looked for first: a room that moves from here on has moved no earlier, so the next beat tells it.
        let newest = rooms.iter().map(|head| head.moved()).max().unwrap_or(0);
        let moved = rooms.iter().filter(|head| head.moved() > 0 && head.moved() >= since);
        let heads: BTreeMap<_, _> =
            moved.filter(|head| tells(head.id)).map(|head| (head.id, head.seq())).collect();
        drop(rooms);
        beaten.newest.store(newest.max(since), Ordering::Relaxed);
        if heads.is_empty() {
            return NOTHING_MOVED.clone();
        }
        native(&ServerFrame::Beat(Beat { heads }))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Head>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, head: Arc<Head>) {
        let mut rooms = self.lock();
        if let Err(place) = place(&rooms, head.id) {
            rooms.insert(place, head);
        }
    }

    pub(super) fn remove(&self, id: RoomId) -> bool {
        let mut rooms = self.lock();
        place(&rooms, id).map(|place| rooms.remove(place)).is_ok()
    }

    /// Lets all of them go, once: whoever asks for one to be removed after that is told that it is gone.
    pub(super) fn drain(&self) -> Vec<RoomKey> {
        std::mem::take(&mut *self.lock()).iter().map(|head| head.key).collect()
    }

    /// Takes no more room than `count` rooms need, and in one piece: what is given back by the bit lies about unused.
    pub(super) fn reserve(&self, count: usize) {
        let mut rooms = self.lock();
        let more = count.saturating_sub(rooms.len());
        rooms.reserve_exact(more);
    }
}

/// Where a room stands among others, or would.
fn place(rooms: &[Arc<Head>], id: RoomId) -> Result<usize, usize> {
    rooms.binary_search_by(|head| head.id.cmp(&id))
}
