//! What a caller publishes under a key.

use crate::frame::Frame;

/// One frame for every follower of a key.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The frame's place in the order of its key. The seqs of a key grow; gaps are allowed.
    ///
    /// `None` is a fleeting frame, such as presence or typing. Only the connections that follow at that time hear it,
    /// and it is left out of catching up. Fleeting frames have at most a quarter of the tail, so a reader far behind
    /// may miss some.
    pub seq: Option<u64>,
    /// The frame itself.
    pub frame: Frame,
    /// The frame is an edit or a deletion, so an earlier frame may hold a text that is removed now. No connection
    /// that follows from now on is given an earlier frame out of the tail. A connection that follows already still
    /// hears everything in order.
    pub cut: bool,
}
