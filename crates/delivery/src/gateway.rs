//! What delivery asks of the server above it.

use crate::follow::Refusal;
use crate::frame::Frame;
use crate::key::{ConnId, Key};

/// Translates a wire protocol: one value per connection, implemented by the server.
///
/// 1. Every method runs on the thread of the shard that owns the connection: it never blocks, waits or reads a database.
/// 2. It may call any method of [`Delivery`](crate::Delivery) except `hush`, `drain` and `stop`.
/// 3. A panic in a method ends its connection with code 1011 where one can still be sent, and nothing else.
pub trait Gateway: Send + Sync + 'static {
    /// The peer said something. Counts as one unanswered message; at
    /// [`max_unanswered`](crate::Options::max_unanswered) the socket is not read until one is answered.
    fn on_text(&self, conn: ConnId, text: &str);

    /// The peer sent a binary message. Counts as one unanswered message, too.
    fn on_binary(&self, conn: ConnId, data: &[u8]);

    /// The tail does not reach back to `after` + 1: nothing was sent, and nothing of the key is until it is followed again,
    /// anew or to make up for this refusal.
    fn on_too_old(&self, conn: ConnId, key: Key, after: u64, refusal: Refusal);

    /// The connection fell so far behind that frames of the key are gone from the tail. It no longer follows the key; the
    /// last frame of it that is sent has the seq `last`.
    fn on_lagged(&self, conn: ConnId, key: Key, last: u64);

    /// The last frame of a [`page`](crate::Delivery::page) was taken by the kernel. Called once for each page.
    fn on_drained(&self, conn: ConnId);

    /// The kernel has taken all that waited for this connection alone: the answer to
    /// [`ask_taken`](crate::Delivery::ask_taken). For who never asks there is nothing to do.
    fn on_taken(&self, _conn: ConnId) {}

    /// Every [`heartbeat`](crate::Options::heartbeat): what is returned leaves in one write with the ping.
    ///
    /// Not asked while the connection cannot be written to, nor before it follows anything: what it is told first is not
    /// queued yet.
    fn on_beat(&self, conn: ConnId) -> Option<Frame>;

    /// The connection is over. Exactly once for each connection attached, and the last call.
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
    /// We closed it, by `close`, `drain`, `stop` (1012) or after a gateway's panic (1011).
    ByUs {
        /// The code of our close frame.
        code: u16,
    },
    /// The transport ended without a close frame.
    Lost,
    /// Nothing was read from it for [`silence`](crate::Options::silence).
    Silent,
    /// It took nothing for [`stall`](crate::Options::stall), or more than
    /// [`max_unicast`](crate::Options::max_unicast) waited for it.
    Slow,
    /// The peer broke RFC 6455 or a limit.
    Protocol {
        /// The code of our close frame: 1002, 1007, 1008 or 1009.
        code: u16,
    },
}
