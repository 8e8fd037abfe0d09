//! How to talk to a Roomful server from Rust.
//!
//! [`Client`] is for most programs: it stays connected, resumes every room where it stopped, and sends posts again
//! that were not answered. Below it are the pure parts ([`State`], [`Timeline`], [`Outbox`], [`Backoff`]), one bare
//! WebSocket ([`Connection`]), the HTTP interface ([`Api`]) and the simple protocol ([`Simple`]).
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! let api = client::Api::new("127.0.0.1:3000");
//! let token = api.sign_in("Ana", "correct horse").await?.token.ok_or("no token")?;
//! let ana = client::Client::connect("127.0.0.1:3000", token).await?;
//! let lobby = ana.room("lobby").ok_or("no lobby")?;
//! ana.post(lobby, "Morning!").await?;
//! ana.hears("Morning!").await?;
//! # Ok(())
//! # }
//! ```
//!
//! An [`Address`] says where a server is; `https://chat.example` is spoken to over TLS.
//!
//! Must not know: the server's crates, terminals.

pub mod address;
pub mod api;
pub mod client;
pub mod connection;
pub mod outbox;
pub mod simple;
pub mod state;
pub mod timeline;

mod agreement;
mod backoff;
mod commands;
mod run;
mod socket;
mod trust;

pub use address::Address;
pub use agreement::Disagreement;
pub use api::Api;
pub use backoff::Backoff;
pub use client::{Client, Events, Failure, Late, News, Options};
pub use connection::{Closing, ConnectError, Connection, Received};
pub use outbox::{Outbox, Pending, PendingState};
pub use protocol;
pub use simple::{Simple, SimpleReceived};
pub use state::{Ended, Link, State};
pub use timeline::{Applied, Timeline, Window};
