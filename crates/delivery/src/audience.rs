//! The followers of a key on this shard in one encoding, and the tail that they read.

use std::collections::HashMap;

use slab::Slab;

use crate::key::{Encoding, Key};
use crate::milestone::Milestone;
use crate::publication::Publication;
use crate::tail::{Addition, Budget, Shift, Tail};

/// How many audiences are looked at for memory when a tail needs some and none is left.
const RECLAIM_LOOKS: usize = 64;

/// The followers of one key in one encoding. Exists only while there is a follower.
pub(crate) struct Audience {
    pub(crate) key: Key,
    pub(crate) encoding: Encoding,
    pub(crate) tail: Tail,
    pub(crate) followers: Vec<Follower>,
    pub(crate) pass: Pass,
    /// Each milestone with the offset up to which a complete pass must have come.
    milestones: Vec<(u64, Milestone)>,
    /// When something was last published, in the shard's milliseconds.
    pub(crate) published_at: u64,
}

/// Where a follower is kept: the slot of its connection, and which of the connection's cursors reads this tail.
#[derive(Clone, Copy)]
pub(crate) struct Follower {
    pub(crate) slot: u32,
    pub(crate) cursor: u32,
}

/// A walk over the followers, from the last to the first. It leaves no follower behind `goal` unless the follower's
/// socket is full.
#[derive(Default)]
pub(crate) struct Pass {
    /// Whether the audience waits for a turn or has one.
    pub(crate) dirty: bool,
    /// Followers not visited yet. New followers are added behind them. When a follower leaves, one from behind them
    /// takes its index.
    pub(crate) unvisited: u32,
    /// The end of the tail when the pass began.
    pub(crate) goal: u64,
    /// The goal of the last complete pass.
    reached: u64,
}

/// All audiences of a shard.
pub(crate) struct Audiences {
    slab: Slab<Audience>,
    indexes: HashMap<(Key, Encoding), u32>,
    /// The encodings in which a connection has ever followed a key.
    encodings: Vec<Encoding>,
    budget: Budget,
    /// The audience at which the next search for memory goes on.
    hand: usize,
}

impl Audiences {
    pub(crate) fn new(budget: Budget) -> Audiences {
        Audiences { slab: Slab::new(), indexes: HashMap::new(), encodings: Vec::new(), budget, hand: 0 }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Audience> {
        self.slab.get(index as usize)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Audience> {
        self.slab.get_mut(index as usize)
    }

    /// The tail behind a cursor, which cannot outlive its audience.
    pub(crate) fn tail(&self, index: u32) -> &Tail {
        &self.slab[index as usize].tail
    }

    /// Notes that everything up to `head` was published, here or while nobody followed.
    pub(crate) fn miss(&mut self, index: u32, head: u64) {
        self.slab[index as usize].tail.miss(head);
    }

    pub(crate) fn find(&self, key: Key, encoding: Encoding) -> Option<u32> {
        self.indexes.get(&(key, encoding)).copied()
    }

    /// The audiences of a key in every encoding.
    pub(crate) fn of(&self, key: Key) -> Vec<u32> {
        self.encodings.iter().filter_map(|encoding| self.find(key, *encoding)).collect()
    }

    /// Opens an audience for a key whose last published seq is `head`.
    pub(crate) fn open(&mut self, key: Key, encoding: Encoding, head: u64) -> u32 {
        let index = self.slab.insert(Audience {
            key,
            encoding,
            tail: Tail::new(head),
            followers: Vec::new(),
            pass: Pass::default(),
            milestones: Vec::new(),
            published_at: 0,
        }) as u32;
        self.indexes.insert((key, encoding), index);
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        index
    }

    /// Adds a frame to a tail.
    pub(crate) fn append(&mut self, index: u32, publication: &Publication, now: u64, stamp: u64) -> Appended {
        let bytes = publication.frame.as_bytes();
        if self.budget.left < 2 * bytes.len() {
            self.reclaim(2 * bytes.len(), index);
        }
        let audience = &mut self.slab[index as usize];
        let addition = Addition { bytes, seq: publication.seq, cut: publication.cut, stamp };
        let shift = audience.tail.append(addition, &mut self.budget);
        audience.published_at = now;
        let woken = !audience.pass.dirty;
        if woken {
            audience.begin_pass();
        }
        Appended { woken, shift }
    }

    /// Removes a follower, and the audience with its last follower. Returns the follower that has the removed one's
    /// index now.
    pub(crate) fn remove(&mut self, index: u32, member: u32) -> Option<Follower> {
        let audience = &mut self.slab[index as usize];
        audience.followers.swap_remove(member as usize);
        if audience.followers.is_empty() {
            self.close(index);
            return None;
        }
        audience.followers.get(member as usize).copied()
    }

    /// Closes an audience that nobody follows.
    pub(crate) fn close(&mut self, index: u32) {
        let mut audience = self.slab.remove(index as usize);
        audience.tail.release(&mut self.budget);
        self.indexes.remove(&(audience.key, audience.encoding));
    }

    /// Gives the memory of a tail back.
    pub(crate) fn release(&mut self, index: u32) {
        self.slab[index as usize].tail.release(&mut self.budget);
    }

    /// Bounds of the indexes in use.
    pub(crate) fn capacity(&self) -> usize {
        self.slab.capacity()
    }

    /// Bytes of memory that all tails together may still take.
    pub(crate) fn left(&self) -> usize {
        self.budget.left
    }

    /// Frees tails of audiences that wait for no turn, until `need` bytes are left or enough audiences were looked
    /// at. A reader whose socket is full may lose frames by this: when memory is short, slow readers lose first.
    fn reclaim(&mut self, need: usize, except: u32) {
        for _ in 0..RECLAIM_LOOKS.min(self.slab.capacity()) {
            if self.budget.left >= need {
                return;
            }
            self.hand = (self.hand + 1) % self.slab.capacity();
            match self.slab.get_mut(self.hand) {
                Some(audience) if !audience.pass.dirty && self.hand != except as usize => {
                    audience.tail.release(&mut self.budget);
                }
                Some(_) | None => {}
            }
        }
    }
}

/// What became of a publication.
pub(crate) struct Appended {
    /// The audience was clean and is dirty now.
    pub(crate) woken: bool,
    /// Set if the offsets of readers have changed.
    pub(crate) shift: Option<Shift>,
}

impl Audience {
    pub(crate) fn add(&mut self, follower: Follower) -> u32 {
        push_snugly(&mut self.followers, follower);
        self.count() - 1
    }

    fn count(&self) -> u32 {
        // A follower's index has no more bits.
        self.followers.len() as u32
    }

    /// Keeps a milestone until every frame published so far has been offered to every follower.
    pub(crate) fn set(&mut self, milestone: Milestone) {
        if self.pass.dirty {
            self.milestones.push((self.tail.end(), milestone));
        }
    }

    fn begin_pass(&mut self) {
        let reached = self.pass.goal;
        self.pass = Pass { dirty: true, unvisited: self.count(), goal: self.tail.end(), reached };
    }

    /// Bytes published that may not have been offered to every follower yet.
    pub(crate) fn unserved(&self) -> u64 {
        self.tail.end() - self.pass.reached
    }

    /// The next follower to visit. The walk starts over while there is something newer than its goal. `None` when all
    /// have been visited; the audience is clean then.
    pub(crate) fn next(&mut self) -> Option<Follower> {
        self.pass.unvisited = self.pass.unvisited.min(self.count());
        if self.pass.unvisited == 0 {
            self.milestones.retain(|(end, _)| *end > self.pass.goal);
            if self.pass.goal == self.tail.end() {
                self.pass.dirty = false;
                return None;
            }
            self.begin_pass();
        }
        self.pass.unvisited -= 1;
        self.followers.get(self.pass.unvisited as usize).copied()
    }
}

/// Adds to one of very many lists, nearly all of which are short and stay short. Doubling the capacity, as `Vec`
/// does, would leave half of that memory empty.
pub(crate) fn push_snugly<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(2));
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use std::sync::Arc;

