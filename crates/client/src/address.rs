//! The address of a server, and the stream of bytes to it.

use crate::trust;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The address of a server: `host:port` or `http://host:port` for plain text, `https://host` or `https://host:port`
/// for TLS. Over TLS the server must show a certificate that the system trusts, or one that [`Address::trusting`]
/// allows.
#[derive(Debug, Clone)]
pub struct Address {
    /// Host and port.
    authority: String,
    tls: bool,
    /// The certificates that are trusted in place of the system's.
    trusted: Option<Arc<ClientConfig>>,
}

/// A stream of bytes to a server.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Address {
    /// The same server, with other trust: over TLS it must show a certificate of this file (in PEM form), or one that
    /// a certificate of the file vouches for. The system's trust does not count then.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn trusting(self, certificates: &Path) -> io::Result<Self> {
        Ok(Self { trusted: Some(trust::given(certificates)?), ..self })
    }

    /// Host and port, as in the `Host` field of a request.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The settings for TLS on a socket that the caller opens: which certificates are trusted, and the name to ask
    /// for. None for plain text.
    ///
    /// # Errors
    /// When the host is no name, or the system trusts no certificate.
    pub fn tls(&self) -> io::Result<Option<(Arc<ClientConfig>, ServerName<'static>)>> {
        if !self.tls {
            return Ok(None);
        }
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let config = self.trusted.clone().map_or_else(trust::system, Ok)?;
        Ok(Some((config, name)))
    }

    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let tls = self.tls()?;
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        match tls {
            Some((config, name)) => Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        let (tls, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (false, text),
        };
        let host = rest.trim_end_matches('/');
        // In brackets there is an IPv6 address, whose colons begin no port.
        let has_port = host.rsplit(']').next().is_some_and(|end| end.contains(':'));
        let port = match (has_port, tls) {
            (true, _) => "",
            (false, true) => ":443",
            (false, false) => ":80",
        };
        Self { authority: format!("{host}{port}"), tls, trusted: None }
    }
}

impl From<String> for Address {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Address {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_whether_over_tls() {
        for (text, authority, tls) in [
            ("127.0.0.1:3000", "127.0.0.1:3000", false),
            ("[::1]:3000", "[::1]:3000", false),
            ("http://chat.example/", "chat.example:80", false),
            ("https://chat.example", "chat.example:443", true),
            ("https://[::1]", "[::1]:443", true),
            ("https://chat.example:8443/", "chat.example:8443", true),
        ] {
            let address = Address::from(text);
            assert_eq!((address.authority(), address.tls), (authority, tls), "{text}");
        }
    }
}
