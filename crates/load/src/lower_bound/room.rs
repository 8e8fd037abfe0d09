//! A room of the lower bound: one buffer of bytes, and the connections that read it.

/// Bytes of memory that a buffer keeps once every connection has had them.
const KEPT: usize = 256 << 10;
/// A buffer with more bytes forgets them, even if a connection lacks them.
const MOST: usize = 4 << 20;

/// A room.
pub struct Room {
    pub name: String,
    pub seq: u64,
    pub buffer: Vec<u8>,
    /// The connections in it.
    pub followers: Vec<usize>,
    /// Whether it waits for a turn.
    pub dirty: bool,
    /// Bytes that were in the buffer before it was last emptied.
    before: u64,
    /// Followers not visited yet in this pass, and where the buffer ended when it began.
    unvisited: usize,
    goal: u64,
}

impl Room {
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            // As many digits as in a room that a thousand have joined.
            seq: 1_000,
            buffer: Vec::new(),
            followers: Vec::new(),
            dirty: false,
            before: 0,
            unvisited: 0,
            goal: 0,
        }
    }

    pub fn start(&self) -> u64 {
        self.before
    }

    pub fn end(&self) -> u64 {
        self.before + self.buffer.len() as u64
    }

    pub fn from(&self, offset: u64) -> &[u8] {
        &self.buffer[(offset - self.before) as usize..]
    }

    pub fn begin_pass(&mut self) {
        if self.buffer.len() > MOST {
            self.forget();
        }
        self.unvisited = self.followers.len();
        self.goal = self.end();
    }

    /// The next follower to look at. The walk starts over while there is something newer; `None` once all followers
    /// have everything.
    pub fn next(&mut self) -> Option<usize> {
        self.unvisited = self.unvisited.min(self.followers.len());
        if self.unvisited == 0 {
            if self.goal == self.end() || self.followers.is_empty() {
                self.dirty = false;
                if self.buffer.len() > KEPT {
                    self.forget();
                }
                return None;
            }
            self.begin_pass();
        }
        self.unvisited = self.unvisited.checked_sub(1)?;
        self.followers.get(self.unvisited).copied()
    }

    fn forget(&mut self) {
        self.before += self.buffer.len() as u64;
        self.buffer.clear();
    }
}
