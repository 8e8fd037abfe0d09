//! What each job does to connections and tails.

use bytes::Bytes;
use mio::net::TcpStream;
use mio::{Interest as Readiness, Token};
use sabotage::Bug;

use crate::allowance::Spending;
use crate::audience::{Follower, push_snugly};
use crate::backlog::{Intent, Then, What};
use crate::connection::{Connection, Cursor, Held, Phase};
use crate::farewell::TOO_SLOW;
use crate::follow::{Follow, Shortfall};
use crate::frame::Frame;
use crate::gateway::Closed;
use crate::job::Attach;
use crate::key::{ConnId, Encoding, Key};
use crate::milestone::Milestone;
use crate::publication::Publication;
use crate::shard::Shard;
use crate::tail::{ALWAYS, Reader, Shift};
use crate::tls::Tls;

impl Shard {
    pub(crate) fn attach(&mut self, attach: Attach) {
        let Attach { conn: id, socket, leftover, gateway } = attach;
        if self.connections.is_empty() {
            self.sweep.begin(self.now);
        }
        let mut conn = Connection::new(id, TcpStream::from_std(socket.stream), gateway);
        conn.tls = socket.tls.map(|session| Box::new(Tls::new(session)));
        conn.spending = socket.allowance.map(|allowance| Box::new(Spending::new(allowance)));
        conn.heard_at = self.now;
        if !leftover.is_empty() {
            conn.held = Some(Box::new(Held { bytes: leftover.to_vec(), at: 0 }));
        }
        let slot = self.connections.insert(conn);
        self.slots.insert(id, slot);
        let socket = &mut self.connections[slot].socket;
        // Edge-triggered, for both directions, once and for all: the registration of a socket never changes.
        let registered =
            self.poll.registry().register(socket, Token(slot), Readiness::READABLE | Readiness::WRITABLE);
        match registered {
            Ok(()) => self.read_later(slot),
            Err(_) => self.lose(slot),
        }
        self.drain_newcomer(slot);
    }

    /// Adds a frame to the tail of a key, if a connection here reads it. Returns the audience.
    pub(crate) fn publish(&mut self, key: Key, encoding: Encoding, publication: &Publication) -> Option<u32> {
        let audience = self.audiences.find(key, encoding)?;
        let stamp = self.next_stamp();
        let appended = self.audiences.append(audience, publication, self.now, stamp);
        self.tally.published += 1;
        if let Some(shift) = appended.shift {
            self.shift(audience, &shift);
        }
        if appended.woken {
            self.dirty.push_back(audience);
        }
        Some(audience)
    }

    pub(crate) fn set(&mut self, key: Key, milestone: &Milestone) {
        for audience in self.audiences.of(key) {
            if let Some(audience) = self.audiences.get_mut(audience) {
                audience.set(milestone.clone());
            }
        }
    }

    pub(crate) fn follow(&mut self, follow: Follow) {
        let Follow { conn: id, key, after, head, makes_up_for, preface } = follow;
        let Some(slot) = self.open_slot(id) else {
            self.interest.remove(key, id);
            return;
        };
        if makes_up_for.is_some_and(|shortfall| shortfall != self.connections[slot].shortfall_of(key)) {
            self.interest.remove(key, id);
            return;
        }
        self.connections[slot].forget_shortfall(key);
        let encoding = id.encoding();
        let audience = match self.audiences.find(key, encoding) {
            Some(audience) => {
                // The tail may have been kept from an earlier follower. It lacks what was published since while
                // nobody followed.
                self.audiences.miss(audience, head);
                audience
            }
            None => self.audiences.open(key, encoding, head),
        };
        if !self.audiences.tail(audience).reaches(after) {
            self.fall_short(slot, audience, after);
            return;
        }
        self.admit(slot, audience);
        if preface.is_empty() && self.owes_nothing(slot, key) {
            self.start(slot, key, after, ALWAYS);
        } else {
            let stamp = self.next_stamp();
            let conn = &mut self.connections[slot];
            for frame in preface {
                conn.queue_frame(stamp, frame.into_bytes());
            }
            conn.queue(stamp, What::Start { key, after });
            self.wake_queued(slot);
        }
    }

    pub(crate) fn unfollow(&mut self, id: ConnId, key: Key) {
        let Some(slot) = self.open_slot(id) else { return };
        self.connections[slot].forget_shortfall(key);
        if self.cursor_of(slot, key).is_none() {
            return;
        }
        if self.owes_nothing(slot, key) {
            self.stop_following(slot, key);
        } else {
            let stamp = self.next_stamp();
            self.connections[slot].queue(stamp, What::Stop { key });
            self.wake_queued(slot);
        }
    }

