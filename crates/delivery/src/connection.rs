//! One live WebSocket, as its shard sees it.

use std::sync::Arc;

use bytes::Bytes;
use mio::net::TcpStream;
use sabotage::Bug;
use smallvec::SmallVec;

use crate::allowance::Spending;
use crate::backlog::{Backlog, Then, What};
use crate::codec::Decoder;
use crate::follow::Shortfall;
use crate::gateway::Gateway;
use crate::key::{ConnId, Key};
use crate::options::Options;
use crate::tls::Tls;

/// A connection. Holds no buffer unless a frame is half read or half written.
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
    /// For each key of which the tail did not reach back: the latest shortfall, until a follow makes up for it. `None`
    /// without any.
    pub(crate) shortfalls: Option<Box<Shortfalls>>,
    pub(crate) backlog: Option<Box<Backlog>>,
    pub(crate) decoder: Decoder,
    /// Bytes that were read and wait until the connection's messages are answered.
    pub(crate) held: Option<Box<Held>>,
    /// When something was last read, in the shard's milliseconds.
    pub(crate) heard_at: u64,
    /// Since when nothing could be written, in the shard's milliseconds; 0 while everything can be written.
    pub(crate) stalled_at: u64,
    pub(crate) unanswered: u16,
    /// Bytes of the messages read since the last moment at which none was unanswered.
    pub(crate) unanswered_bytes: u32,
    /// Control frames since the last beat.
    pub(crate) controls: u16,
    /// The cursor at which the next flush begins, so that no key is always the last.
    pub(crate) first: u16,
    /// The gateway asked to be told once the backlog is empty.
    pub(crate) asked: bool,
    /// The socket took less than it was offered. The kernel will say when it takes more.
    pub(crate) blocked: bool,
    /// The connection is in the shard's queue of connections to flush.
    pub(crate) ready: bool,
    /// The connection is in the shard's queue of connections to read on from.
    pub(crate) unread: bool,
    /// The kernel said that the peer has finished sending.
    pub(crate) ended: bool,
    /// The shard closes the connection once its messages are answered, and reads nothing more from it until then.
    pub(crate) leaving: bool,
}

/// Where a connection stands in the tail of a key that it follows.
pub(crate) struct Cursor {
    pub(crate) audience: u32,
    /// The index of the connection among the audience's followers.
    pub(crate) member: u32,
    /// The offset up to which everything has been sent, always the border of two frames; or [`Cursor::WAITING`].
    pub(crate) offset: u64,
    /// The end of the tail when following began: fleeting frames before it are not sent. `Reader::AHEAD` while the
    /// connection may have from elsewhere what the tail holds.
    pub(crate) live_from: u64,
    /// The last seq that the connection has.
    pub(crate) last: u64,
}

impl Cursor {
    /// For `offset`, while the start of the key still waits in the backlog: beyond every end.
    pub(crate) const WAITING: u64 = u64::MAX;
}

/// Keys, each with a shortfall.
type Shortfalls = SmallVec<[(Key, Shortfall); 2]>;

/// Bytes that were read and not acted on yet.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Open,
    /// A close frame waits behind what was queued before it. What the peer says does not count any more.
    Closing {
        code: u16,
        since: u64,
    },
    /// The gateway knows that the connection is over. The close frame has to leave, and the peer's has to come.
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
            shortfalls: None,
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

    /// Whether the shard does not read from the peer: the peer's messages must be answered first, or the peer must
    /// take answers that wait.
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

    /// Everything that came was read and acted on. What is read later counts as sent later.
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

    /// The latest shortfall of a key that a follow has not made up for yet; [`Shortfall::NONE`] without one.
    pub(crate) fn shortfall_of(&self, key: Key) -> Shortfall {
        let mut shortfalls = self.shortfalls.iter().flat_map(|shortfalls| shortfalls.iter());
        shortfalls.find(|(of, _)| *of == key).map_or(Shortfall::NONE, |(_, shortfall)| *shortfall)
    }

    pub(crate) fn note_shortfall(&mut self, key: Key, shortfall: Shortfall) {
        self.shortfalls.get_or_insert_default().push((key, shortfall));
    }

    pub(crate) fn forget_shortfall(&mut self, key: Key) {
        if let Some(shortfalls) = &mut self.shortfalls {
            shortfalls.retain(|(of, _)| *of != key);
            if shortfalls.is_empty() {
                self.shortfalls = None;
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
