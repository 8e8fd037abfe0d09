//! Which shards have, or are about to have, a follower of a key.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::key::Key;

/// Parts of the table that are locked on their own.
const STRIPES: usize = 64;

/// Followers of each key by shard: those a shard has, and those on their way to it in its queue.
///
/// A follow counts before it is queued, so that a publication queued after it cannot miss it.
pub(crate) struct Interest {
    stripes: Box<[Mutex<Counts>]>,
    shards: usize,
}

type Counts = HashMap<Key, Box<[u32]>>;

impl Interest {
    pub(crate) fn new(shards: usize) -> Interest {
        Interest { stripes: (0..STRIPES).map(|_| Mutex::default()).collect(), shards }
    }

    pub(crate) fn add(&self, key: Key, shard: usize) {
        let mut counts = self.stripe(key);
        counts.entry(key).or_insert_with(|| vec![0; self.shards].into_boxed_slice())[shard] += 1;
    }

    /// Takes one back that was added.
    pub(crate) fn remove(&self, key: Key, shard: usize) {
        let mut counts = self.stripe(key);
        let Some(by_shard) = counts.get_mut(&key) else { return };
        by_shard[shard] = by_shard[shard].saturating_sub(1);
        if by_shard.iter().all(|count| *count == 0) {
            counts.remove(&key);
        }
    }

    /// The shards to tell, one bit each.
    pub(crate) fn shards(&self, key: Key) -> u64 {
        let counts = self.stripe(key);
        let Some(by_shard) = counts.get(&key) else { return 0 };
        by_shard
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .fold(0, |bits, (shard, _)| bits | 1 << shard)
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

    #[test]
    fn a_shard_is_told_as_long_as_one_of_its_followers_is_left() {
        let interest = Interest::new(3);
        let garden = Key(7);
        interest.add(garden, 0);
        interest.add(garden, 2);
        interest.add(garden, 2);
        assert_eq!(interest.shards(garden), 0b101);

        interest.remove(garden, 2);
        assert_eq!(interest.shards(garden), 0b101);
        interest.remove(garden, 2);
        assert_eq!(interest.shards(garden), 0b001);
        interest.remove(garden, 0);
        assert_eq!(interest.shards(garden), 0);
    }
}
