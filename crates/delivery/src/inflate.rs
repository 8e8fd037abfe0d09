//! Inflating what peers send (RFC 7692 §7.2.2), within a limit.

use flate2::{Decompress, FlushDecompress, Status};

use crate::header::Violation;

/// The end of a message that a sender cuts off (RFC 7692 §7.2.1), and behind it an empty last block. If inflating
/// both does not reach the end exactly there, only half a message was sent.
const ENDING: [u8; 9] = [0x00, 0x00, 0xFF, 0xFF, 0x01, 0x00, 0x00, 0xFF, 0xFF];

/// Most blocks of one message that are marked as the last. Each such block costs a fresh start, so a message of
/// nothing else would cost far more than its length.
const MAX_STREAMS: u32 = 64;

/// Least bytes of memory for a message, so that short ones do not grow it step by step.
const LEAST: usize = 4096;

/// Inflates one message after the other, each on its own (`client_no_context_takeover`). A shard has one, so a
/// connection that may send deflated messages costs no more than another.
#[derive(Default)]
pub(crate) struct Inflater {
    /// Made for the first message: a shard without deflated messages has no window.
    stream: Option<Decompress>,
    /// The last message.
    message: Vec<u8>,
}

/// How far a stream was read from the input.
enum Reached {
    /// All of the input is in.
    NeedsMore,
    /// The last block is complete. So many bytes of the input are left.
    End(usize),
}

impl Inflater {
    /// Inflates the payload of a message. The result is at most `limit` bytes long. So is the memory for it, except
    /// for one byte that shows that the result would be longer.
    pub(crate) fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<&[u8], Violation> {
        let Inflater { stream, message } = self;
        let stream = stream.get_or_insert_with(|| Decompress::new(false));
        stream.reset(false);
        message.clear();
        let mut streams = 1;
        let mut rest = payload;
        while let Reached::End(left) = advance(stream, rest, message, limit)? {
            if left == 0 {
                return Ok(message);
            }
            if streams == MAX_STREAMS {
                return Err(Violation::NotDeflate);
            }
            streams += 1;
            rest = &rest[rest.len() - left..];
            stream.reset(false);
        }
        match advance(stream, &ENDING, message, limit)? {
            Reached::End(0) => Ok(message),
            Reached::End(_) | Reached::NeedsMore => Err(Violation::NotDeflate),
        }
    }
}

/// Inflates `input` to the end of `message`.
fn advance(
    stream: &mut Decompress,
    mut input: &[u8],
    message: &mut Vec<u8>,
    limit: usize,
) -> Result<Reached, Violation> {
    loop {
        if message.len() == message.capacity() {
            // One byte more than the limit shows that the message is longer than the limit.
            let capacity = (2 * message.capacity()).max(LEAST).min(limit + 1);
            message.reserve_exact(capacity.saturating_sub(message.len()));
        }
        let (had, held) = (stream.total_in(), message.len());
        let status = stream
            .decompress_vec(input, message, FlushDecompress::None)
            .map_err(|_| Violation::NotDeflate)?;
        if message.len() > limit {
            return Err(Violation::TooBig);
        }
        let used = (stream.total_in() - had) as usize;
        input = &input[used..];
        match status {
            Status::StreamEnd => return Ok(Reached::End(input.len())),
            Status::Ok | Status::BufError if message.len() == message.capacity() => {}
            Status::Ok | Status::BufError if input.is_empty() => return Ok(Reached::NeedsMore),
            Status::Ok | Status::BufError if used == 0 && message.len() == held => {
                return Err(Violation::NotDeflate);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
