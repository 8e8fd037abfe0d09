//! A WebSocket that costs next to nothing, so that what is measured is the server (RFC 6455, client side).

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One native connection that looks at no more of a frame than its kind.
pub struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// What of the buffer is read already.
    done: usize,
}

impl Wire {
    pub async fn open(address: &str, token: &str) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: roomful.v1\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await?;
        let mut wire = Self { socket, buffer: Vec::new(), done: 0 };
        while !wire.buffer.windows(4).any(|end| end == b"\r\n\r\n") {
            wire.fill().await?;
        }
        let head = wire.buffer.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
        assert!(wire.buffer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&wire.buffer));
        wire.done = head + 4;
        Ok(wire)
    }

    /// Sends texts in one write. The mask is zero: a client must mask, and nobody says with what.
    pub async fn send(&mut self, texts: &[String]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.push(0x81);
            match text.len() {
                short @ 0..126 => bytes.push(0x80 | short as u8),
                long => {
                    bytes.push(0x80 | 126);
                    bytes.extend_from_slice(&u16::try_from(long).unwrap().to_be_bytes());
                }
            }
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(text.as_bytes());
        }
        self.socket.write_all(&bytes).await
    }

    /// The next text frame.
    pub async fn next(&mut self) -> io::Result<&[u8]> {
        loop {
            if let Some((opcode, start, end)) = header(&self.buffer[self.done..]) {
                let from = self.done;
                if self.buffer.len() - from >= end {
                    self.done = from + end;
                    if opcode == 1 {
                        return Ok(&self.buffer[from + start..from + end]);
                    }
                    continue;
                }
            }
            self.fill().await?;
        }
    }

    /// Whether the next frame is here already: then it costs no call to read it.
    pub fn has_frame(&self) -> bool {
        header(&self.buffer[self.done..]).is_some_and(|(_, _, end)| self.buffer.len() - self.done >= end)
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..std::mem::take(&mut self.done));
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Opcode, and where the payload of the first frame starts and ends.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    Some((first & 0xf, start, start + length))
}
