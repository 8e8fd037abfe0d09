//! Which shards have, or are about to have, a follower of a key in an encoding.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::key::{ConnId, Encoding, Key};

/// Parts of the table, each with a lock of its own.
const STRIPES: usize = 64;

/// How many followers each key has, by encoding and shard: those that the shard has already, and those on their way
/// to it in its queue.
///
/// A follow is counted before it is queued, so that a publication queued after it cannot miss it.
pub(crate) struct Interest {
    stripes: Box<[Mutex<Counts>]>,
}

/// One entry for each encoding and shard with a follower. Mostly there is one.
type Counts = HashMap<Key, SmallVec<[Followers; 2]>>;

#[derive(Clone, Copy)]
struct Followers {
    encoding: Encoding,
    shard: u8,
    count: u32,
}

impl Followers {
    fn include(self, conn: ConnId) -> bool {
        (self.encoding, usize::from(self.shard)) == (conn.encoding(), conn.shard())
    }
}

/// The shards with a follower, one bit each.
fn shards<'a>(all: impl Iterator<Item = &'a Followers>) -> u64 {
    all.fold(0, |bits, followers| bits | 1 << followers.shard)
}

impl Interest {
    pub(crate) fn new() -> Interest {
        Interest { stripes: (0..STRIPES).map(|_| Mutex::default()).collect() }
    }

    pub(crate) fn add(&self, key: Key, conn: ConnId) {
        let mut counts = self.stripe(key);
        let all = counts.entry(key).or_default();
        match all.iter_mut().find(|followers| followers.include(conn)) {
            Some(followers) => followers.count += 1,
            // A name has eight bits for its shard.
            None => all.push(Followers { encoding: conn.encoding(), shard: conn.shard() as u8, count: 1 }),
        }
    }

    /// Takes back one follower that was added.
    pub(crate) fn remove(&self, key: Key, conn: ConnId) {
        let mut counts = self.stripe(key);
        let Some(all) = counts.get_mut(&key) else { return };
        let Some(place) = all.iter().position(|followers| followers.include(conn)) else { return };
        all[place].count -= 1;
        if all[place].count == 0 {
            all.swap_remove(place);
        }
        if all.is_empty() {
            counts.remove(&key);
        }
    }

    /// The shards with followers in an encoding, one bit each: the shards of followers that take frames plain, and of
    /// those that take them deflated.
    pub(crate) fn listeners(&self, key: Key, encoding: Encoding) -> (u64, u64) {
        let counts = self.stripe(key);
        let Some(all) = counts.get(&key) else { return (0, 0) };
        let of = |encoding| shards(all.iter().filter(|followers| followers.encoding == encoding));
        (of(encoding), of(encoding.deflated()))
    }

    /// The shards with followers in any encoding, one bit each.
    pub(crate) fn shards(&self, key: Key) -> u64 {
        let counts = self.stripe(key);
        counts.get(&key).map_or(0, |all| shards(all.iter()))
    }

    fn stripe(&self, key: Key) -> MutexGuard<'_, Counts> {
        // Spreads keys that differ only in a few bits (Fibonacci hashing).
        let index = key.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
        self.stripes[index as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GARDEN: Key = Key(7);
    const NATIVE: Encoding = Encoding(0);

    fn conn(shard: usize, encoding: Encoding) -> ConnId {
        ConnId::new(shard, encoding, 1)
    }

    #[test]
    fn a_shard_is_told_as_long_as_one_of_its_followers_is_left() {
        let interest = Interest::new();
        interest.add(GARDEN, conn(0, NATIVE));
        interest.add(GARDEN, conn(2, NATIVE));
        interest.add(GARDEN, conn(2, NATIVE));
        assert_eq!(interest.shards(GARDEN), 0b101);

        interest.remove(GARDEN, conn(2, NATIVE));
        assert_eq!(interest.shards(GARDEN), 0b101);
        interest.remove(GARDEN, conn(2, NATIVE));
        assert_eq!(interest.shards(GARDEN), 0b001);
        interest.remove(GARDEN, conn(0, NATIVE));
        assert_eq!(interest.shards(GARDEN), 0);
    }

    #[test]
    fn nothing_is_deflated_for_a_shard_or_a_protocol_that_nobody_takes_it_in() {
        let interest = Interest::new();
        interest.add(GARDEN, conn(0, NATIVE));
        interest.add(GARDEN, conn(1, NATIVE.deflated()));
        interest.add(GARDEN, conn(2, Encoding(1).deflated()));

        assert_eq!(interest.listeners(GARDEN, NATIVE), (0b001, 0b010));
        assert_eq!(interest.listeners(GARDEN, Encoding(1)), (0, 0b100));
        assert_eq!(interest.shards(GARDEN), 0b111);
        interest.remove(GARDEN, conn(1, NATIVE.deflated()));
        assert_eq!(interest.listeners(GARDEN, NATIVE), (0b001, 0));
    }
}
