//! A tail alone, for tests in which a whole network around it goes wrong. No build of the product contains it.

use crate::tail::{ALWAYS, Addition, Budget, Reader, Tail};

/// The recent frames of one key, as a shard keeps them.
pub struct RecentFrames {
    tail: Tail,
    budget: Budget,
}

/// What comes next for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The reader has everything.
    Nothing,
    /// The next frames, and the reader's offset after them.
    Frames(Vec<u8>, u64),
    /// Frames that the reader lacks are gone.
    Lapped,
}

impl RecentFrames {
    /// A tail without frames, of a key in which `head` was the last seq published. It keeps at most `most` bytes.
    pub fn new(head: u64, most: usize) -> Self {
        Self { tail: Tail::new(head), budget: Budget { each: most, left: most } }
    }

    /// Keeps a frame. With `cut`, no reader that follows later is given what was published before this frame.
    pub fn publish(&mut self, bytes: &[u8], seq: u64, cut: bool) {
        // Without fleeting frames nothing is thinned out, so no reader's offset changes.
        let _ = self.tail.append(Addition { bytes, seq: Some(seq), cut, stamp: 0 }, &mut self.budget);
    }

    /// The offset of a reader that has everything up to `after`; `None` if the frames do not reach back so far.
    pub fn follow(&self, after: u64) -> Option<u64> {
        self.tail.reaches(after).then(|| self.tail.offset_after(after))
    }

    /// The next frames for a reader at `offset`.
    pub fn next(&self, offset: u64) -> Next {
        if offset < self.tail.start() {
            return Next::Lapped;
        }
        match self.tail.run(Reader { offset, live_from: 0, last: 0 }, ALWAYS) {
            None => Next::Nothing,
            Some(run) => {
                let (first, second) = self.tail.slices(run);
                Next::Frames([first, second].concat(), run.to)
            }
        }
    }
}
