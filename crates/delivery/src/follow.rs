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
    /// The refusal that this makes up for, after what was missing has been told; with `None` it is wanted whatever was
    /// refused before. Ignored where the key was refused once more since, or is heard again: what is told now was read
    /// for a place that nobody waits at any more.
    pub makes_up_for: Option<Refusal>,
    /// Frames sent before the first frame of the key, at once with it. Dropped if the tail does not reach back.
    pub preface: Vec<Frame>,
}

impl Follow {
    /// Follows `key` from `after` on, whatever was refused before, without a preface.
    pub fn anew(conn: ConnId, key: Key, after: u64, head: u64) -> Follow {
        Follow { conn, key, after, head, makes_up_for: None, preface: Vec::new() }
    }
}

/// One answer that a tail does not reach back; a later one of the same connection and key is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal(pub(crate) u64);

impl Refusal {
    /// In place of one, for what makes up where nothing was refused, as when too much was missed to ask: obeyed unless the
    /// key waits for a refusal to be made up for.
    pub const NONE: Refusal = Refusal(0);
}
