//! One connection's bytes, plain or encrypted.

use mio::net::TcpStream;
use rustls::ClientConnection;
use std::io::{self, Read, Write};

/// A socket, and its TLS where there is any.
pub struct Line {
    pub socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Line {
    pub fn new(socket: TcpStream, tls: Option<Box<ClientConnection>>) -> Self {
        Self { socket, tls }
    }

    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Appends the decrypted bytes to `plain`, and sends the bytes that the handshake needs.
    pub fn decrypt(&mut self, mut raw: &[u8], plain: &mut Vec<u8>) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        while !raw.is_empty() && tls.read_tls(&mut raw)? > 0 {
            let broken = |error| io::Error::new(io::ErrorKind::InvalidData, error);
            let state = tls.process_new_packets().map_err(broken)?;
            let at = plain.len();
            plain.resize(at + state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(&mut plain[at..])?;
        }
        self.pay()
    }

    /// Sends a few bytes on a socket with nothing queued: the kernel takes them whole, or the connection is broken.
    /// Bytes sent before the end of the handshake wait for it.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return match self.socket.write(bytes)? {
                all if all == bytes.len() => Ok(()),
                _ => Err(io::ErrorKind::WriteZero.into()),
            };
        };
        tls.writer().write_all(bytes)?;
        self.pay()
    }

    fn pay(&mut self) -> io::Result<()> {
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}
