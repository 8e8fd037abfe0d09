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

/// The beat that most connections hear most of the time.
static NOTHING_MOVED: LazyLock<Frame> =
    LazyLock::new(|| native(&ServerFrame::Beat(Beat { heads: BTreeMap::new() })));

/// How far the beats of a connection have told.
#[derive(Debug, Default)]
pub struct Beaten {
    /// The latest move of a room that was told, by the clock of the task.
    newest: AtomicU64,
    /// [`Live::moves`](super::Live::moves) when the rooms were last looked at.
    moves: AtomicU64,
}

/// The rooms of a connected user, by which resuming and beats go. They are kept by the memberships that were committed,
/// and never by what delivery follows: so a beat also tells of a room that delivery has lost. Sorted by id: most users
/// are in few rooms, and a sorted list takes a fraction of the memory of a map.
#[derive(Debug, Default)]
pub struct Rooms(Mutex<Vec<Arc<Head>>>);

impl Rooms {
    /// The key of one of the user's rooms.
    pub fn find(&self, id: RoomId) -> Option<RoomKey> {
        let rooms = self.lock();
        index_of(&rooms, id).ok().map(|index| rooms[index].key)
    }

    /// The id of one of the user's rooms.
    pub fn named(&self, key: delivery::Key) -> Option<RoomId> {
        self.lock().iter().find(|head| room_key(head.key) == key).map(|head| head.id)
    }

    /// The next beat of a connection: the heads of the rooms that moved since its beat before. `moves` is
    /// [`Live::moves`](super::Live::moves), asked before. `tells` says which rooms may be told: every one, except in a
    /// build that is to have a bug.
    pub fn beat(&self, beaten: &Beaten, moves: u64, tells: impl Fn(RoomId) -> bool) -> Frame {
        // Where all is quiet the rooms are not looked at: they lie all over memory.
        if beaten.moves.swap(moves, Ordering::Relaxed) == moves {
            return NOTHING_MOVED.clone();
        }
        let since = beaten.newest.load(Ordering::Relaxed);
        let rooms = self.lock();
        // The newest move is looked up before the rooms are chosen. A room that moves after this line moves no earlier
        // than the newest, so the next beat tells it.
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
        if let Err(index) = index_of(&rooms, head.id) {
            rooms.insert(index, head);
        }
    }

    pub(super) fn remove(&self, id: RoomId) -> bool {
        let mut rooms = self.lock();
        index_of(&rooms, id).map(|index| rooms.remove(index)).is_ok()
    }

    /// Takes all rooms out. A later [`remove`](Self::remove) of one of them answers false.
    pub(super) fn drain(&self) -> Vec<RoomKey> {
        std::mem::take(&mut *self.lock()).iter().map(|head| head.key).collect()
    }

    /// Makes space for `count` rooms at once, and for no more. A list that grows bit by bit would leave behind small pieces
    /// of memory that nothing else uses.
    pub(super) fn reserve(&self, count: usize) {
        let mut rooms = self.lock();
        let more = count.saturating_sub(rooms.len());
        rooms.reserve_exact(more);
    }
}

/// The index of a room in the list; where it would stand, if it is not there.
fn index_of(rooms: &[Arc<Head>], id: RoomId) -> Result<usize, usize> {
    rooms.binary_search_by(|head| head.id.cmp(&id))
}
