//! What the server and systemd have to say to each other: the socket it listens on for us, and how we are.

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use sd_notify::NotifyState;
use std::net::TcpListener;

/// The socket that systemd listens on and has passed to this process (`LISTEN_FDS`), if it has.
///
/// # Errors
/// When there are several, or it is no listening TCP socket.
pub fn listener(mut passed: ListenFd) -> Result<Option<TcpListener>> {
    match passed.len() {
        0 => Ok(None),
        1 => passed.take_tcp_listener(0).context("the socket that was passed to this process"),
        several => bail!("{several} sockets were passed to this process, and a server listens on one"),
    }
}

/// Tells systemd that this process serves. It may be another process than the one that was started.
pub fn ready() {
    tell(&[NotifyState::MainPid(std::process::id()), NotifyState::Ready]);
}

/// Tells systemd that this process stops.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Without systemd there is nobody to tell.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told how the server is");
    }
}
