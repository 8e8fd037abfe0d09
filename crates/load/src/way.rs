//! The way to a server: its address, TLS and compression.

use anyhow::{Context, Result};
use client::Address;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

/// The way to a server.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where it listens.
    pub socket: SocketAddr,
    /// The same for whole clients.
    pub address: Address,
    /// Whether messages come deflated.
    pub deflate: bool,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Way {
    /// The way to an address, plain or over TLS as it says.
    ///
    /// # Errors
    /// When the host has no address, or the system trusts no certificate.
    pub fn to(address: Address) -> Result<Self> {
        let authority = address.authority();
        let socket = authority
            .to_socket_addrs()
            .with_context(|| format!("{authority} is not the address of a server"))?
            .next()
            .with_context(|| format!("{authority} has no address"))?;
        let tls = address.tls()?.map(|(config, name)| {
            // Each handshake is a whole one, because that is measured.
            let mut whole = (*config).clone();
            whole.resumption = Resumption::disabled();
            (Arc::new(whole), name)
        });
        Ok(Self { socket, address, deflate: false, tls })
    }

    /// Whether it is over TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The state of TLS on a new connection, where there is TLS.
    ///
    /// # Errors
    /// When rustls cannot begin.
    pub fn session(&self) -> Result<Option<Box<ClientConnection>>> {
        let session = self.tls.as_ref();
        let session = session.map(|(config, name)| ClientConnection::new(Arc::clone(config), name.clone()));
        Ok(session.transpose()?.map(Box::new))
    }
}
