//! TLS on a connection (RFC 8446, RFC 5246): what rustls holds between a socket and plain text, kept small.

use std::io::{self, IoSlice, Read, Write};
use std::mem;

use mio::net::TcpStream;
use rustls::ServerConnection;

use crate::stats::Tally;

/// Most plain text in one write: a full record. What of it the socket does not take waits as ciphertext, and nothing
/// more is encrypted before that has left, so this is all that a reader who stalls is owed beside the rest of a frame.
const BATCH: usize = 16 << 10;

/// The state of a TLS connection whose handshake is done.
pub(crate) struct Tls {
    session: Box<ServerConnection>,
    /// The close frame is the last of what is owed.
    farewell: bool,
    /// The peer has said that nothing more will come (`close_notify`).
    ended: bool,
}

/// How far paying what is owed came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paid {
    All,
    /// All, and the close frame was in it.
    Farewell,
    /// The socket is full. Whether it took anything.
    Part {
        moved: bool,
    },
}

impl Tls {
    pub(crate) fn new(mut session: Box<ServerConnection>) -> Tls {
        session.set_buffer_limit(Some(BATCH));
        Tls { session, farewell: false, ended: false }
    }

    /// Reads at most once from the socket, into `raw`, and appends what it says to `plain`. Returns what a plain socket
    /// would: the bytes read, and 0 at the end.
    pub(crate) fn read(
        &mut self,
        mut socket: &TcpStream,
        raw: &mut [u8],
        plain: &mut Vec<u8>,
    ) -> io::Result<usize> {
        // What came with the end of the handshake was decrypted by whoever did the handshake.
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

    /// Whether something is encrypted that the socket has not taken.
    pub(crate) fn owes(&self) -> bool {
        self.session.wants_write()
    }

    /// Encrypts what fits; it is owed from now on. Nothing may be owed before.
    pub(crate) fn encrypt(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.session.writer().write_vectored(pieces)
    }

    /// Nothing will be encrypted any more. Without this word the peer could not tell the end from a cut.
    pub(crate) fn end(&mut self) {
        self.farewell = true;
        self.session.send_close_notify();
    }

    /// Gives the socket what is owed, in one call: what is owed is so little that rustls needs no second.
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
