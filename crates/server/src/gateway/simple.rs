//! The simple protocol: join, chat, leave.

mod chatting;
mod commands;
mod connection;

pub(super) use connection::Connection;

use super::admission::Admission;
use crate::complaint::complaint;
use delivery::{Closed, ConnId, Frame, Gateway, Key, Shortfall};
use protocol::CloseCode;
use std::sync::Arc;

/// A [`Connection`] as delivery holds it.
pub(super) struct Simple(pub(super) Arc<Connection>);

impl Gateway for Simple {
    fn on_text(&self, _: ConnId, text: &str) {
        match serde_json::from_str(text) {
            Ok(command) => self.0.hear(command),
            Err(wrong) => self.0.refuse(format!("invalid message: {}", complaint(&wrong))),
        }
    }

    fn on_binary(&self, _: ConnId, _: &[u8]) {
        self.0.refuse("invalid message: binary frames are not understood, send JSON as text".to_owned());
    }

    fn on_too_old(&self, conn: ConnId, _: Key, _: u64, _: Shortfall) {
        self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
    }

    fn on_lagged(&self, conn: ConnId, _: Key, _: u64) {
        self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
    }

    fn on_drained(&self, _: ConnId) {}

    fn on_taken(&self, _: ConnId) {
        self.0.lane.taken();
    }

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }

    fn on_closed(&self, conn: ConnId, closed: Closed) {
        tracing::debug!(?closed, "a simple connection ended");
        self.0.lane.close();
        self.0.app.live.closed(conn);
    }
}

/// A connection that is told why it is refused, and then closed. Nothing that its client says is heard.
pub(super) struct Refused {
    pub(super) _admission: Admission,
}

impl Gateway for Refused {
    fn on_text(&self, _: ConnId, _: &str) {}

    fn on_binary(&self, _: ConnId, _: &[u8]) {}

    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}

    fn on_lagged(&self, _: ConnId, _: Key, _: u64) {}

    fn on_drained(&self, _: ConnId) {}

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }

    fn on_closed(&self, _: ConnId, _: Closed) {}
}
