//! How a connection begins, or begins again, to follow a key.

use crate::frame::Frame;
use crate::key::{ConnId, Key};

/// A wish to follow a key from a known seq on. A connection that follows the key already goes on from that seq.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The connection that follows.
    pub conn: ConnId,
    /// The key that it follows.
    pub key: Key,
    /// The last seq that the connection has. A value above `head` means that the connection has the frames up to
    /// there from elsewhere: when they are published, it is not told them again.
    pub after: u64,
    /// The last seq that was published under the key when this was queued.
    pub head: u64,
    /// The shortfall that this follow makes up for: pages have told the connection what was missing. The shard ignores
    /// such a follow unless this shortfall is the latest of the key, and nothing has made up for it yet. With `None`
    /// it takes effect in any case.
    pub makes_up_for: Option<Shortfall>,
    /// Frames that are sent directly before the first frame of the key. Dropped if the tail does not reach back to
    /// `after`.
    pub preface: Vec<Frame>,
}

impl Follow {
    /// A follow of `key` from `after` on that takes effect in any case, without a preface.
    pub fn anew(conn: ConnId, key: Key, after: u64, head: u64) -> Follow {
        Follow { conn, key, after, head, makes_up_for: None, preface: Vec::new() }
    }
}

/// Names one time that a tail did not reach back to the seq that a follow asked for. Of two with the same connection
/// and key the later is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shortfall(pub(crate) u64);

impl Shortfall {
    /// No shortfall. A follow that makes up for this one ends a catch-up that no shortfall began: the client missed more than
    /// is looked for in a tail. The shard ignores that follow while a shortfall of the key waits to be made up for.
    pub const NONE: Shortfall = Shortfall(0);
}
