//! Bytes in a circle. Offsets name them, and never repeat.

/// The last bytes of a stream. An offset counts from the beginning of the stream and stays valid when the ring grows.
#[derive(Default)]
pub(crate) struct Ring {
    bytes: Box<[u8]>,
    start: u64,
    end: u64,
}

impl Ring {
    /// The offset of the oldest byte held.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The offset the next byte will have.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn free(&self) -> usize {
        self.bytes.len() - (self.end - self.start) as usize
    }

    /// Adds bytes; there must be room for them.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.free());
        let at = self.index(self.end);
        let first = bytes.len().min(self.bytes.len() - at);
        self.bytes[at..at + first].copy_from_slice(&bytes[..first]);
        self.bytes[..bytes.len() - first].copy_from_slice(&bytes[first..]);
        self.end += bytes.len() as u64;
    }

    /// Forgets the bytes before `offset`.
    pub(crate) fn drop_before(&mut self, offset: u64) {
        debug_assert!(self.start <= offset && offset <= self.end);
        self.start = offset;
    }

    /// Forgets everything, and moves `end` by one byte that no reader can be given.
    pub(crate) fn skip(&mut self) {
        self.end += 1;
        self.start = self.end;
    }

    /// The bytes from `from` to `to`, both held: in one piece or, around the seam, in two.
    pub(crate) fn slices(&self, from: u64, to: u64) -> (&[u8], &[u8]) {
        debug_assert!(self.start <= from && from <= to && to <= self.end);
        if from == to {
            return (&[], &[]);
        }
        let (at, len) = (self.index(from), (to - from) as usize);
        let first = len.min(self.bytes.len() - at);
        (&self.bytes[at..at + first], &self.bytes[..len - first])
    }

    /// The same stream in a ring of another capacity, which must be enough for the bytes held.
    pub(crate) fn resize(&mut self, capacity: usize) {
        let mut other =
            Ring { bytes: vec![0; capacity].into_boxed_slice(), start: self.start, end: self.start };
        let (first, second) = self.slices(self.start, self.end);
        other.push(first);
        other.push(second);
        *self = other;
    }

    /// An empty ring of the same capacity, to be filled so that it ends where this one does.
    pub(crate) fn emptied(&self, start: u64) -> Ring {
        Ring { bytes: vec![0; self.bytes.len()].into_boxed_slice(), start, end: start }
    }

    fn index(&self, offset: u64) -> usize {
        match self.bytes.len() {
            0 => 0,
            len => (offset % len as u64) as usize,
        }
    }
}
