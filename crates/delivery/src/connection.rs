//! One live WebSocket, as its shard sees it.

use std::sync::Arc;

use bytes::Bytes;
use mio::net::TcpStream;
use sabotage::Bug;
use smallvec::SmallVec;

use crate::allowance::Spending;
use crate::backlog::{Backlog, Then, What};
use crate::codec::Decoder;
use crate::follow::Refusal;
use crate::gateway::Gateway;
use crate::key::{ConnId, Key};
use crate::options::Options;
use crate::tls::Tls;

/// A connection. Owns no buffer while nothing is half read or half written.
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) socket: TcpStream,
    /// `None` where the socket carries plain bytes.
    pub(crate) tls: Option<Box<Tls>>,
    /// `None` where the peer may send as much as it likes.
    pub(crate) spending: Option<Box<Spending>>,
    /// `None` once the gateway has been told that the connection is over.
    pub(crate) gateway: Option<Arc<dyn Gateway>>,
    pub(crate) phase: Phase,
    pub(crate) cursors: Vec<Cursor>,
    /// The latest refusal of each key that waits for it to be made up for. `None` without any.
    pub(crate) refused: Option<Box<Refused>>,
    pub(crate) backlog: Option<Box<Backlog>>,
    pub(crate) decoder: Decoder,
    /// Bytes that were read but may not be acted on until something is answered.
    pub(crate) held: Option<Box<Held>>,
    /// When something was last read, in the shard's milliseconds.
    pub(crate) heard_at: u64,
    /// Since when nothing could be written; 0 while everything can.
    pub(crate) stalled_at: u64,
    pub(crate) unanswered: u16,
    /// Bytes of messages since nothing was unanswered.
    pub(crate) unanswered_bytes: u32,
    /// Control frames since the last beat.
    pub(crate) controls: u16,
    /// The cursor from which the next flush looks, so that no key is always last.
    pub(crate) first: u16,
    /// The gateway is to be told once nothing waits in the backlog.
    pub(crate) asked: bool,
    /// The socket took less than was offered; it will say when it takes more.
    pub(crate) blocked: bool,
    /// In the shard's queue of connections to flush.
    pub(crate) ready: bool,
    /// In the shard's queue of connections to read on from.
    pub(crate) unread: bool,
    /// The kernel said that the peer has finished sending.
    pub(crate) ended: bool,
    /// Is told goodbye once it has its answers; until then nothing more is read.
    pub(crate) leaving: bool,
}

/// Where a connection stands in the tail of something it follows.
pub(crate) struct Cursor {
    pub(crate) audience: u32,
    /// Its place among the audience's followers.
    pub(crate) member: u32,
    /// The border of two frames up to which everything has been sent, or [`Cursor::WAITING`].
    pub(crate) place: u64,
    /// The end of the tail when following began; fleeting frames below are not sent. `Reader::AHEAD` while what the
    /// tail is told may be known.
    pub(crate) live_from: u64,
    /// The last seq that the connection has.
    pub(crate) last: u64,
}

impl Cursor {
    /// The place of a cursor whose start still waits in the backlog: past every end.
    pub(crate) const WAITING: u64 = u64::MAX;
}

/// Keys, each with a refusal.
type Refused = SmallVec<[(Key, Refusal); 2]>;

/// Bytes not acted on yet.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    /// A close frame waits behind what was queued before it. Nothing the peer says counts any more.
    Closing {
        code: u16,
        since: u64,
    },
    /// The gateway knows; what is left is to bring the close frame out and to hear the peer's.
    Lingering {
        until: u64,
        heard: bool,
    },
}

impl Connection {
    pub(crate) fn new(id: ConnId, socket: TcpStream, gateway: Arc<dyn Gateway>) -> Connection {
        Connection {
            id,
            socket,
            tls: None,
            spending: None,
            gateway: Some(gateway),
            phase: Phase::Open,
            cursors: Vec::new(),
            refused: None,
            backlog: None,
            decoder: Decoder::default(),
            held: None,
            heard_at: 0,
            stalled_at: 0,
            unanswered: 0,
            unanswered_bytes: 0,
            controls: 0,
            first: 0,
            asked: false,
            blocked: false,
            ready: false,
            unread: false,
            ended: false,
            leaving: false,
        }
    }

    /// Whether the peer has to wait for answers, or to take those there are, before it is heard again.
    pub(crate) fn paused(&self, options: &Options) -> bool {
        let waits = self.leaving
            || self.unanswered >= options.max_unanswered
            || (self.unanswered_bytes as usize >= options.max_unanswered_bytes
                && !sabotage::has(Bug::UnboundedQueue))
            || self.owes() > options.max_owed;
        waits && self.phase == Phase::Open
    }

    /// Bytes of frames that wait in the backlog.
    fn owes(&self) -> usize {
        self.backlog.as_ref().map_or(0, |backlog| backlog.bytes())
    }

    /// All that has come was read and acted on: what comes from here on comes when it is read.
    pub(crate) fn catch_up(&mut self) {
        if let Some(spending) = &mut self.spending {
            spending.catch_up();
        }
    }

    pub(crate) fn backlog(&mut self) -> &mut Backlog {
        self.backlog.get_or_insert_default()
    }

    pub(crate) fn queue(&mut self, stamp: u64, what: What) {
        self.backlog().push(stamp, what);
    }

    pub(crate) fn queue_frame(&mut self, stamp: u64, frame: Bytes) {
        self.queue(stamp, What::Frame(frame, Then::Nothing));
    }

    /// Gives the memory of an empty backlog back.
    pub(crate) fn tidy(&mut self) {
        if self.backlog.as_ref().is_some_and(|backlog| backlog.is_empty()) {
            self.backlog = None;
        }
    }

    /// The refusal of a key that waits to be made up for.
    pub(crate) fn refusal_of(&self, key: Key) -> Refusal {
        let mut refused = self.refused.iter().flat_map(|refused| refused.iter());
        refused.find(|(refused, _)| *refused == key).map_or(Refusal::NONE, |(_, refusal)| *refusal)
    }

    pub(crate) fn note_refusal(&mut self, key: Key, refusal: Refusal) {
        self.refused.get_or_insert_default().push((key, refusal));
    }

    pub(crate) fn forget_refusal(&mut self, key: Key) {
        if let Some(refused) = &mut self.refused {
            refused.retain(|(refused, _)| *refused != key);
            if refused.is_empty() {
                self.refused = None;
            }
        }
    }

    pub(crate) fn cursor_in(&self, audience: u32) -> Option<usize> {
        self.cursors.iter().position(|cursor| cursor.audience == audience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_and_a_cursor_stay_small() {
        assert!(size_of::<Connection>() <= 208, "{}", size_of::<Connection>());
        assert!(size_of::<Cursor>() <= 32);
    }
}