    const LOBBY: Key = Key(1);

    /// A lobby with two followers, to which something was published.
    fn lobby() -> (Audiences, u32) {
        let mut audiences = Audiences::new(Budget { each: 4096, left: 4096 });
        let lobby = audiences.open(LOBBY, Encoding(0), 0);
        for slot in 0..2 {
            audiences.get_mut(lobby).expect("just opened").add(Follower { slot, cursor: 0 });
        }
        publish(&mut audiences, lobby, 1);
        (audiences, lobby)
    }

    fn publish(audiences: &mut Audiences, lobby: u32, seq: u64) {
        let publication = Publication { seq: Some(seq), frame: Frame::text("hi"), cut: false };
        audiences.append(lobby, &publication, 1, seq);
    }

    fn visits(audiences: &mut Audiences, lobby: u32, count: usize) {
        for _ in 0..count {
            audiences.get_mut(lobby).expect("followed").next().expect("a follower");
        }
    }

    #[test]
    fn a_milestone_stands_until_a_pass_that_began_behind_it_is_over() {
        let (mut audiences, lobby) = lobby();
        let (first, second): (Milestone, Milestone) = (Arc::new(()), Arc::new(()));
        audiences.get_mut(lobby).expect("followed").set(first.clone());
        visits(&mut audiences, lobby, 1);
        publish(&mut audiences, lobby, 2);
        audiences.get_mut(lobby).expect("followed").set(second.clone());
        visits(&mut audiences, lobby, 1);
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (2, 2));

        visits(&mut audiences, lobby, 1);
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
        visits(&mut audiences, lobby, 1);
        assert_eq!(Arc::strong_count(&second), 2);
        assert!(audiences.get_mut(lobby).expect("followed").next().is_none());
        assert_eq!(Arc::strong_count(&second), 1);
    }

    #[test]
    fn a_milestone_behind_what_everybody_has_does_not_stand_at_all() {
        let (mut audiences, lobby) = lobby();
        visits(&mut audiences, lobby, 2);
        assert!(audiences.get_mut(lobby).expect("followed").next().is_none());

        let milestone: Milestone = Arc::new(());
        audiences.get_mut(lobby).expect("followed").set(milestone.clone());
        assert_eq!(Arc::strong_count(&milestone), 1);
    }
}
