//! Inflates deflated messages (RFC 7692 §7.2.2), each distinct payload once.

use flate2::{Decompress, FlushDecompress};
use std::collections::HashMap;
use std::rc::Rc;

/// The end of a message that a sender cuts off.
const ENDING: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// The longest message.
const LONGEST: usize = 256 << 10;
/// Messages that are known by their deflated bytes.
const KNOWN: usize = 512;

/// Inflates messages that each start afresh. The same bytes come to everybody in a room. They are inflated once, and
/// compared each time.
pub struct Inflating {
    stream: Decompress,
    known: HashMap<Box<[u8]>, Rc<[u8]>>,
    message: Vec<u8>,
}

impl Default for Inflating {
    fn default() -> Self {
        Self { stream: Decompress::new(false), known: HashMap::new(), message: Vec::new() }
    }
}

impl Inflating {
    /// The content of a payload; none if it is not deflated.
    pub fn inflate(&mut self, payload: &[u8]) -> Option<Rc<[u8]>> {
        if let Some(known) = self.known.get(payload) {
            return Some(Rc::clone(known));
        }
        self.stream.reset(false);
        self.message.clear();
        self.message.reserve(LONGEST);
        for part in [payload, &ENDING] {
            let before = self.stream.total_in();
            self.stream.decompress_vec(part, &mut self.message, FlushDecompress::Sync).ok()?;
            if self.stream.total_in() - before < part.len() as u64 {
                return None;
            }
        }
        let message: Rc<[u8]> = Rc::from(self.message.as_slice());
        if self.known.len() == KNOWN {
            self.known.clear();
        }
        self.known.insert(payload.into(), Rc::clone(&message));
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    fn deflated(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 64);
        Compress::new(Compression::fast(), false).compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - ENDING.len());
        out
    }

    #[test]
    fn each_message_says_what_it_said_before_it_was_deflated() {
        let mut inflating = Inflating::default();
        for number in 0..2 * KNOWN {
            let text = format!("{number} {}", "over and over ".repeat(number));
            let payload = deflated(text.as_bytes());
            for _ in 0..2 {
                assert_eq!(inflating.inflate(&payload).as_deref(), Some(text.as_bytes()));
            }
        }
        assert_eq!(inflating.inflate(b"\xffnothing of the kind"), None);
    }
}
