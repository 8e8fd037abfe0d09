//! What holds for any bytes at all. The fuzz targets (`fuzz/`) call these functions, and so do the tests that replay
//! inputs found by fuzzing. No build of the product contains them.

use std::cell::RefCell;

use crate::codec::{Decoder, Incoming, Terms};
use crate::deflate::Deflater;
use crate::frame::Frame;
use crate::handshake::{Deflate, accept_key, subprotocols};
use crate::inflate::Inflater;

/// Small, so that inputs pass it often.
const LIMIT: usize = 2000;

/// What a peer said, as an owned value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A close frame with its code.
    Close(Option<u16>),
}

/// Everything that was said up to a close frame, and the close code of the rule that was broken, if one was.
pub type Outcome = (Vec<Said>, Option<u16>);

/// Bytes from a peer, and how they are cut into pieces on their way.
pub struct Wire<'a> {
    /// Whether the peer may deflate.
    pub deflate: bool,
    /// Lengths of pieces, in turn.
    pub pieces: &'a [u8],
    /// The frames.
    pub bytes: &'a [u8],
}

impl<'a> Wire<'a> {
    /// Reads an input: a byte with a flag, a byte that counts pieces, their lengths, and then frames.
    pub fn read(input: &'a [u8]) -> Option<Wire<'a>> {
        let (&[flags, count], rest) = input.split_first_chunk()?;
        let (pieces, bytes) = rest.split_at_checked(usize::from(count % 32))?;
        Some(Wire { deflate: flags & 1 != 0, pieces, bytes })
    }

    /// Decodes the frames, all at once.
    pub fn decoded(&self) -> Outcome {
        self.decode(std::iter::once(self.bytes.len()))
    }

    fn decode(&self, pieces: impl Iterator<Item = usize>) -> Outcome {
        let (mut decoder, mut inflater) = (Decoder::default(), Inflater::default());
        let (mut said, mut rest) = (Vec::new(), self.bytes);
        for len in pieces {
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            let mut piece = piece.to_vec();
            let mut at = 0;
            while at < piece.len() {
                let terms = Terms { limit: LIMIT, inflater: self.deflate.then_some(&mut inflater) };
                let step = match decoder.decode(&mut piece[at..], terms) {
                    Ok(step) => step,
                    Err(violation) => return (said, Some(violation.code())),
                };
                assert!(step.used > 0, "nothing was done");
                at += step.used;
                said.extend(step.incoming.map(owned));
                if let Some(Said::Close(_)) = said.last() {
                    return (said, None);
                }
            }
            decoder.release();
            if rest.is_empty() {
                break;
            }
        }
        (said, None)
    }
}

fn owned(incoming: Incoming<'_>) -> Said {
    match incoming {
        Incoming::Text(text) => Said::Text(text.to_owned()),
        Incoming::Binary(data) => Said::Binary(data.to_vec()),
        Incoming::Ping(payload) => Said::Ping(payload.to_vec()),
        Incoming::Pong => Said::Pong,
        Incoming::Close(code) => Said::Close(code),
    }
}

/// However frames are cut into pieces, the same is said and the same is refused, and nothing exceeds the limit.
pub fn decoder(input: &[u8]) {
    let Some(wire) = Wire::read(input) else { return };
    let whole = wire.decoded();
    let lengths = wire.pieces.iter().map(|piece| 1 + usize::from(*piece)).chain([1]);
    let split = wire.decode(lengths.collect::<Vec<_>>().into_iter().cycle());
    assert_eq!(whole, split);
    for said in whole.0 {
        match said {
            Said::Text(text) => assert!(text.len() <= LIMIT),
            Said::Binary(data) => assert!(data.len() <= LIMIT),
            Said::Ping(payload) => assert!(payload.len() <= 125),
            Said::Pong | Said::Close(_) => {}
        }
    }
}

/// Inflating stays within the limit, remembers nothing, and undoes deflating.
pub fn inflate(input: &[u8]) {
    let mut inflater = Inflater::default();
    let first = inflater.inflate(input, LIMIT).map(<[u8]>::to_vec);
    assert!(first.as_ref().is_ok_and(|message| message.len() <= LIMIT) || first.is_err());
    assert_eq!(inflater.inflate(input, LIMIT).map(<[u8]>::to_vec), first);
    let roomy = inflater.inflate(input, 1 << 16).map(<[u8]>::to_vec);
    assert!(first.is_err() || first == roomy, "more room makes another message");
    if input.is_empty() {
        return;
    }
    let frame = Frame::binary(input);
    // One for all inputs: making one takes longer than everything else here.
    thread_local!(static DEFLATER: RefCell<Deflater> = RefCell::default());
    if let Some(deflated) = DEFLATER.with_borrow_mut(|deflater| deflater.deflate(&frame)) {
        assert!(deflated.len() < frame.len() || deflated.payload().len() < input.len());
        assert_eq!(inflater.inflate(deflated.payload(), input.len()), Ok(input));
    }
}

/// The headers of an opening handshake, a line each: a key, subprotocols, and any number of extensions. The agreement
/// is itself an offer that can be kept, and it does not matter how a list is spread over headers.
pub fn upgrade(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let key = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    if let Some(accept) = key.and_then(accept_key) {
        assert_eq!(accept.len(), 28);
    }
    let offered = lines.next().map(|line| subprotocols([line]));
    if let Some(Ok(offered)) = offered {
        assert_eq!(subprotocols([offered.join(",").as_bytes()]).as_ref(), Ok(&offered));
    }
    let extensions: Vec<&[u8]> = lines.collect();
    let Ok(agreed) = Deflate::negotiate(extensions.iter().copied()) else { return };
    assert_eq!(Deflate::negotiate([extensions.join(&b", "[..]).as_slice()]), Ok(agreed));
    if let Some(deflate) = agreed {
        assert_eq!(Deflate::negotiate([deflate.answer().as_bytes()]), Ok(agreed));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn replay(target: &str, property: impl Fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut replayed = 0;
        for entry in std::fs::read_dir(&corpus).expect("a corpus") {
            let path = entry.expect("an input").path();
            property(&std::fs::read(&path).expect("an input"));
            replayed += 1;
        }
        assert!(replayed >= 10, "{} holds {replayed} inputs", corpus.display());
    }

    #[test]
    fn frames_that_fuzzing_found_mean_the_same_however_they_are_split() {
        replay("decoder", decoder);
    }

    #[test]
    fn deflated_messages_that_fuzzing_found_stay_within_the_limit() {
        replay("inflate", inflate);
    }

    #[test]
    fn handshakes_that_fuzzing_found_are_read_in_one_way_only() {
        replay("upgrade", upgrade);
    }
}
