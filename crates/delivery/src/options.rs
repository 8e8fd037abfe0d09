//! Limits and intervals of delivery.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

/// Limits and intervals; [`Options::default`] holds the values the product ships with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that own connections, 1 to 64. Default: one per core.
    pub shards: usize,
    /// Largest message a peer may send, in bytes, summed over its fragments. Beyond it: close code 1009. Default 64 KiB.
    pub max_message: usize,
    /// Most bytes of recent frames kept per key, encoding and shard. Default 256 KiB.
    ///
    /// A frame longer than this reaches nobody: every follower of its key is told that it lagged.
    pub tail_bytes: usize,
    /// Most bytes all tails of all shards hold together. Default 64 MiB.
    pub tails_total: usize,
    /// How many messages of one connection may wait for an answer before its socket is not read any more. Default 16.
    pub max_unanswered: u16,
    /// How many bytes of messages may wait for an answer before the socket is not read, until all are answered.
    /// Default 128 KiB.
    pub max_unanswered_bytes: usize,
    /// Bytes of unicast frames that may wait in one connection before its socket is not read any more: a peer that
    /// does not take answers may not ask for more. Default 64 KiB.
    pub max_owed: usize,
    /// Bytes of unicast frames that may wait in one connection. A connection with more is closed with 1013. Default 8
    /// MiB.
    pub max_unicast: usize,
    /// How often each connection gets a ping and what [`Gateway::on_beat`](crate::Gateway::on_beat) gives. Default 25 s.
    pub heartbeat: Duration,
    /// A connection is closed before nothing was read from it for longer than this. Default 75 s.
    pub silence: Duration,
    /// A connection is closed when something is to be written to it and nothing could be for this long. Default 30 s.
    pub stall: Duration,
    /// Bytes that the kernel may hold unsent per socket (`TCP_NOTSENT_LOWAT`). Default 16 KiB.
    ///
    /// Low, because bytes in the kernel are copied for each connection, and bytes in a tail are not.
    pub socket_lowat: u32,
    /// The reason in the close frame of a peer that sent too much (1008), for the peer's program to read. Default:
    /// none.
    pub flood_reason: &'static str,
}

pub(crate) const MAX_SHARDS: usize = 64;

impl Default for Options {
    fn default() -> Options {
        Options {
            shards: thread::available_parallelism().map_or(1, NonZero::get),
            max_message: 64 << 10,
            tail_bytes: 256 << 10,
            tails_total: 64 << 20,
            max_unanswered: 16,
            max_unanswered_bytes: 128 << 10,
            max_owed: 64 << 10,
            max_unicast: 8 << 20,
            heartbeat: Duration::from_secs(25),
            silence: Duration::from_secs(75),
            stall: Duration::from_secs(30),
            socket_lowat: 16 << 10,
            flood_reason: "",
        }
    }
}

impl Options {
    /// The same options with every count brought within its limits.
    pub(crate) fn bounded(mut self) -> Options {
        self.shards = self.shards.clamp(1, MAX_SHARDS);
        self.max_unanswered = self.max_unanswered.max(1);
        self.max_unanswered_bytes = self.max_unanswered_bytes.max(1);
        self
    }
}
