//! What is published under a key.

use crate::frame::Frame;

/// One frame for every follower of a key.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The frame's place in its key's log. Seqs of a key grow; gaps are allowed.
    ///
    /// `None` is fleeting (presence, typing): heard by whoever follows at the time, left out of catching up, and given at
    /// most a quarter of the tail, so that a reader far behind may miss some.
    pub seq: Option<u64>,
    /// What is sent.
    pub frame: Frame,
    /// An edit or a deletion: nobody who follows from now on is given a frame below this one out of the tail, because
    /// such a frame may hold text that has been removed. Who already follows still hears everything in order.
    pub cut: bool,
}
