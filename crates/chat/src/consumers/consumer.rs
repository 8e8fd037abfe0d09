//! What a consumer is.

use crate::error::Result;
use crate::sql::Sql;
use crate::stream::RoomKey;
use protocol::RoomId;

/// Something that makes something of the log of every room.
#[derive(Clone, Copy)]
pub(super) struct Consumer {
    /// Its name, under which its places are stored.
    pub(super) name: &'static str,
    /// The most events that it takes at once: what comes of them must not hold up for long what people write.
    pub(super) most: u64,
    /// Reads a stretch and works on it, on a connection that only reads: damage that is met there is the stretch's own,
    /// while damage that the writer meets ends the server. It reads with texts or without, as it needs.
    pub(super) read: fn(Sql<'_>, Stretch) -> Result<Work>,
    /// Throws away up to so many rows of what was stored of a room, and answers how many there were.
    pub(super) forget: fn(Sql<'_>, RoomKey, u64) -> Result<u64>,
}

/// Consecutive events of a room: those after one place, up to another.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) room: RoomKey,
    /// The room's id, for the server's log.
    pub(super) id: RoomId,
    pub(super) after: u64,
    pub(super) to: u64,
}

/// What is left to be written of a stretch.
pub(super) type Work = Box<dyn FnOnce(Sql<'_>) -> Result<()> + Send>;
