//! The socket that a connection comes with: plain or TLS, and how much the peer may send over it.

use std::net::TcpStream;

use rustls::ServerConnection;

use crate::allowance::Allowance;

/// A socket on which the opening handshake is done. Made from a plain [`TcpStream`]; the methods add the rest.
pub struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) tls: Option<Box<ServerConnection>>,
    pub(crate) allowance: Option<Allowance>,
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket { stream, tls: None, allowance: None }
    }
}

impl Socket {
    /// Everything on this socket is TLS, and its handshake is done (RFC 8446 §4, RFC 5246 §7.3).
    #[must_use]
    pub fn over_tls(self, session: ServerConnection) -> Socket {
        Socket { tls: Some(Box::new(session)), ..self }
    }

    /// The peer may send this much and no more.
    #[must_use]
    pub fn allowed(self, allowance: Allowance) -> Socket {
        Socket { allowance: Some(allowance), ..self }
    }
}
