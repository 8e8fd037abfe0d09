//! A WebSocket by hand: header fields, buffers and frames as no client would have them, and a wire that loses frames.

use super::support::in_time;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;

/// A server's frame as it stands on the wire.
struct Frame {
    whole: Vec<u8>,
    payload: usize,
}

impl Frame {
    /// Reads one; none at the end of the stream. Servers do not mask.
    async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut whole = vec![0; 2];
        from.read_exact(&mut whole).await.ok()?;
        let long = match whole[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mut length = vec![0; long];
        from.read_exact(&mut length).await.ok()?;
        let len = match long {
            0 => u64::from(whole[1] & 0x7f),
            _ => length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        whole.extend(length);
        let payload = whole.len();
        whole.resize(payload + usize::try_from(len).unwrap(), 0);
        from.read_exact(&mut whole[payload..]).await.ok()?;
        Some(Self { whole, payload })
    }

    fn opcode(&self) -> u8 {
        self.whole[0] & 0xf
    }

    fn payload(&self) -> &[u8] {
        &self.whole[self.payload..]
    }

    fn says(&self, words: &str) -> bool {
        self.opcode() == TEXT && String::from_utf8_lossy(self.payload()).contains(words)
    }
}

/// A client's end of a WebSocket.
pub struct Wire {
    stream: TcpStream,
}

impl Wire {
    /// Shakes hands for `path` with these header fields, and takes little into the kernel's buffer.
    pub async fn open(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in fields {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        Self { stream }
    }

    /// Says a text. Masked with zeros, which changes nothing.
    pub async fn say(&mut self, text: &str) {
        let mut frame = vec![0x80 | TEXT];
        match text.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Whether the connection is closed with this code and a hint when to come back. What comes before is passed over.
    pub async fn is_closed_for_a_while(&mut self, code: u16) -> bool {
        loop {
            let Some(frame) = in_time("the close", Frame::read(&mut self.stream)).await else { return false };
            if let (CLOSE, [one, other, reason @ ..]) = (frame.opcode(), frame.payload()) {
                let reason: Value = serde_json::from_slice(reason).unwrap();
                return u16::from_be_bytes([*one, *other]) == code && reason["retry_after_ms"].is_u64();
            }
        }
    }

    /// The next text as JSON, or the code of the close frame; code 1006 when there was none.
    pub async fn hear(&mut self) -> Result<Value, u16> {
        loop {
            let Some(frame) = in_time("a frame", Frame::read(&mut self.stream)).await else {
                return Err(1006);
            };
            match (frame.opcode(), frame.payload()) {
                (TEXT, text) => return Ok(serde_json::from_slice(text).unwrap()),
                (CLOSE, [one, other, ..]) => return Err(u16::from_be_bytes([*one, *other])),
                _ => {}
            }
        }
    }
}

/// What the wire does with the next frame that says something.
enum Plan {
    Lose(String),
    CutAt(String),
}

/// A wire to a server that loses a frame, or breaks in its place.
pub struct LossyWire {
    pub address: SocketAddr,
    plan: Arc<Mutex<Option<Plan>>>,
}

impl LossyWire {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plan: Arc<Mutex<Option<Plan>>> = Arc::default();
        let planned = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&planned)));
            }
        });
        Self { address, plan }
    }

    /// The next frame to a client that says `words` is not carried; the connection goes on.
    pub fn loses(&self, words: &str) {
        *self.plan.lock().unwrap() = Some(Plan::Lose(words.to_owned()));
    }

    /// The connection breaks in place of the next frame to a client that says `words`.
    pub fn breaks_at(&self, words: &str) {
        *self.plan.lock().unwrap() = Some(Plan::CutAt(words.to_owned()));
    }

    /// Whether what was planned has happened.
    pub fn is_done(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }
}

async fn carry(client: TcpStream, server: SocketAddr, plan: Arc<Mutex<Option<Plan>>>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upstream = tokio::spawn(async move {
        // Ends with either side; the client comes back by itself.
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    });
    let head = read_head(&mut from_server).await;
    carry_frames(&head, from_server, to_client, &plan).await;
    upstream.abort();
}

async fn carry_frames(
    head: &str,
    mut from: impl AsyncRead + Unpin,
    mut to: OwnedWriteHalf,
    plan: &Mutex<Option<Plan>>,
) -> Option<()> {
    to.write_all(head.as_bytes()).await.ok()?;
    while let Some(frame) = Frame::read(&mut from).await {
        let met = plan.lock().unwrap().take_if(|plan| match plan {
            Plan::Lose(words) | Plan::CutAt(words) => frame.says(words),
        });
        match met {
            Some(Plan::Lose(_)) => {}
            Some(Plan::CutAt(_)) => return None,
            None => to.write_all(&frame.whole).await.ok()?,
        }
    }
    None
}

/// The head of an HTTP answer, with the empty line.
async fn read_head(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match in_time("the head of the answer", from.read_u8()).await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}
