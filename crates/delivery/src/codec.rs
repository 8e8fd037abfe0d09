//! The receiving half of RFC 6455 and RFC 7692 in the server's role, without I/O.

use crate::fragments::Fragments;
use crate::header::{Allowed, Header, Opcode, Violation};
use crate::inflate::Inflater;
use crate::mask::unmask;

/// One thing that a peer said.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Incoming<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The peer's close frame, with its code if it has one.
    Close(Option<u16>),
}

/// How far a call of [`Decoder::decode`] came.
pub(crate) struct Step<'a> {
    /// How many bytes of the input are done with; at least one.
    pub(crate) used: usize,
    pub(crate) incoming: Option<Incoming<'a>>,
}

/// What was agreed on with a peer, and what decoding it needs.
pub(crate) struct Terms<'a> {
    /// The longest message, in bytes, deflated and inflated.
    pub(crate) limit: usize,
    /// Present where permessage-deflate was agreed on.
    pub(crate) inflater: Option<&'a mut Inflater>,
}

impl<'a> Terms<'a> {
    /// The text or data in a payload. A deflated payload comes here only where there is an inflater.
    fn read(self, payload: &'a [u8], deflated: bool) -> Result<&'a [u8], Violation> {
        match self.inflater.filter(|_| deflated) {
            Some(inflater) => inflater.inflate(payload, self.limit),
            None => Ok(payload),
        }
    }
}

/// Turns the bytes of one peer into messages.
///
/// 1. A frame that arrives whole is read where it lies. Only an incomplete frame or message is copied.
/// 2. A length is judged before memory is allocated for it, and the bytes kept are never more than the bytes that
///    arrived.
/// 3. The content of a deflated message lies in the inflater, which all connections of a shard share.
/// 4. After an error or a close frame, no further call makes sense.
#[derive(Default)]
pub(crate) struct Decoder {
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    fragments: Option<Box<Fragments>>,
    /// The message that the last step returned, if it was not in the input.
    finished: Vec<u8>,
}

impl Decoder {
    /// Decodes at most one message out of `input`, which must not be empty.
    pub(crate) fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        terms: Terms<'a>,
    ) -> Result<Step<'a>, Violation> {
        if !self.partial.is_empty() {
            return self.complete(input, terms);
        }
        let header = self.judge(input, &terms)?;
        match header {
            Some(header) if header.total() <= input.len() => {
                let payload = &mut input[header.size..header.total()];
                Ok(Step { used: header.total(), incoming: self.take(&header, Some(payload), terms)? })
            }
            Some(_) | None => {
                self.partial = input.to_vec();
                Ok(Step { used: input.len(), incoming: None })
            }
        }
    }

    /// Whether the last step ended in the middle of a frame.
    pub(crate) fn is_inside_frame(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Frees what the last step returned.
    pub(crate) fn release(&mut self) {
        self.finished = Vec::new();
    }

    /// Adds bytes to the frame that has begun, and none of the next frame.
    fn complete<'a>(&'a mut self, input: &'a mut [u8], terms: Terms<'a>) -> Result<Step<'a>, Violation> {
        let mut used = 0;
        let header = loop {
            match self.judge(&self.partial, &terms)? {
                Some(header) => break header,
                None if used == input.len() => return Ok(Step { used, incoming: None }),
                None => {
                    self.partial.push(input[used]);
                    used += 1;
                }
            }
        };
        let missing = header.total() - self.partial.len();
        let next = missing.min(input.len() - used);
        self.partial.extend_from_slice(&input[used..used + next]);
        used += next;
        if next < missing {
            return Ok(Step { used, incoming: None });
        }
        self.finished = std::mem::take(&mut self.partial);
        Ok(Step { used, incoming: self.take(&header, None, terms)? })
    }

    /// Reads a header, and refuses one that may not follow the frames before it.
    fn judge(&self, bytes: &[u8], terms: &Terms<'_>) -> Result<Option<Header>, Violation> {
        let had = self.fragments.as_ref().map_or(0, |fragments| fragments.len());
        let allowed = Allowed { len: terms.limit.saturating_sub(had), deflate: terms.inflater.is_some() };
        let header = Header::parse(bytes, allowed)?;
        let opcode = match header {
            Some(header) => header.opcode,
            None => return Ok(None),
        };
        let in_order = match opcode {
            Opcode::Continuation => self.fragments.is_some(),
            Opcode::Text | Opcode::Binary => self.fragments.is_none(),
            Opcode::Close | Opcode::Ping | Opcode::Pong => true,
        };
        if in_order { Ok(header) } else { Err(Violation::Protocol) }
    }

    /// Takes a complete frame. Its payload is `payload`, or else in `finished`.
    fn take<'a>(
        &'a mut self,
        header: &Header,
        payload: Option<&'a mut [u8]>,
        terms: Terms<'a>,
    ) -> Result<Option<Incoming<'a>>, Violation> {
        let whole = header.opcode.is_control() || header.fin && header.opcode != Opcode::Continuation;
        if whole {
            let payload = payload.unwrap_or_else(|| &mut self.finished[header.size..]);
            unmask(payload, header.mask);
            return incoming(header.opcode, terms.read(payload, header.deflated)?).map(Some);
        }
        let payload = payload.unwrap_or_else(|| &mut self.finished[header.size..]);
        unmask(payload, header.mask);
        let text = header.opcode == Opcode::Text;
        let fragments = self.fragments.get_or_insert_with(|| Box::new(Fragments::new(text, header.deflated)));
        fragments.push(payload, terms.limit)?;
        match self.fragments.take_if(|_| header.fin) {
            Some(fragments) => {
                let whole = fragments.finish();
                self.finished = whole.bytes;
                message(whole.text, terms.read(&self.finished, whole.deflated)?).map(Some)
            }
            None => Ok(None),
        }
    }
}

/// The message of a frame that stands alone.
fn incoming(opcode: Opcode, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    match opcode {
        Opcode::Text => message(true, payload),
        Opcode::Binary | Opcode::Continuation => message(false, payload),
        Opcode::Close => closing(payload).map(Incoming::Close),
        Opcode::Ping => Ok(Incoming::Ping(payload)),
        Opcode::Pong => Ok(Incoming::Pong),
    }
}

fn message(text: bool, payload: &[u8]) -> Result<Incoming<'_>, Violation> {
    if text {
        std::str::from_utf8(payload).map(Incoming::Text).map_err(|_| Violation::NotUtf8)
    } else {
        Ok(Incoming::Binary(payload))
    }
}

/// The code in the payload of a close frame (RFC 6455 §5.5.1 and §7.4).
fn closing(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((&code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::Protocol) };
    };
    let code = u16::from_be_bytes(code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol);
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Some(code)),
        Err(_) => Err(Violation::NotUtf8),
    }
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
