//! The mark in the text of every post: its sender, and its number among that sender's posts.
//!
//! The frame of a delivery carries the mark as it was sent, whatever the server puts around it. So one search and two
//! short numbers tell a delivery from every other.

use memchr::memmem::Finder;
use std::fmt::Write as _;

/// The bytes before the mark in a frame of either protocol.
const BEFORE: &[u8] = br#""text":"@"#;
const SEQ: &[u8] = br#""seq":"#;
/// The words that fill up the text of a post.
const FILL: &str = "the gauge rejoined overnight after the relay swap and the battery is holding ";

/// One post of one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which sender, counted over the whole run.
    pub sender: u32,
    /// Which of their posts, from 0.
    pub count: u64,
}

impl Mark {
    /// A text of `length` bytes, or as long as the mark needs.
    pub fn text(self, length: usize) -> String {
        let mut text = String::with_capacity(length);
        // Writing to a string cannot fail.
        let _ = write!(text, "@{}.{} ", self.sender, self.count);
        while text.len() < length {
            let room = length - text.len();
            text.push_str(&FILL[..room.min(FILL.len())]);
        }
        text
    }
}

/// Finds marks and places in frames. Made once: preparing a search costs more than one search.
#[derive(Debug, Clone)]
pub struct Eye {
    before: Finder<'static>,
    seq: Finder<'static>,
}

impl Default for Eye {
    fn default() -> Self {
        Self { before: Finder::new(BEFORE), seq: Finder::new(SEQ) }
    }
}

impl Eye {
    /// The mark of a frame.
    pub fn mark(&self, frame: &[u8]) -> Option<Mark> {
        let rest = &frame[self.before.find(frame)? + BEFORE.len()..];
        let (sender, rest) = number(rest)?;
        let (count, _) = number(rest.strip_prefix(b".")?)?;
        Some(Mark { sender: u32::try_from(sender).ok()?, count })
    }

    /// The place of a frame in its room, behind the first `"seq":`.
    pub fn seq(&self, frame: &[u8]) -> Option<u64> {
        let rest = &frame[self.seq.find(frame)? + SEQ.len()..];
        number(rest).map(|(seq, _)| seq)
    }
}

/// The number at the beginning of `bytes`, and the bytes behind it.
pub fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value: u64 = 0;
    let mut digits = 0;
    for byte in bytes.iter().take(19).take_while(|byte| byte.is_ascii_digit()) {
        value = value * 10 + u64::from(byte - b'0');
        digits += 1;
    }
    (digits > 0).then(|| (value, &bytes[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = br#"{"room":"r","seq":17,"by":{"name":"Ana"},"text":"@3.41 hi","nonce":"n"}"#;

    #[test]
    fn a_mark_and_a_place_are_found_in_a_frame() {
        let eye = Eye::default();
        assert_eq!(eye.mark(FRAME), Some(Mark { sender: 3, count: 41 }));
        assert_eq!(eye.seq(FRAME), Some(17));
    }

    #[test]
    fn a_frame_without_them_has_none() {
        let eye = Eye::default();
        let beat: &[u8] = br#"{"type":"beat","heads":{}}"#;
        assert_eq!((eye.mark(beat), eye.seq(beat)), (None, None));
        assert_eq!(eye.mark(br#"{"text":"@3"}"#), None);
    }

    #[test]
    fn a_text_has_the_length_asked_for_and_its_mark() {
        let mark = Mark { sender: 7, count: 1_000_000 };
        for length in [40, 200, 1_000] {
            let text = mark.text(length);
            assert_eq!(text.len(), length);
            assert_eq!(Eye::default().mark(format!(r#"{{"text":"{text}"}}"#).as_bytes()), Some(mark));
        }
    }
}
