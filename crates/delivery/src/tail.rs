//! The recent frames of a key, as they go over the wire.

use std::collections::VecDeque;

use crate::ring::Ring;

/// A stamp later than that of any frame.
pub(crate) const ALWAYS: u64 = u64::MAX;

/// Least bytes of memory of a tail that holds a frame.
const LEAST: usize = 512;

/// Recent frames in one piece of memory, and where each ends.
///
/// 1. A reader stands at an offset. The slice from there to `end` is what the reader lacks.
/// 2. A reader whose offset is below `start` has lost frames. The offset of a reader is always the border of two
///    frames.
/// 3. Everything published with a seq above `floor` is here.
#[derive(Default)]
pub(crate) struct Tail {
    ring: Ring,
    entries: VecDeque<Entry>,
    /// The lowest seq from which a connection may catch up.
    floor: u64,
    /// The highest seq published.
    last: u64,
    /// Bytes of fleeting frames held.
    fleeting: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The offset behind the frame.
    end: u64,
    /// The highest seq of this frame and those before it.
    seq: u64,
    stamp: u64,
    fleeting: bool,
}

/// A frame to be kept.
pub(crate) struct Addition<'a> {
    pub(crate) bytes: &'a [u8],
    /// `None` for a fleeting frame.
    pub(crate) seq: Option<u64>,
    pub(crate) cut: bool,
    /// The shard's stamp at the publication; never less than that of the frame before.
    pub(crate) stamp: u64,
}

/// Bytes that tails may still take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Budget {
    /// Most bytes of one tail.
    pub(crate) each: usize,
    /// Bytes left for all.
    pub(crate) left: usize,
}

/// How offsets changed when frames were taken out from between others.
pub(crate) struct Shift {
    /// Offset and length of what was taken out, the newest first.
    removed: Vec<(u64, u64)>,
}

/// A reader of a tail.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    /// The border of two frames up to which all is sent.
    pub(crate) offset: u64,
    /// Fleeting frames before this offset are not sent. [`Reader::AHEAD`] where the reader may know frames of the
    /// tail already.
    pub(crate) live_from: u64,
    /// The last seq that the reader has.
    pub(crate) last: u64,
}

impl Reader {
    /// For `live_from`: the reader has from elsewhere what is published up to `last`, and is not sent it.
    pub(crate) const AHEAD: u64 = u64::MAX;
}

