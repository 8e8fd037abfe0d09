//! What the task knows: connections, users, rooms, who is here.

use super::conns::{Conn, Connected};
use super::encode;
use super::job::{Here, Job};
use super::keys::{NATIVE, SIMPLE, room_key};
use super::room::{Due, Head, Room};
use crate::pacing::Pacing;
use chat::presence::Presence;
use chat::{Chat, Committed, RoomKey, UserKey};
use delivery::{ConnId, Delivery, Frame, Gathering, Publication};
use protocol::{Event, RoomId, RoomKind, SessionId};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What the task knows. It alone owns all of this, so there is no lock.
pub(super) struct Tables {
    pub(super) chat: Chat,
    /// Gathers what is told, until [`run`](super::task::run) hands it over.
    pub(super) delivery: Gathering,
    pacing: Pacing,
    encoded: Arc<AtomicU64>,
    /// See [`Live::moves`](super::Live::moves).
    pub(super) moves: Arc<AtomicU64>,
    pub(super) conns: HashMap<ConnId, Conn>,
    pub(super) users: HashMap<UserKey, Connected>,
    pub(super) rooms: HashMap<RoomKey, Room>,
    pub(super) presence: Presence,
    /// How many [`Arrival`](super::Arrival)s there are.
    pub(super) arriving: usize,
    /// Kept while there is an arrival: how far rooms were told that nobody held at the time.
    passed: HashMap<RoomKey, u64>,
    /// Rooms that are being removed from the database.
    removing: HashSet<RoomKey>,
    /// Kept while there is an arrival: rooms whose removal has ended. A connection that read one before may not enter it.
    removed: HashSet<RoomKey>,
    jobs: mpsc::WeakUnboundedSender<Job>,
    /// In order of time, because every wait is equally long.
    pub(super) due: VecDeque<Due>,
    pub(super) started: Instant,
}

impl Tables {
    pub(super) fn new(
        chat: Chat,
        delivery: Delivery,
        pacing: Pacing,
        encoded: Arc<AtomicU64>,
        jobs: mpsc::WeakUnboundedSender<Job>,
    ) -> Self {
        Self {
            chat,
            delivery: delivery.gathering(),
            pacing,
            encoded,
            moves: Arc::new(AtomicU64::new(1)),
            conns: HashMap::new(),
            users: HashMap::new(),
            rooms: HashMap::new(),
            presence: Presence::new(),
            arriving: 0,
            passed: HashMap::new(),
            removing: HashSet::new(),
            removed: HashSet::new(),
            jobs,
            due: VecDeque::new(),
            started: Instant::now(),
        }
    }

    /// Applies one thing that is so from now on.
    pub(super) fn apply(&mut self, committed: Committed) {
        match committed {
            Committed::Event { room, event } => self.tell(room, event),
            Committed::Joined { user, room, view } => self.joined(user, room, view),
            Committed::Left { user, room, id, seq, by } => self.left(user, room, id, seq, by),
            Committed::Personal { user, frame } => self.tell_user(user, frame),
            Committed::SessionEnded { user, session } => self.session_ended(user, session),
        }
    }

    /// Publishes an event to the connections that follow the room. It is encoded once for each protocol that they speak.
    fn tell(&mut self, key: RoomKey, event: Event) {
        let now = self.now();
        let Some(room) = self.rooms.get_mut(&key) else { return self.pass(key, event.seq) };
        // The room was read from the database beyond this event, so those who follow it have it.
        if event.seq <= room.head.seq() {
            return;
        }
        room.head.advance(event.seq, now);
        self.moves.fetch_add(1, Ordering::Release);
        let (seq, cut) = (Some(event.seq), event.kind.takes_text_back());
        // Each protocol has a tail of its own, and the pace of the room is that of the tail which fills faster.
        let mut longest = 0;
        if room.simple > 0
            && let Some(frame) = encode::simple_event(&room.name, &event)
        {
            self.encoded.fetch_add(1, Ordering::Relaxed);
            longest = frame.len();
            self.delivery.publish(room_key(key), SIMPLE, &Publication { seq, frame, cut });
        }
        if room.native > 0 {
            let frame = encode::event(event);
            self.encoded.fetch_add(1, Ordering::Relaxed);
            longest = longest.max(frame.len());
            self.delivery.publish(room_key(key), NATIVE, &Publication { seq, frame, cut });
        }
        room.published += longest;
        if room.published >= self.pacing.stride() {
            let milestone = self.pacing.published(room.head.id, std::mem::take(&mut room.published));
            self.delivery.set(room_key(key), &milestone);
        }
    }

