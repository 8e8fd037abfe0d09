//! The native protocol: commands in, replies in order, catching up.

mod catching_up;
mod connection;
mod missed;
mod reading;
mod replies;

pub(super) use connection::Connection;

use crate::live::{is_room, native};
use delivery::{Closed, ConnId, Frame, Gateway, Key, Shortfall};
use missed::Missed;
use protocol::frame::Lagged;
use protocol::{CloseCode, ErrorCode, RoomId, ServerFrame};
use reading::{bad, read};
use sabotage::Bug;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A [`Connection`] as delivery holds it.
pub(super) struct Native(pub(super) Arc<Connection>);

impl Gateway for Native {
    fn on_text(&self, _: ConnId, text: &str) {
        match read(text) {
            Ok(frame) => self.0.take(frame),
            Err(wrong) => {
                let (id, error) = *wrong;
                self.0.refuse(id, error);
            }
        }
    }

    fn on_binary(&self, _: ConnId, _: &[u8]) {
        let message = "Binary frames are not understood. Send JSON as text.";
        self.0.refuse(None, bad(ErrorCode::BadRequest, message));
    }

    fn on_too_old(&self, _: ConnId, key: Key, after: u64, shortfall: Shortfall) {
        if let Some(room) = self.0.rooms.named(key) {
            self.0.catch_up(room, Missed { after: Some(after), shortfall });
        }
    }

    fn on_lagged(&self, conn: ConnId, key: Key, _: u64) {
        if !is_room(key) {
            // What is personal is not logged: the next hello restates it.
            return self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
        }
        if let Some(room) = self.0.rooms.named(key) {
            if sabotage::has(Bug::BeatFromFollows) {
                unheard().push((conn, room));
            }
            self.0.say(native(&ServerFrame::Lagged(Lagged { room })));
        }
    }

    fn on_drained(&self, _: ConnId) {
        self.0.drained.notify_waiters();
    }

    fn on_taken(&self, _: ConnId) {
        if let Some(lane) = self.0.lane.get() {
            lane.taken();
        }
    }

    fn on_beat(&self, conn: ConnId) -> Option<Frame> {
        let tells = |room| !sabotage::has(Bug::BeatFromFollows) || !unheard().contains(&(conn, room));
        Some(self.0.rooms.beat(&self.0.beaten, self.0.app.live.moves(), tells))
    }

    fn on_closed(&self, conn: ConnId, closed: Closed) {
        tracing::debug!(user = %self.0.caller.user().id, ?closed, "a connection ended");
        if let Some(lane) = self.0.lane.get() {
            lane.close();
        }
        self.0.over.store(true, Ordering::Release);
        self.0.drained.notify_waiters();
        self.0.app.live.closed(conn);
    }
}

/// The rooms that delivery does not follow any more, by connection: kept only in a build that is to have the bug that its
/// beats go by what delivery follows.
fn unheard() -> MutexGuard<'static, Vec<(ConnId, RoomId)>> {
    static UNHEARD: Mutex<Vec<(ConnId, RoomId)>> = Mutex::new(Vec::new());
    UNHEARD.lock().unwrap_or_else(PoisonError::into_inner)
}