/// Frames that may be sent to a reader in one piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Tail {
    /// An empty tail of a key in which `head` was the last seq published.
    pub(crate) fn new(head: u64) -> Tail {
        Tail { floor: head, last: head, ..Tail::default() }
    }

    pub(crate) fn start(&self) -> u64 {
        self.ring.start()
    }

    pub(crate) fn end(&self) -> u64 {
        self.ring.end()
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// Whether the tail holds frames, and only fleeting ones, which no later follower needs.
    pub(crate) fn is_only_fleeting(&self) -> bool {
        self.fleeting > 0 && self.fleeting as u64 == self.end() - self.start()
    }

    /// Whether every frame above `after` is here.
    pub(crate) fn reaches(&self, after: u64) -> bool {
        after >= self.floor
    }

    /// The offset of a reader that has everything up to `after`.
    pub(crate) fn offset_after(&self, after: u64) -> u64 {
        self.start_of(self.entries.partition_point(|entry| entry.seq <= after))
    }

    /// The seq of a reader at `offset`, which is the border of two frames.
    pub(crate) fn seq_at(&self, offset: u64) -> u64 {
        if offset >= self.end() {
            return self.last;
        }
        match self.entries.partition_point(|entry| entry.end <= offset).checked_sub(1) {
            Some(index) => self.entries[index].seq,
            None => self.floor,
        }
    }

    /// The end of the frame that holds the byte before `offset`.
    pub(crate) fn border(&self, offset: u64) -> u64 {
        match self.entries.get(self.entries.partition_point(|entry| entry.end < offset)) {
            Some(entry) => entry.end,
            None => self.end(),
        }
    }

    pub(crate) fn slices(&self, run: Run) -> (&[u8], &[u8]) {
        self.ring.slices(run.from, run.to)
    }

    /// The offset behind the last frame published before `stamp`.
    pub(crate) fn end_before(&self, stamp: u64) -> u64 {
        match self.entries.back() {
            Some(newest) if stamp != ALWAYS && newest.stamp >= stamp => {
                self.start_of(self.entries.partition_point(|entry| entry.stamp < stamp))
            }
            Some(_) | None => self.end(),
        }
    }

    /// The next frames for a reader, of those published before `stamp`. A run without bytes only moves the reader on.
    pub(crate) fn run(&self, reader: Reader, stamp: u64) -> Option<Run> {
        let Reader { offset, live_from, last } = reader;
        let end = self.end_before(stamp);
        if offset >= end {
            return None;
        }
        if offset >= live_from {
            return Some(Run { from: offset, to: end });
        }
        let ahead = live_from == Reader::AHEAD;
        let stale = |index: usize| match self.entries[index] {
            Entry { fleeting: true, .. } => !ahead && self.start_of(index) < live_from,
            Entry { seq, .. } => ahead && seq <= last,
        };
        let mut index = self.entries.partition_point(|entry| entry.end <= offset);
        while self.start_of(index) < end && stale(index) {
            index += 1;
        }
        let from = self.start_of(index);
        while self.start_of(index) < end && !stale(index) {
            index += 1;
        }
        Some(Run { from, to: self.start_of(index) })
    }

    /// Keeps a frame. The tail grows within the budget, and then forgets its oldest frames.
    ///
    /// If there is no memory for the frame, a fleeting frame is dropped. In place of any other frame every reader is
    /// put below `start`, so that it lags.
    pub(crate) fn append(&mut self, addition: Addition<'_>, budget: &mut Budget) -> Option<Shift> {
        let Addition { bytes, seq, cut, stamp } = addition;
        let quarter = budget.each / 4;
        let crowded = seq.is_none() && self.fleeting + bytes.len() > quarter;
        // Down to half of what is allowed, so that many fleeting frames are thinned out once in a while and not at
        // each publication.
        let shift = crowded.then(|| self.thin(quarter.saturating_sub(bytes.len()).min(quarter / 2)));
        if cut {
            self.floor = self.floor.max(seq.map_or(self.last, |seq| seq.saturating_sub(1)));
        }
        let room = self.make_room(bytes.len(), budget);
        self.last = self.last.max(seq.unwrap_or(0));
        if room {
            self.ring.push(bytes);
            self.entries.push_back(Entry { end: self.end(), seq: self.last, stamp, fleeting: seq.is_none() });
            self.fleeting += if seq.is_none() { bytes.len() } else { 0 };
        } else if seq.is_some() {
            self.ring.skip();
            self.floor = self.last;
        }
        shift
    }

    /// Notes that frames up to `head` were published elsewhere, if so: no connection catches up across them.
    pub(crate) fn miss(&mut self, head: u64) {
        if head > self.last {
            self.floor = head;
            self.last = head;
        }
    }

    /// Forgets all frames and gives the memory back. Readers at `end` lose nothing.
    pub(crate) fn release(&mut self, budget: &mut Budget) {
        budget.left += self.capacity();
        let end = self.end();
        *self = Tail { floor: self.last, last: self.last, ..Tail::default() };
        self.ring = self.ring.emptied(end);
    }

    fn make_room(&mut self, len: usize, budget: &mut Budget) -> bool {
        while self.ring.free() < len {
            if !self.grow(len, budget) && !self.forget_oldest() {
                return false;
            }
        }
        true
    }

    fn grow(&mut self, len: usize, budget: &mut Budget) -> bool {
        let old = self.capacity();
        let held = old - self.ring.free();
        let new = (held + len).next_power_of_two().max(LEAST).min(budget.each);
        if new <= old || new - old > budget.left {
            return false;
        }
        budget.left -= new - old;
        self.ring.resize(new);
        true
    }

    fn forget_oldest(&mut self) -> bool {
        let Some(oldest) = self.entries.pop_front() else { return false };
        if oldest.fleeting {
            self.fleeting -= (oldest.end - self.start()) as usize;
        }
        self.floor = self.floor.max(oldest.seq);
        self.ring.drop_before(oldest.end);
        true
    }

    /// Takes out the oldest fleeting frames, until at most `keep` bytes of them are left.
    ///
    /// The frames that stay are moved towards `end`, so that the offsets of readers that are not behind stay the same.
    fn thin(&mut self, keep: usize) -> Shift {
        let mut kept = VecDeque::with_capacity(self.entries.len());
        let (mut fleeting, mut moved, mut removed) = (0, 0, Vec::new());
        for (index, entry) in self.entries.iter().enumerate().rev() {
            let start = self.start_of(index);
            let len = entry.end - start;
            if entry.fleeting && fleeting + len as usize > keep {
                moved += len;
                removed.push((start, len));
            } else {
                fleeting += if entry.fleeting { len as usize } else { 0 };
                kept.push_front((
                    Run { from: start, to: entry.end },
                    Entry { end: entry.end + moved, ..*entry },
                ));
            }
        }
        let mut ring = self.ring.emptied(self.start() + moved);
        for (run, _) in &kept {
            let (first, second) = self.ring.slices(run.from, run.to);
            ring.push(first);
            ring.push(second);
        }
        self.ring = ring;
        self.entries = kept.into_iter().map(|(_, entry)| entry).collect();
        self.fleeting = fleeting;
        Shift { removed }
    }

    fn start_of(&self, index: usize) -> u64 {
        match index.checked_sub(1) {
            Some(before) => self.entries[before].end,
            None => self.start(),
        }
    }
}

impl Shift {
    /// The offset now of a reader that was at `offset`.
    pub(crate) fn moved(&self, offset: u64) -> u64 {
        offset
            + self.removed.iter().take_while(|(start, _)| *start >= offset).map(|(_, len)| len).sum::<u64>()
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
