//! A message that arrives in fragments (RFC 6455 §5.4).

use crate::header::Violation;

/// Most fragments of one message, or one for every [`FEW_BYTES`] of the longest message where that is more. Without a
/// limit, an endless run of empty fragments would cost the peer nothing and take our time.
const MAX_FRAGMENTS: usize = 1024;
const FEW_BYTES: usize = 64;

/// What has arrived of a fragmented message.
pub(crate) struct Fragments {
    text: bool,
    deflated: bool,
    bytes: Vec<u8>,
    /// How many of `bytes` are known to be UTF-8. Counted only for text that is not deflated.
    valid: usize,
    count: usize,
}

/// A message put together from its fragments.
pub(crate) struct Whole {
    pub(crate) text: bool,
    pub(crate) deflated: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Fragments {
    pub(crate) fn new(text: bool, deflated: bool) -> Fragments {
        Fragments { text, deflated, bytes: Vec::new(), valid: 0, count: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds the payload of a fragment. A text that cannot become UTF-8 any more is refused at once.
    pub(crate) fn push(&mut self, payload: &[u8], limit: usize) -> Result<(), Violation> {
        self.count += 1;
        if self.count > MAX_FRAGMENTS.max(limit / FEW_BYTES) {
            return Err(Violation::TooBig);
        }
        self.bytes.extend_from_slice(payload);
        if self.text && !self.deflated {
            match std::str::from_utf8(&self.bytes[self.valid..]) {
                Ok(rest) => self.valid += rest.len(),
                Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
                Err(_) => return Err(Violation::NotUtf8),
            }
        }
        Ok(())
    }

    /// The whole message.
    pub(crate) fn finish(self) -> Whole {
        Whole { text: self.text, deflated: self.deflated, bytes: self.bytes }
    }
}
