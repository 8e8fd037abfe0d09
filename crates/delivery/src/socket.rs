//! What a connection comes with: its the way its bytes take.

use std::net::TcpStream;

use rustls::ServerConnection;

/// A socket on which the opening handshake is done. Made from a plain [`TcpStream`]; the rest is added.
pub struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) tls: Option<Box<ServerConnection>>,
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Socket {
        Socket { stream, tls: None }
    }
}

impl Socket {
    /// Everything on this socket is TLS, and its handshake is done (RFC 8446 §4, RFC 5246 §7.3).
    #[must_use]
    pub fn over_tls(self, session: ServerConnection) -> Socket {
        Socket { tls: Some(Box::new(session)), ..self }
    }
}
