//! As much of PostgreSQL's protocol as it takes to run a statement: a message is a letter, a length and what it says.

use crate::cluster::ROLE;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Version 3.0 of the protocol.
const VERSION: u32 = 3 << 16;

pub(crate) struct Session(UnixStream);

impl Session {
    pub(crate) fn begin(socket: &Path) -> io::Result<Self> {
        let mut session = Self(UnixStream::connect(socket)?);
        let mut hello = VERSION.to_be_bytes().to_vec();
        hello.extend(format!("user\0{ROLE}\0database\0postgres\0\0").as_bytes());
        session.send(&[], &hello)?;
        session.wait()?;
        Ok(session)
    }

    /// Runs one statement, whose rows nobody wants.
    pub(crate) fn run(&mut self, statement: &str) -> io::Result<()> {
        let mut text = statement.as_bytes().to_vec();
        text.push(0);
        self.send(b"Q", &text)?;
        self.wait()
    }

    fn send(&mut self, letter: &[u8], body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(io::Error::other)?;
        self.0.write_all(&[letter, &length.to_be_bytes(), body].concat())
    }

    /// Reads until the server is ready for more, or says what is wrong.
    fn wait(&mut self) -> io::Result<()> {
        let mut failed = None;
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let [letter, length @ ..] = head;
            let length = u32::from_be_bytes(length).saturating_sub(4);
            let mut body = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.0.read_exact(&mut body)?;
            match letter {
                // At the beginning nothing follows an error, later a `Z` does.
                b'E' => failed = Some(io::Error::other(String::from_utf8_lossy(&body).replace('\0', " "))),
                b'Z' => return failed.map_or(Ok(()), Err),
                _ => {}
            }
        }
    }
}
