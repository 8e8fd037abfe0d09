//! The header of a frame that a client sent (RFC 6455 §5.2).

/// Why a peer's bytes end its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Violation {
    /// It breaks RFC 6455.
    Protocol,
    /// A text that is not UTF-8 (RFC 6455 §8.1).
    NotUtf8,
    /// A deflated message that cannot be inflated (RFC 7692 §7.2.2).
    NotDeflate,
    /// A message larger than allowed, or in more fragments.
    TooBig,
    /// More than the peer's allowance.
    Flood,
}

impl Violation {
    /// The close code for it (RFC 6455 §7.4.1).
    pub(crate) fn code(self) -> u16 {
        match self {
            Violation::Protocol => 1002,
            Violation::NotUtf8 | Violation::NotDeflate => 1007,
            Violation::TooBig => 1009,
            Violation::Flood => 1008,
        }
    }

    /// A word of explanation for the close frame. The server gives a reason of its own for a flood.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Violation::Protocol => "broken WebSocket frame",
            Violation::NotUtf8 => "text is not UTF-8",
            Violation::NotDeflate => "message cannot be inflated",
            Violation::TooBig => "message too large",
            Violation::Flood => "",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn new(nibble: u8) -> Result<Opcode, Violation> {
        match nibble {
            0x0 => Ok(Opcode::Continuation),
            0x1 => Ok(Opcode::Text),
            0x2 => Ok(Opcode::Binary),
            0x8 => Ok(Opcode::Close),
            0x9 => Ok(Opcode::Ping),
            0xA => Ok(Opcode::Pong),
            _ => Err(Violation::Protocol),
        }
    }

    fn begins_message(self) -> bool {
        match self {
            Opcode::Text | Opcode::Binary => true,
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        }
    }

    pub(crate) fn is_control(self) -> bool {
        match self {
            Opcode::Close | Opcode::Ping | Opcode::Pong => true,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => false,
        }
    }
}

/// What this peer may send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// The longest payload of a data frame.
    pub(crate) len: usize,
    /// Whether permessage-deflate was agreed on.
    pub(crate) deflate: bool,
}

/// A header that is allowed by itself, whatever frames came before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: Opcode,
    /// The first frame of a deflated message: RSV1 (RFC 7692 §6).
    pub(crate) deflated: bool,
    pub(crate) mask: [u8; 4],
    /// Bytes of the header itself.
    pub(crate) size: usize,
    /// Bytes of payload announced; of a data frame no more than allowed.
    pub(crate) len: usize,
}

impl Header {
    /// Reads the header at the beginning of `bytes`; `None` if it is not complete yet.
    ///
    /// A fault is found as soon as its byte is there, so that no memory is allocated, and no further byte awaited,
    /// for a frame that is refused.
    pub(crate) fn parse(bytes: &[u8], allowed: Allowed) -> Result<Option<Header>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else { return Ok(None) };
        let fin = first & 0x80 != 0;
        let opcode = Opcode::new(first & 0x0F)?;
        let deflated = first & 0x40 != 0;
        // RSV1 belongs on the first frame of a message alone (RFC 7692 §6.1).
        let misplaced = deflated && !(allowed.deflate && opcode.begins_message());
        let reserved_or_unmasked = misplaced || first & 0x30 != 0 || second & 0x80 == 0;
        let short = second & 0x7F;
        if reserved_or_unmasked || opcode.is_control() && (!fin || short > 125) {
            return Err(Violation::Protocol);
        }
        let Some((len, rest)) = length(short, rest)? else { return Ok(None) };
        let len = usize::try_from(len).map_err(|_| Violation::TooBig)?;
        if !opcode.is_control() && len > allowed.len {
            return Err(Violation::TooBig);
        }
        let Some((&mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some(Header { fin, opcode, deflated, mask, size: bytes.len() - rest.len(), len }))
    }

    /// Bytes of the whole frame.
    pub(crate) fn total(&self) -> usize {
        self.size + self.len
    }
}

/// The payload length and what follows it. The shortest form is the only one allowed.
fn length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (len, rest, least) = match short {
        126 => match rest.split_first_chunk() {
            Some((&bytes, rest)) => (u64::from(u16::from_be_bytes(bytes)), rest, 126),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((&bytes, rest)) => (u64::from_be_bytes(bytes), rest, 0x1_0000),
            None => return Ok(None),
        },
        len => (u64::from(len), rest, 0),
    };
    if len < least || len > i64::MAX as u64 {
        return Err(Violation::Protocol);
    }
    Ok(Some((len, rest)))
}