    pub(crate) fn unicast(&mut self, id: ConnId, frame: Frame) {
        let Some(slot) = self.open_slot(id) else { return };
        let stamp = self.next_stamp();
        self.connections[slot].queue_frame(stamp, frame.into_bytes());
        self.wake_queued(slot);
    }

    pub(crate) fn page(&mut self, id: ConnId, mut frames: Vec<Frame>) {
        let Some(slot) = self.open_slot(id) else { return };
        let stamp = self.next_stamp();
        let waits = self.connections[slot].backlog.is_some();
        let last = match frames.pop() {
            Some(last) => last.into_bytes(),
            None if waits => Bytes::new(),
            None => return self.tell(slot, |gateway| gateway.on_drained(id)),
        };
        let conn = &mut self.connections[slot];
        for frame in frames {
            conn.queue_frame(stamp, frame.into_bytes());
        }
        conn.queue(stamp, What::Frame(last, Then::Drained));
        self.wake_queued(slot);
    }

    pub(crate) fn answered(&mut self, id: ConnId) {
        let Some(slot) = self.open_slot(id) else { return };
        let conn = &mut self.connections[slot];
        let paused = conn.paused(&self.options);
        self.unanswered -= usize::from(conn.unanswered > 0);
        conn.unanswered = conn.unanswered.saturating_sub(1);
        if conn.unanswered == 0 {
            conn.unanswered_bytes = 0;
        }
        if conn.leaving && conn.unanswered == 0 {
            self.say_goodbye(slot);
        } else if paused {
            self.hear_again(slot);
        }
    }

    pub(crate) fn asked(&mut self, id: ConnId) {
        let Some(slot) = self.open_slot(id) else { return };
        self.connections[slot].asked = true;
        self.tell_if_taken(slot);
    }

    /// Calls the gateway that asked for it, if nothing waits any more.
    pub(crate) fn tell_if_taken(&mut self, slot: usize) {
        let Some(conn) = self.connections.get_mut(slot) else { return };
        if conn.asked && conn.backlog.is_none() {
            conn.asked = false;
            let id = conn.id;
            self.tell(slot, |gateway| gateway.on_taken(id));
        }
    }

    /// Starts a key whose turn in the backlog has come: the cursor moves, and the frames that it lacks are due.
    /// `stamp` is that of the follow. The connection hears everything that was published since then.
    pub(crate) fn start(&mut self, slot: usize, key: Key, after: u64, stamp: u64) {
        let Some(index) = self.cursor_of(slot, key) else { return };
        let cursor = &mut self.connections[slot].cursors[index];
        let tail = self.audiences.tail(cursor.audience);
        let (live_from, offset) = (tail.end_before(stamp), tail.offset_after(after));
        // A connection that has more than was published when it asked is not told those frames again.
        let ahead = after > tail.last() || offset > live_from;
        cursor.live_from = if ahead { Reader::AHEAD } else { live_from };
        cursor.last = after;
        cursor.offset = offset.min(live_from);
        if tail.reaches(after) {
            self.wake(slot);
        } else {
            // The tail moved on while the preface waited for a full socket.
            self.lag(slot, index);
        }
    }

    /// Stops a key whose turn in the backlog has come. The cursor stays if a later item of the backlog starts the key
    /// again.
    pub(crate) fn stop_following(&mut self, slot: usize, key: Key) {
        let Some(index) = self.cursor_of(slot, key) else { return };
        let backlog = self.connections[slot].backlog.as_ref();
        match backlog.and_then(|backlog| backlog.intent(key)) {
            Some(Intent::Start | Intent::Stop) => {
                self.connections[slot].cursors[index].offset = Cursor::WAITING
            }
            None => self.remove_cursor(slot, index),
        }
    }

    /// Frames that a cursor lacks are gone from the tail. If the backlog holds an item about the key, that item
    /// decides what comes next, and the gateway is not told.
    pub(crate) fn lag(&mut self, slot: usize, index: usize) {
        let conn = &mut self.connections[slot];
        let cursor = &mut conn.cursors[index];
        let (id, last) = (conn.id, cursor.last);
        let Some(audience) = self.audiences.get(cursor.audience) else { return };
        let key = audience.key;
        if sabotage::has(Bug::DropOnLag) {
            cursor.offset = self.audiences.tail(cursor.audience).end();
            return;
        }
        if conn.backlog.as_ref().and_then(|backlog| backlog.intent(key)).is_some() {
            cursor.offset = Cursor::WAITING;
            return;
        }
        self.remove_cursor(slot, index);
        self.tally.lagged += 1;
        self.tell(slot, |gateway| gateway.on_lagged(id, key, last));
    }

