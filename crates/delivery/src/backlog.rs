//! What waits for one connection alone, beside the tails that it reads.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::key::Key;

/// Most bytes of pongs kept for a peer that pings faster than it reads.
const MAX_PONGS: usize = 2048;

/// Bytes that a waiting item counts beside its frame, so that a queue of small items is bounded, too.
const ITEM: usize = size_of::<Item>();

/// Frames for one connection alone, and the starts and stops of keys that must come between them.
///
/// An item is due when everything that was published before its stamp, under any key that the connection follows, has
/// left. So the order in which a caller asked is kept, although the frames of keys wait in tails and these items wait
/// here. A connection without items has no backlog.
#[derive(Default)]
pub(crate) struct Backlog {
    /// The rest of a frame of which a part has left. It goes before anything else.
    pub(crate) rest: Option<Rest>,
    /// The answers to the peer's latest pings.
    pub(crate) pongs: Option<Bytes>,
    pub(crate) queue: VecDeque<Item>,
    /// Bytes in `queue`.
    bytes: usize,
}

pub(crate) struct Rest {
    pub(crate) bytes: Bytes,
    pub(crate) then: Then,
}

/// What is to be done once a frame has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    Nothing,
    /// It was the last of a page.
    Drained,
    /// It was the close frame.
    Farewell,
}

pub(crate) struct Item {
    pub(crate) stamp: u64,
    pub(crate) what: What,
}

pub(crate) enum What {
    Frame(Bytes, Then),
    /// From here on the connection hears the key, from `after` on.
    Start {
        key: Key,
        after: u64,
    },
    /// From here on the connection does not hear the key.
    Stop {
        key: Key,
    },
}

impl What {
    fn cost(&self) -> usize {
        match self {
            What::Frame(bytes, _) => ITEM + bytes.len(),
            What::Start { .. } | What::Stop { .. } => ITEM,
        }
    }
}

impl Backlog {
    pub(crate) fn push(&mut self, stamp: u64, what: What) {
        self.bytes += what.cost();
        self.queue.push_back(Item { stamp, what });
    }

    /// Adds the answer to a ping. When too many answers wait, this one stands for the earlier ones, too (RFC 6455
    /// §5.5.3).
    pub(crate) fn answer_ping(&mut self, pong: Bytes) {
        self.pongs = match self.pongs.take() {
            Some(earlier) if earlier.len() + pong.len() <= MAX_PONGS => {
                Some(Bytes::from([earlier, pong].concat()))
            }
            Some(_) | None => Some(pong),
        };
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.queue.pop_front()?;
        self.bytes -= item.what.cost();
        Some(item)
    }

    /// Forgets everything except the rest of a frame of which a part has left: the peer could not read a close frame
    /// behind half a frame.
    pub(crate) fn clear(&mut self) {
        self.pongs = None;
        self.queue.clear();
        self.bytes = 0;
        if let Some(rest) = &mut self.rest {
            rest.then = Then::Nothing;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_none() && self.pongs.is_none() && self.queue.is_empty()
    }

    /// Takes back the start of a key, if it is the last item about that key.
    pub(crate) fn withdraw_start(&mut self, key: Key) {
        let is_stop = |item: &Item| matches!(item.what, What::Stop { key: stopped } if stopped == key);
        let behind = self.queue.iter().rposition(is_stop).map_or(0, |stop| stop + 1);
        let (bytes, mut place) = (&mut self.bytes, 0);
        self.queue.retain(|item| {
            let is_start = matches!(item.what, What::Start { key: started, .. } if started == key);
            let withdrawn = is_start && place >= behind;
            place += 1;
            if withdrawn {
                *bytes -= item.what.cost();
            }
            !withdrawn
        });
    }

    /// What the backlog holds about a key. The last item about the key counts.
    pub(crate) fn intent(&self, key: Key) -> Option<Intent> {
        self.queue.iter().rev().find_map(|item| match &item.what {
            What::Start { key: started, .. } if *started == key => Some(Intent::Start),
            What::Stop { key: stopped } if *stopped == key => Some(Intent::Stop),
            What::Frame(..) | What::Start { .. } | What::Stop { .. } => None,
        })
    }
}

/// Whether the connection will follow a key once its backlog is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intent {
    Start,
    Stop,
}
