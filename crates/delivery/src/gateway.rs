//! What delivery asks of the server that uses it.

use crate::follow::Shortfall;
use crate::frame::Frame;
use crate::key::{ConnId, Key};

/// Translates a wire protocol: one value per connection, implemented by the server.
///
/// 1. Every method runs on the thread of the shard that owns the connection. It must not block, wait or read a
///    database.
/// 2. It may call any method of [`Delivery`](crate::Delivery) except `hush`, `drain` and `stop`.
/// 3. A panic in a method ends its connection, with code 1011 where a close frame can still be sent, and nothing
///    else.
pub trait Gateway: Send + Sync + 'static {
    /// The peer sent a text message. It counts as unanswered; at [`max_unanswered`](crate::Options::max_unanswered)
    /// the shard does not read the socket until one is answered.
    fn on_text(&self, conn: ConnId, text: &str);

    /// The peer sent a binary message. It counts as unanswered, too.
    fn on_binary(&self, conn: ConnId, data: &[u8]);

    /// The tail does not reach back to `after` + 1. Nothing was sent, and nothing of the key is sent until the
    /// connection follows the key again: either anew, or with a follow that makes up for this shortfall.
    fn on_too_old(&self, conn: ConnId, key: Key, after: u64, shortfall: Shortfall);

    /// The connection fell so far behind that frames of the key are gone from the tail. It does not follow the key
    /// any more. The last frame of the key that it is sent has the seq `last`.
    fn on_lagged(&self, conn: ConnId, key: Key, last: u64);

    /// The last frame of a [`page`](crate::Delivery::page) was taken by the kernel. Called once for each page.
    fn on_drained(&self, conn: ConnId);

    /// The kernel has taken everything that waited for this connection alone: the answer to
    /// [`ask_taken`](crate::Delivery::ask_taken). A gateway that never asks need not implement this.
    fn on_taken(&self, _conn: ConnId) {}

    /// Called every [`heartbeat`](crate::Options::heartbeat). The returned frame leaves in one write with a ping.
    ///
    /// Not called while the connection cannot be written to, nor before the connection follows a key: its first
    /// frames are not queued yet.
    fn on_beat(&self, conn: ConnId) -> Option<Frame>;

    /// The connection is over. Called exactly once for each attached connection, and as the last call.
    fn on_closed(&self, conn: ConnId, closed: Closed);
}

/// How a connection came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The peer sent a close frame; `None` if it held no code.
    ByPeer {
        /// The code the peer gave (RFC 6455 §7.4).
        code: Option<u16>,
    },
    /// The server closed it: by `close`, `drain` or `stop` (1012), or after a panic of the gateway (1011).
    ByUs {
        /// The code of the server's close frame.
        code: u16,
    },
    /// The transport ended without a close frame.
    Lost,
    /// Nothing was read from the connection for [`silence`](crate::Options::silence).
    Silent,
    /// The peer took nothing for [`stall`](crate::Options::stall), or more than
    /// [`max_unicast`](crate::Options::max_unicast) waited for it.
    Slow,
    /// The peer broke RFC 6455 or a limit.
    Protocol {
        /// The code of the server's close frame: 1002, 1007, 1008 or 1009.
        code: u16,
    },
}
