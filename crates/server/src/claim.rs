//! What a server needs for itself alone before it can start: the data directory and the listening socket.

use crate::config::Config;
use crate::directory::{Directory, Lock};
use crate::handover::{Predecessor, lock};
use crate::listener::Listener;
use crate::tls::Certificate;
use anyhow::{Context, Result};
use chat::Chat;
use std::net::TcpListener;

/// A directory that is locked, and a socket that listens. Connections wait in the socket's queue until a server accepts.
pub struct Claim {
    pub(crate) directory: Directory,
    pub(crate) lock: Lock,
    pub(crate) listener: Listener,
}

impl Claim {
    /// Claims a directory that no server uses. Listens on `passed`, where there is one, and otherwise on the address of the
    /// settings.
    ///
    /// # Errors
    /// When another server uses the directory, or the address is taken.
    pub async fn stake(config: &Config, passed: Option<TcpListener>) -> Result<Self> {
        let directory = Directory::open(&config.data)?;
        let lock = directory.lock()?;
        Self::complete(config, directory, lock, passed).await
    }

    /// Claims the place of the server that uses the directory. Without one it is the same as [`Claim::stake`].
    ///
    /// # Errors
    /// When this process could not serve, or the other server does not hand over. Then the other one serves on.
    pub async fn take_over(
        config: &Config,
        passed: Option<TcpListener>,
    ) -> Result<(Self, Option<Predecessor>)> {
        let directory = Directory::open(&config.data)?;
        if let Ok(lock) = directory.try_lock()? {
            return Ok((Self::complete(config, directory, lock, passed).await?, None));
        }
        let (mut predecessor, listener) = Predecessor::ask(&directory).await?;
        let listener = Listener::passed(listener)?;
        Certificate::of(config)?;
        Chat::check(&directory.database()).with_context(|| directory.database_shown())?;
        if config.listen.port() != 0 && config.listen != listener.address() {
            let (here, there) = (listener.address(), config.listen);
            tracing::warn!(%here, "listening where the server before did; `listen` = {there} waits for a stop");
        }
        let lock = predecessor.lets_go(&directory).await?;
        Ok((Self { directory, lock, listener }, Some(predecessor)))
    }

    /// Claims a directory again that was let go for a server which has ended before it served.
    ///
    /// # Errors
    /// When somebody else uses the directory by now.
    pub async fn again(directory: Directory, listener: TcpListener) -> Result<Self> {
        let lock = lock(&directory).await?;
        Ok(Self { directory, lock, listener: Listener::passed(listener)? })
    }

    async fn complete(
        config: &Config,
        directory: Directory,
        lock: Lock,
        passed: Option<TcpListener>,
    ) -> Result<Self> {
        let listener = match passed {
            Some(passed) => Listener::passed(passed)?,
            None => Listener::bind(config.listen).await?,
        };
        Ok(Self { directory, lock, listener })
    }
}
