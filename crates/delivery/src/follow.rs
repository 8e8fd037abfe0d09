//! How a connection begins, or begins again, to follow a key.

use crate::frame::Frame;
use crate::key::{ConnId, Key};

/// Follows a key from a known place on; a key already followed is taken up again from that place.
#[derive(Clone, Debug)]
pub struct Follow {
    /// Who follows.
    pub conn: ConnId,
    /// What.
    pub key: Key,
    /// The last seq the connection has. Above `head`, it has from elsewhere what is published up to there, and is not
    /// told it again.
    pub after: u64,
    /// The last seq published under the key when this was queued.
    pub head: u64,
    /// Frames sent before the first frame of the key, at once with it. Dropped if the tail does not reach back.
    pub preface: Vec<Frame>,
}