    /// Publishes something that is true for a moment, and has no `seq`.
    pub(super) fn tell_fleeting(&mut self, key: delivery::Key, encoding: delivery::Encoding, frame: Frame) {
        self.delivery.publish(key, encoding, &Publication { seq: None, frame, cut: false });
    }

    /// Notes how far a room was told that nobody holds: an arriving connection may have read it before that.
    fn pass(&mut self, key: RoomKey, seq: u64) {
        if self.arriving > 0 {
            self.passed.insert(key, seq);
        }
    }

    /// An [`Arrival`](super::Arrival) is over.
    pub(super) fn arrived(&mut self) {
        self.arriving = self.arriving.saturating_sub(1);
        if self.arriving == 0 {
            self.passed = HashMap::new();
            self.removed = HashSet::new();
        }
    }

    /// How far a room was told that nobody held then; 0 if it was not told since the first of the present arrivals.
    pub(super) fn passed(&self, key: RoomKey) -> u64 {
        self.passed.get(&key).copied().unwrap_or_default()
    }

    /// Holds a room once more, and makes its entry when there is none. `head` is what the database said.
    pub(super) fn hold(
        &mut self,
        key: RoomKey,
        id: RoomId,
        name: &str,
        kind: RoomKind,
        head: u64,
    ) -> &mut Room {
        let head = head.max(self.passed(key));
        let room = self.rooms.entry(key).or_insert_with(|| Room::new(Head::new(id, key, head), name, kind));
        room.holders += 1;
        room
    }

    pub(super) fn release(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        debug_assert!(room.holders > 0, "a room is let go as often as it is held");
        room.holders = room.holders.saturating_sub(1);
        if room.holders > 0 {
            return;
        }
        let (empty, seq) = (room.kind == RoomKind::Open && room.head.seq() == 0, room.head.seq());
        self.rooms.remove(&key);
        self.pass(key, seq);
        if empty {
            self.remove(key);
        }
    }

    /// Removes a room that nobody is in, if nothing was ever said in it.
    pub(super) fn remove(&mut self, key: RoomKey) {
        self.removing.insert(key);
        let (chat, jobs) = (self.chat.clone(), self.jobs.clone());
        tokio::spawn(async move {
            if let Err(error) = chat.remove_provisional(key).await {
                tracing::warn!(%error, "an empty provisional room was not removed");
            }
            if let Some(jobs) = jobs.upgrade() {
                // After the end of the task nobody enters any more.
                let _ = jobs.send(Job::Removed { room: key });
            }
        });
    }

    /// The removal of a room is over, whether or not the room is gone.
    pub(super) fn removed(&mut self, key: RoomKey) {
        self.removing.remove(&key);
        if self.arriving > 0 {
            self.removed.insert(key);
        }
    }

    /// Whether a room may be gone by now, although it was read from the database before.
    pub(super) fn may_be_gone(&self, key: RoomKey) -> bool {
        self.removing.contains(&key) || self.removed.contains(&key)
    }

    pub(super) fn here(&self, room: RoomKey) -> Here {
        let users = self
            .presence
            .first(room, usize::MAX)
            .filter_map(|shown| shown.who().map(|user| user.id))
            .collect();
        Here { count: self.presence.count(room) as u64, users }
    }

    pub(super) fn sessions(&self) -> Vec<SessionId> {
        let sessions: HashSet<SessionId> = self.conns.values().filter_map(Conn::session).collect();
        sessions.into_iter().collect()
    }

    /// Milliseconds since the task began, never 0.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// A connection of either protocol is over.
    pub(super) fn closed(&mut self, conn: ConnId) {
        match self.conns.get(&conn) {
            Some(Conn::Native(_)) => self.native_closed(conn),
            Some(Conn::Simple(_)) => self.simple_closed(conn),
            None => {}
        }
    }
}
