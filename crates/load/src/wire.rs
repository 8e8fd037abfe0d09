//! WebSocket frames as a client writes and reads them (RFC 6455), without a copy and without a codec of ours: a
//! program that checks a server should not share the server's mistakes.

use std::ops::Range;

/// The key of RFC 6455 §1.3. All clients may use the same one, and its answer is known.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The kinds of frame that the load tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole text message.
    Text,
    /// A close frame.
    Close,
    /// A ping.
    Ping,
    /// Any other frame. The load waits for none.
    Other,
}

/// Where the first frame of some bytes lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its kind.
    pub kind: Kind,
    /// Whether its payload is deflated (RFC 7692 §6).
    pub deflated: bool,
    /// Where its payload lies.
    pub payload: Range<usize>,
}

/// The first frame, if all of it is there. The mask of a client's frame is taken to be zero.
pub fn first(bytes: &[u8]) -> Option<Frame> {
    let (head, length) = (*bytes.first()?, *bytes.get(1)?);
    let masked = usize::from(length >> 7) * 4;
    let (start, length) = match length & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let payload = start + masked..start + masked + length;
    let kind = match head & 0x0f {
        TEXT if head & 0x80 != 0 => Kind::Text,
        CLOSE => Kind::Close,
        PING => Kind::Ping,
        _ => Kind::Other,
    };
    (bytes.len() >= payload.end).then_some(Frame { kind, deflated: head & 0x40 != 0, payload })
}

/// Appends a text frame of a client. The mask is zero: a client must mask, and the RFC does not say with which key.
pub fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    push(out, TEXT, 0x80, text);
}

/// Appends the answer to a ping.
pub fn push_pong(out: &mut Vec<u8>, payload: &[u8]) {
    push(out, PONG, 0x80, payload);
}

/// Appends a text frame of a server.
pub fn push_unmasked(out: &mut Vec<u8>, text: &[u8]) {
    push(out, TEXT, 0, text);
}

fn push(out: &mut Vec<u8>, opcode: u8, masked: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..126 => out.push(masked | short as u8),
        long => match u16::try_from(long) {
            Ok(long) => {
                out.push(masked | 126);
                out.extend_from_slice(&long.to_be_bytes());
            }
            Err(_) => {
                out.push(masked | 127);
                out.extend_from_slice(&(long as u64).to_be_bytes());
            }
        },
    }
    if masked != 0 {
        out.extend_from_slice(&[0; 4]);
    }
    out.extend_from_slice(payload);
}

/// The extension that compresses, with messages that start afresh each (RFC 7692 §7.1.1).
pub const DEFLATE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The request that opens a WebSocket. `more` is the value of other header fields, by name.
pub fn request(address: &str, path: &str, more: &[(&str, Option<&str>)]) -> Vec<u8> {
    let mut text = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    );
    for (name, value) in more {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Where an HTTP head ends, if all of it is there.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(length: usize) -> Vec<u8> {
        vec![b'a'; length]
    }

    #[test]
    fn a_frame_is_found_whatever_its_length_and_mask() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            for push in [push_text, push_unmasked] {
                let mut bytes = Vec::new();
                push(&mut bytes, &text_of(length));
                let frame = first(&bytes).unwrap();
                assert_eq!(frame.kind, Kind::Text);
                assert_eq!(bytes[frame.payload.clone()], text_of(length)[..]);
                assert_eq!(frame.payload.end, bytes.len());
            }
        }
    }

    #[test]
    fn half_a_frame_is_none() {
        let mut bytes = Vec::new();
        push_unmasked(&mut bytes, &text_of(300));
        for end in 0..bytes.len() {
            assert_eq!(first(&bytes[..end]), None, "{end} of {}", bytes.len());
        }
    }

    #[test]
    fn two_frames_in_one_read_come_one_after_the_other() {
        let mut bytes = Vec::new();
        push_unmasked(&mut bytes, b"one");
        push_unmasked(&mut bytes, b"two");
        let end = first(&bytes).unwrap().payload.end;
        let second = first(&bytes[end..]).unwrap();
        assert_eq!(&bytes[end..][second.payload], b"two");
    }

    #[test]
    fn a_ping_is_answered_with_what_it_said() {
        let mut pong = Vec::new();
        push_pong(&mut pong, b"hi");
        assert_eq!(pong, [0x8a, 0x82, 0, 0, 0, 0, b'h', b'i']);
    }
}
