//! One connection of the swarm.

use super::line::Line;
use crate::checker::Track;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The kernel is connecting.
    Connecting,
    /// Asked to be let in, waits for the end of the HTTP head.
    Shaking,
    /// Waits for `hello` or `welcome`.
    Greeting,
    /// It receives what is said.
    Ready,
    /// Open, and reads nothing.
    Stalled,
    /// Over.
    Gone,
}

/// A connection.
pub struct Conn {
    pub line: Option<Line>,
    pub phase: Phase,
    /// The beginning of a frame whose end has not come yet.
    pub left: Vec<u8>,
    /// One for each room in the native protocol, one for each sender of the room in the simple one.
    pub tracks: Box<[Track]>,
}
