//! Frames on their way out: header and payload, the same bytes for every socket.

use bytes::{Bytes, BytesMut};

const FIN: u8 = 0x80;
/// Deflated (RFC 7692 §6).
const RSV1: u8 = 0x40;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Most bytes of reason a close frame holds beside its code (RFC 6455 §5.5).
const MAX_REASON: usize = 123;

/// A whole message in one WebSocket frame with its header, unmasked (RFC 6455 §5.2): the same bytes for every socket.
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame(Bytes);

impl Frame {
    /// A text frame. The payload must be UTF-8, because a peer ends the connection on anything else.
    pub fn text(payload: impl AsRef<[u8]>) -> Frame {
        Frame(framed(TEXT, &[payload.as_ref()]))
    }

    /// A binary frame.
    pub fn binary(payload: impl AsRef<[u8]>) -> Frame {
        Frame(framed(BINARY, &[payload.as_ref()]))
    }

    /// The same message, whose payload deflates to `payload`.
    pub(crate) fn deflated(&self, payload: &[u8]) -> Frame {
        Frame(framed(self.0[0] & 0x0F | RSV1, &[payload]))
    }

    pub(crate) fn payload(&self) -> &[u8] {
        // The form of the length tells where the header ends (RFC 6455 §5.2).
        &self.0[match self.0[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        }..]
    }

    /// The bytes for the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes on the wire, header included.
    #[allow(clippy::len_without_is_empty, reason = "a frame has a header and is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// A ping without payload, and a frame behind it, in one piece: writing two pieces costs more than copying the few
/// bytes.
pub(crate) fn ping_before(frame: Option<Frame>) -> Bytes {
    const EMPTY: [u8; 2] = [FIN | PING, 0];
    match frame {
        None => Bytes::from_static(&EMPTY),
        Some(frame) => Bytes::from([&EMPTY, frame.as_bytes()].concat()),
    }
}

/// The answer to a ping; `payload` is at most 125 bytes.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    framed(PONG, &[payload])
}

/// A close frame; the reason is cut to what a close frame can hold.
pub(crate) fn close(code: u16, reason: &str) -> Bytes {
    let cut = (0..=reason.len().min(MAX_REASON)).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
    framed(CLOSE, &[&code.to_be_bytes(), &reason.as_bytes()[..cut]])
}

/// The answer to a peer's close frame: its own code, or none if it gave none (RFC 6455 §5.5.1).
pub(crate) fn close_answer(code: Option<u16>) -> Bytes {
    match code {
        Some(code) => close(code, ""),
        None => framed(CLOSE, &[]),
    }
}

fn framed(opcode: u8, parts: &[&[u8]]) -> Bytes {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = BytesMut::with_capacity(10 + len);
    match len {
        0..=125 => frame.extend_from_slice(&[FIN | opcode, len as u8]),
        126..=0xFFFF => {
            frame.extend_from_slice(&[FIN | opcode, 126]);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            frame.extend_from_slice(&[FIN | opcode, 127]);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    for part in parts {
        frame.extend_from_slice(part);
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_shortest_that_holds_the_length() {
        assert_eq!(Frame::text("hi").as_bytes(), b"\x81\x02hi");
        assert_eq!(Frame::text(vec![b'x'; 125]).len(), 127);
        assert_eq!(&Frame::text(vec![b'x'; 126]).as_bytes()[..4], b"\x81\x7e\x00\x7e");
        assert_eq!(&Frame::text(vec![b'x'; 65_536]).as_bytes()[..10], b"\x81\x7f\0\0\0\0\0\x01\0\0");
        assert_eq!(Frame::binary([0, 1]).as_bytes(), b"\x82\x02\0\x01");
    }

    #[test]
    fn a_payload_is_found_behind_each_form_of_header() {
        for len in [0, 125, 126, 65_535, 65_536] {
            assert_eq!(Frame::text(vec![b'x'; len]).payload(), vec![b'x'; len]);
        }
    }

    #[test]
    fn a_close_reason_is_cut_at_a_character() {
        let frame = close(1013, &"é".repeat(100));

        assert_eq!(frame.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
