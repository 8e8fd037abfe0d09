//! Delivery: how bytes reach every socket.
//!
//! Connections follow keys. A frame that is published under a key reaches every connection that follows the key, in
//! order, and is encoded once. A few plain threads (shards) own all sockets. Nothing here waits, and a slow reader
//! costs a cursor.
//!
//! Must not know: users, rights, JSON, SQL, HTTP or any wire protocol above RFC 6455. A connection follows an opaque
//! [`Key`], is sent an opaque [`Frame`], and what its peer sends goes to a [`Gateway`].
//!
//! # Order
//!
//! What one thread asks of a [`Delivery`] happens at each connection in the order in which it was asked:
//!
//! - a frame published before a unicast arrives before it;
//! - a frame published before an `unfollow` is still sent, and one published after it is not;
//! - a close frame leaves after everything that was queued before it.
//!
//! Only frames of different keys may pass one another, where nothing for the connection itself stands between them.

#![forbid(unsafe_code)]

mod delivery;
mod options;

mod follow;
mod frame;
mod gateway;
mod gathering;
mod key;
mod milestone;
mod publication;
mod stats;

mod handshake;

mod allowance;
mod socket;
mod tls;

mod inbox;
mod interest;
mod job;

mod rounds;
mod shard;

mod drain;
mod farewell;
mod jobs;
mod reading;
mod recess;
mod sweep;
mod turns;

mod audience;
mod backlog;
mod connection;
mod flush;
mod ring;
mod tail;

mod codec;
mod deflate;
mod fragments;
mod header;
mod inflate;
mod mask;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(feature = "model")]
pub mod model;

pub use crate::allowance::Allowance;
pub use crate::delivery::Delivery;
pub use crate::follow::{Follow, Shortfall};
pub use crate::frame::Frame;
pub use crate::gateway::{Closed, Gateway};
pub use crate::gathering::Gathering;
pub use crate::handshake::{Deflate, Malformed, accept_key, subprotocols};
pub use crate::key::{ConnId, Encoding, Key};
pub use crate::milestone::Milestone;
pub use crate::options::Options;
pub use crate::publication::Publication;
pub use crate::socket::Socket;
pub use crate::stats::Stats;
