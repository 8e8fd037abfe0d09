//! What may be said: commands, replies, events, codes, HTTP bodies and ids of Roomful.
//!
//! Everybody who talks to or about a server shares these types: the server itself, clients, tools and tests.
//! `docs/protocol.md` describes them in words and `fixtures/` holds one example of each frame.
//!
//! Must not know: tokio, SQL, HTTP, sockets, clocks, randomness. It depends on serde alone.

pub mod command;
pub mod error_code;
pub mod event;
pub mod frame;
pub mod http;
pub mod ids;
pub mod model;
pub mod simple;

mod close_code;
mod family;
mod may;
mod personal;

pub use close_code::CloseCode;
pub use command::{ClientFrame, Command};
pub use error_code::{Error, ErrorCode};
pub use event::{Event, EventKind, MessagePosted};
pub use frame::{ServerFrame, Unknown};
pub use ids::{InviteId, Nonce, RoomId, SessionId, UserId};
pub use may::{May, Verb};
pub use model::*;
pub use personal::PersonalFrame;

/// The subprotocol a native client offers in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "roomful.v1";

/// A count or place that fits a JSON number without loss: below 2^53.
pub const MAX_INTEGER: u64 = (1 << 53) - 1;
