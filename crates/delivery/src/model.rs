//! A tail by itself, for tests that let a whole network go wrong around it. No build of the product contains it.

use crate::tail::{ALWAYS, Addition, Budget, Reader, Tail};

/// The recent frames of one key, as a shard keeps them.
pub struct RecentFrames {
    tail: Tail,
    budget: Budget,
}

/// What comes next for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It has everything.
    Nothing,
    /// Frames, and where the reader stands after them.
    Frames(Vec<u8>, u64),
    /// Frames it lacks are gone.
    Lapped,
}

impl RecentFrames {
    /// None yet, of a key in which `head` was the last seq published; at most `most` bytes are kept.
    pub fn new(head: u64, most: usize) -> Self {
        Self { tail: Tail::new(head), budget: Budget { each: most, left: most } }
    }

    /// Keeps a frame. With `cut` nobody can catch up any more with what was published before it.
    pub fn publish(&mut self, bytes: &[u8], seq: u64, cut: bool) {
        // Without fleeting frames nothing is thinned out, so no reader is moved.
        let _ = self.tail.append(Addition { bytes, seq: Some(seq), cut, stamp: 0 }, &mut self.budget);
    }

    /// Where a reader stands who has everything up to `after`; none if the frames do not reach back so far.
    pub fn follow(&self, after: u64) -> Option<u64> {
        self.tail.reaches(after).then(|| self.tail.place_after(after))
    }

    /// What a reader at `place` is to get.
    pub fn next(&self, place: u64) -> Next {
        if place < self.tail.start() {
            return Next::Lapped;
        }
        match self.tail.run(Reader { place, live_from: 0, last: 0 }, ALWAYS) {
            None => Next::Nothing,
            Some(run) => {
                let (first, second) = self.tail.slices(run);
                Next::Frames([first, second].concat(), run.to)
            }
        }
    }
}
