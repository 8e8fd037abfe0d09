//! Whether one more WebSocket may be opened, and how much may be sent on it.

use crate::app::App;
use crate::doors::is_at_this_machine;
use crate::http::error::Refusal;
use crate::seats::{Seat, Standing, Who};
use axum::extract::Request;
use chat::UserKey;
use delivery::{Allowance, Socket};
use std::net::SocketAddr;
use std::sync::Arc;

/// The seats of a WebSocket. They are given back when this is dropped, so the gateway keeps it as long as the connection
/// lives.
#[derive(Debug)]
pub(super) struct Admission {
    _standing: Option<Arc<Standing>>,
    /// The seat of the client's address, where the peer is a proxy, and the seat of the user.
    _seats: Box<[Seat]>,
    allowance: Option<Allowance>,
}

impl Admission {
    /// Admits one more WebSocket, of `user` if somebody is signed in. A client at this machine may have any number of
    /// WebSockets and send any amount.
    ///
    /// # Errors
    /// When the address or the user has as many as they may.
    pub(super) fn of(
        app: &App,
        request: &Request,
        peer: SocketAddr,
        user: Option<UserKey>,
    ) -> Result<Self, Refusal> {
        let standing = request.extensions().get::<Arc<Standing>>().map(Arc::clone);
        if is_at_this_machine(request.headers(), peer) {
            return Ok(Self { _standing: standing, _seats: Box::default(), allowance: None });
        }
        let take = |who| app.seats.take(who).ok_or_else(Refusal::too_many_connections);
        let is_counted = standing.as_ref().is_some_and(|standing| standing.of_address.is_some());
        let address = app.doors.counted_address(request.headers(), peer);
        let of_address = if is_counted { None } else { Some(take(Who::Address(address))?) };
        let of_user = user.map(|user| take(Who::User(user))).transpose()?;
        let seats = of_address.into_iter().chain(of_user).collect();
        Ok(Self { _standing: standing, _seats: seats, allowance: Some(app.settings.allowance) })
    }

    /// The socket, with what may be sent on it.
    pub(super) fn bound(&self, socket: Socket) -> Socket {
        match self.allowance {
            Some(allowance) => socket.allowed(allowance),
            None => socket,
        }
    }
}
