//! What other threads can ask of a shard.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use bytes::Bytes;

use crate::drain::Drain;
use crate::follow::Follow;
use crate::frame::Frame;
use crate::gateway::Gateway;
use crate::key::{ConnId, Encoding, Key};
use crate::milestone::Milestone;
use crate::publication::Publication;
use crate::socket::Socket;

/// One thing for a shard to do, waiting in its queue. A shard does them in the order in which they were queued.
pub(crate) enum Job {
    Attach(Box<Attach>),
    Follow(Follow),
    Unfollow { conn: ConnId, key: Key },
    Publish { key: Key, encoding: Encoding, publication: Publication },
    Set { key: Key, milestone: Milestone },
    Unicast { conn: ConnId, frame: Frame },
    Page { conn: ConnId, frames: Vec<Frame> },
    Reply { conn: ConnId, frames: Vec<Frame> },
    Answered { conn: ConnId },
    Ask { conn: ConnId },
    Close { conn: ConnId, code: u16, reason: Box<str> },
    Hush { quiet: Sender<()> },
    Drain(Drain),
    Stop,
}

/// A socket that is to become a connection.
pub(crate) struct Attach {
    pub(crate) conn: ConnId,
    pub(crate) socket: Socket,
    pub(crate) leftover: Bytes,
    pub(crate) gateway: Arc<dyn Gateway>,
}
