//! What every request may need.

use crate::config::{Config, PublicUrl};
use crate::doors::Doors;
use crate::live::Live;
use crate::pacing::Pacing;
use crate::seats::Seats;
use crate::setup::Setup;
use chat::Chat;
use delivery::{Allowance, Delivery};
use protocol::Limits;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::runtime::Handle;

/// The largest frame or body the server reads, in bytes.
pub const FRAME_BYTES: u32 = 64 * 1024;
/// Commands that may be under way at once on a connection.
pub const UNANSWERED: u32 = 16;

/// What every request may need. One per server, behind an `Arc`.
pub struct App {
    /// What happens.
    pub chat: Chat,
    /// Where events meet connections.
    pub live: Live,
    /// How bytes reach sockets.
    pub delivery: Delivery,
    /// Which writes may go on now.
    pub pacing: Pacing,
    /// Who may come in, and from where.
    pub doors: Doors,
    /// The one-time link that makes the owner.
    pub setup: Setup,
    /// What the operator decided.
    pub settings: Settings,
    /// How many connections there are.
    pub seats: Seats,
    /// Runs what the thread of a shard may not wait for.
    pub runtime: Handle,
    /// True from the first signal to stop: readiness is red and nobody new is let in.
    pub draining: AtomicBool,
}

/// What the operator decided, as far as requests ask for it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The community's name.
    pub name: String,
    /// The address people type, when it is not the one we listen on.
    pub public_url: Option<PublicUrl>,
    /// Whether the server itself speaks TLS.
    pub tls: bool,
    /// Whether guests may open open rooms, and entering an open room that does not exist opens it.
    pub guests_open_rooms: bool,
    /// How often every connection hears from the server.
    pub heartbeat: Duration,
    /// Whether WebSockets may be compressed.
    pub compression: bool,
    /// How much may be sent on a WebSocket.
    pub allowance: Allowance,
    /// Names the web client's files.
    pub build: &'static str,
}

impl Settings {
    /// The part of `config` that requests ask for.
    pub fn new(config: &Config) -> Self {
        Self {
            name: config.name.clone(),
            public_url: config.public_url.clone(),
            tls: config.tls_cert.is_some(),
            guests_open_rooms: config.guests_open_rooms,
            heartbeat: config.heartbeat,
            compression: config.compression,
            allowance: Allowance {
                frames: config.limits.frames_per_second,
                bytes: config.limits.bytes_per_second,
            },
            build: crate::assets::BUILD,
        }
    }

    /// Whether browsers reach the server by https, so that cookies must not travel otherwise.
    pub fn is_secure(&self) -> bool {
        self.public_url.as_ref().map_or(self.tls, PublicUrl::is_secure)
    }
}

impl App {
    /// Extends the sessions that somebody is connected in. A session is otherwise extended by requests, and a client that
    /// stays connected sends none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_signed_in(&self) -> chat::Result<()> {
        self.chat.keep_signed_in(self.live.sessions().await).await
    }

    /// The numbers a client would otherwise have to guess.
    pub fn limits(&self) -> Limits {
        Limits {
            text_chars: chat::TEXT_CHARS as u32,
            name_chars: chat::NAME_CHARS as u32,
            frame_bytes: FRAME_BYTES,
            page: chat::PAGE,
            unanswered: UNANSWERED,
            mark_read_ms: 2_000,
            password_chars: chat::PASSWORD_MIN as u32,
        }
    }
}