    /// Removes a cursor. Two others may take over the freed indexes; both are told their new ones.
    pub(crate) fn remove_cursor(&mut self, slot: usize, index: usize) {
        let conn = &mut self.connections[slot];
        let id = conn.id;
        let cursor = conn.cursors.swap_remove(index);
        if let Some(moved) = conn.cursors.get(index)
            && let Some(audience) = self.audiences.get_mut(moved.audience)
        {
            audience.followers[moved.member as usize].cursor = index as u32;
        }
        let Some(audience) = self.audiences.get(cursor.audience) else { return };
        let key = audience.key;
        if let Some(moved) = self.audiences.remove(cursor.audience, cursor.member) {
            let other = &mut self.connections[moved.slot as usize];
            other.cursors[moved.cursor as usize].member = cursor.member;
        }
        self.interest.remove(key, id);
    }

    /// Flushes a connection whose backlog grew, or closes it if too much waits for it.
    pub(crate) fn wake_queued(&mut self, slot: usize) {
        let waiting = self.connections[slot].backlog.as_ref().map_or(0, |backlog| backlog.bytes());
        if waiting > self.options.max_unicast {
            self.expel(slot, TOO_SLOW, Closed::Slow);
        } else {
            self.wake(slot);
        }
    }

    fn fall_short(&mut self, slot: usize, audience: u32, after: u64) {
        let Some(short) = self.audiences.get(audience) else { return };
        let key = short.key;
        if short.followers.is_empty() {
            self.audiences.close(audience);
        }
        // A connection that follows the key already hears nothing more of it until pages have told what is missing:
        // newer frames would come too early, and then again. For the same reason a start that waits in the backlog is
        // taken back. The connection stays a follower, so that the tail keeps the frames that are published
        // meanwhile.
        let backlog = &mut self.connections[slot].backlog;
        if let Some(backlog) = backlog {
            backlog.withdraw_start(key);
        }
        if backlog.as_ref().and_then(|backlog| backlog.intent(key)).is_none()
            && let Some(index) = self.cursor_of(slot, key)
        {
            self.connections[slot].cursors[index].offset = Cursor::WAITING;
        }
        self.connections[slot].tidy();
        self.tell_if_taken(slot);
        // Items that waited only for frames of this key are due now.
        self.wake(slot);
        let shortfall = Shortfall(self.next_stamp());
        let conn = &mut self.connections[slot];
        let id = conn.id;
        conn.note_shortfall(key, shortfall);
        self.interest.remove(key, id);
        self.tally.too_old += 1;
        self.tell(slot, |gateway| gateway.on_too_old(id, key, after, shortfall));
    }

    /// Makes a connection a follower, if it is none yet. Where it starts is decided later.
    fn admit(&mut self, slot: usize, audience: u32) {
        let conn = &mut self.connections[slot];
        let Some(followed) = self.audiences.get_mut(audience) else { return };
        if conn.cursor_in(audience).is_some() {
            self.interest.remove(followed.key, conn.id);
            return;
        }
        let member = followed.add(Follower { slot: slot as u32, cursor: conn.cursors.len() as u32 });
        let cursor = Cursor { audience, member, offset: Cursor::WAITING, live_from: 0, last: 0 };
        push_snugly(&mut conn.cursors, cursor);
    }

    fn shift(&mut self, audience: u32, shift: &Shift) {
        let Some(audience) = self.audiences.get(audience) else { return };
        for follower in &audience.followers {
            let cursor = &mut self.connections[follower.slot as usize].cursors[follower.cursor as usize];
            cursor.offset = shift.moved(cursor.offset);
            cursor.live_from = shift.moved(cursor.live_from);
        }
    }

    /// The slot of a connection that is not being closed.
    fn open_slot(&self, id: ConnId) -> Option<usize> {
        let slot = *self.slots.get(&id)?;
        (self.connections[slot].phase == Phase::Open).then_some(slot)
    }

    /// Whether a follow or unfollow of a key may take effect at once: nothing waits that must leave before it.
    fn owes_nothing(&self, slot: usize, key: Key) -> bool {
        let conn = &self.connections[slot];
        let Some(index) = self.cursor_of(slot, key) else { return conn.backlog.is_none() };
        let cursor = &conn.cursors[index];
        conn.backlog.is_none() && cursor.offset >= self.audiences.tail(cursor.audience).end()
    }

    fn cursor_of(&self, slot: usize, key: Key) -> Option<usize> {
        let conn = &self.connections[slot];
        conn.cursor_in(self.audiences.find(key, conn.id.encoding())?)
    }
}
