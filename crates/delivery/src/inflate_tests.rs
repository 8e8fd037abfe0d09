//! Deflated messages as others make them, and as nobody should.

use flate2::{Compress, Compression, FlushCompress};

use super::*;

const LIMIT: usize = 64 << 10;

fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
    Inflater::default().inflate(payload, limit).map(<[u8]>::to_vec)
}

/// What a sender makes of a message with the largest window (RFC 7692 §7.2.1).
fn deflated(message: &[u8]) -> Vec<u8> {
    let mut stream = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(message.len() + 100);
    stream.compress_vec(message, &mut out, FlushCompress::Sync).expect("there is room");
    out.truncate(out.len() - 4);
    out
}

#[test]
fn the_examples_of_the_rfc_say_hello() {
    // RFC 7692 §7.2.3: one block, no compression, a last block with an empty one behind it, two blocks.
    let examples: [&[u8]; 4] = [
        &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
        &[0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
        &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
        &[0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
    ];
    for example in examples {
        assert_eq!(inflate(example, LIMIT), Ok(b"Hello".to_vec()), "{example:x?}");
    }
    assert_eq!(inflate(&[0x00], LIMIT), Ok(Vec::new()));
}

#[test]
fn a_message_may_be_as_long_as_the_limit_and_no_longer() {
    for len in [0, 1, 4095, 4096, 4097, LIMIT - 1, LIMIT] {
        let message = vec![b'x'; len];
        assert_eq!(inflate(&deflated(&message), LIMIT), Ok(message));
    }
    assert_eq!(inflate(&deflated(&vec![b'x'; LIMIT + 1]), LIMIT), Err(Violation::TooBig));
    assert_eq!(inflate(&deflated(b"Hello"), 5), Ok(b"Hello".to_vec()));
    assert_eq!(inflate(&deflated(b"Hello"), 4), Err(Violation::TooBig));
    assert_eq!(inflate(&deflated(b""), 0), Ok(Vec::new()));
}

#[test]
fn a_bomb_takes_no_more_memory_than_the_limit() {
    let bomb = deflated(&vec![0; 4 << 20]);
    assert!(bomb.len() < LIMIT / 8, "a bomb is small: {}", bomb.len());
    let mut inflater = Inflater::default();

    assert_eq!(inflater.inflate(&bomb, LIMIT), Err(Violation::TooBig));

    assert!(inflater.message.capacity() <= LIMIT + 1, "{}", inflater.message.capacity());
    assert_eq!(inflater.inflate(&deflated(b"Hello"), LIMIT), Ok(&b"Hello"[..]));
}

#[test]
fn half_a_message_and_what_was_never_deflated_are_refused() {
    let whole = deflated(&b"What was said in the garden stays in the garden. ".repeat(40));
    for len in 0..whole.len() {
        assert_eq!(inflate(&whole[..len], LIMIT), Err(Violation::NotDeflate), "{len} of {}", whole.len());
    }
    assert_eq!(inflate(&[], LIMIT), Err(Violation::NotDeflate));
    assert_eq!(inflate(b"Hello", LIMIT), Err(Violation::NotDeflate));
    assert_eq!(inflate(&[0xFF; 100], LIMIT), Err(Violation::NotDeflate));
}

#[test]
fn nothing_is_known_of_the_message_before() {
    // A block with fixed codes that copies three bytes from one byte back: there is nothing behind it.
    let copies = [0x02, 0x02, 0x00];
    let mut inflater = Inflater::default();
    assert_eq!(inflater.inflate(&deflated(&[b'x'; 1000]), LIMIT), Ok(&[b'x'; 1000][..]));

    assert_eq!(inflater.inflate(&copies, LIMIT), Err(Violation::NotDeflate));
}

#[test]
fn an_endless_row_of_last_blocks_ends() {
    let last = [0x03, 0x00];
    assert_eq!(inflate(&last.repeat(MAX_STREAMS as usize), LIMIT), Ok(Vec::new()));
    assert_eq!(inflate(&last.repeat(MAX_STREAMS as usize + 1), LIMIT), Err(Violation::NotDeflate));
}
