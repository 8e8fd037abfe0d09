//! TLS on a connection (RFC 8446, RFC 5246): the state that rustls keeps between a socket and plain text, kept small.

use std::io::{self, IoSlice, Read, Write};
use std::mem;

use mio::net::TcpStream;
use rustls::ServerConnection;

use crate::stats::Tally;

/// Most plain text in one write: a full record. The part that the socket does not take waits as ciphertext, and
/// nothing more is encrypted before that has left. So a reader that stalls costs this much beside the rest of a
/// frame.
const BATCH: usize = 16 << 10;

/// The state of a TLS connection whose handshake is done.
pub(crate) struct Tls {
    session: Box<ServerConnection>,
    /// The close frame is the last part of the ciphertext that waits.
    farewell: bool,
    /// The peer has announced that nothing more will come (`close_notify`).
    ended: bool,
}

/// How much of the waiting ciphertext the socket took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paid {
    All,
    /// All of it, and the close frame was in it.
    Farewell,
    /// The socket is full. Tells whether it took anything.
    Part {
        moved: bool,
    },
}

impl Tls {
    pub(crate) fn new(mut session: Box<ServerConnection>) -> Tls {
        session.set_buffer_limit(Some(BATCH));
        Tls { session, farewell: false, ended: false }
    }

    /// Reads at most once from the socket, into `raw`, and appends the decrypted bytes to `plain`. Returns what a
    /// plain socket would: the number of bytes read, and 0 at the end.
    pub(crate) fn read(
        &mut self,
        mut socket: &TcpStream,
        raw: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> io::Result<usize> {
        // The code that did the handshake has decrypted what came with its end.
        self.decrypt(plain)?;
        if !plain.is_empty() {
            return Ok(raw.len());
        }
        if self.ended {
            return Ok(0);
        }
        let len = socket.read(raw)?;
        let mut rest = &raw[..len];
        while !rest.is_empty() && !self.ended {
            self.session.read_tls(&mut rest)?;
            self.decrypt(plain)?;
        }
        Ok(len)
    }

    /// Whether the peer will send nothing more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether ciphertext waits that the socket has not taken.
    pub(crate) fn owes(&self) -> bool {
        self.session.wants_write()
    }

    /// Encrypts as much as fits; the ciphertext waits from now on. None may wait before.
    pub(crate) fn encrypt(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session.writer().write_vectored(pieces)
    }

    /// Nothing is encrypted after this. Without this announcement the peer could not tell the end from a broken
    /// connection.
    pub(crate) fn end(&mut self) {
        self.farewell = true;
        self.session.send_close_notify();
    }

    /// Gives the socket the ciphertext that waits, in one call: it is so little that rustls needs no second.
    pub(crate) fn pay(&mut self, mut socket: &TcpStream, tally: &mut Tally) -> io::Result<Paid> {
        let mut taken = 0;
        while self.owes() && taken == 0 {
            tally.writes += 1;
            taken = match self.session.write_tls(&mut socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
        }
        tally.bytes += taken as u64;
        if self.owes() {
            return Ok(Paid::Part { moved: taken > 0 });
        }
        Ok(if mem::take(&mut self.farewell) { Paid::Farewell } else { Paid::All })
    }

    fn decrypt(&mut self, plain: &mut Vec<u8>) -> io::Result<()> {
        let broken = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let state = self.session.process_new_packets().map_err(broken)?;
        let at = plain.len();
        plain.resize(at + state.plaintext_bytes_to_read(), 0);
        self.session.reader().read_exact(&mut plain[at..])?;
        self.ended |= state.peer_has_closed();
        Ok(())
    }
}
