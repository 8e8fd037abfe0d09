//! The decoder, however its bytes arrive.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1000;

/// What was said, owned.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
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

/// Decodes everything from a peer that may not deflate, given in pieces of these lengths, the last one as long as it
/// takes.
fn decode(bytes: &[u8], pieces: &[usize]) -> (Vec<Said>, Option<Violation>) {
    decode_with(None, bytes, pieces)
}

/// The same from a peer that may deflate.
fn decode_deflated(bytes: &[u8], pieces: &[usize]) -> (Vec<Said>, Option<Violation>) {
    decode_with(Some(&mut Inflater::default()), bytes, pieces)
}

fn decode_with(
    mut inflater: Option<&mut Inflater>,
    bytes: &[u8],
    pieces: &[usize],
) -> (Vec<Said>, Option<Violation>) {
    let mut decoder = Decoder::default();
    let (mut said, mut rest, mut pieces) = (Vec::new(), bytes, pieces.iter());
    while !rest.is_empty() {
        let len = pieces.next().map_or(rest.len(), |len| (*len).min(rest.len()));
        let mut piece = rest[..len].to_vec();
        rest = &rest[len..];
        let mut at = 0;
        while at < piece.len() {
            let terms = Terms { limit: LIMIT, inflater: inflater.as_deref_mut() };
            match decoder.decode(&mut piece[at..], terms) {
                Ok(step) => {
                    assert!(step.used > 0);
                    at += step.used;
                    said.extend(step.incoming.map(owned));
                }
                Err(violation) => return (said, Some(violation)),
            }
        }
    }
    (said, None)
}

fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    let at = frame.len();
    frame.extend_from_slice(payload);
    unmask(&mut frame[at..], mask);
    frame
}

/// A message with its frames: in one piece or cut at some places, with pings between.
fn message() -> impl Strategy<Value = (Said, Vec<u8>)> {
    let content = prop_oneof![
        "\\PC{0,60}".prop_map(Said::Text),
        vec(any::<u8>(), 0..300).prop_map(Said::Binary),
        vec(any::<u8>(), 0..126).prop_map(Said::Ping),
        Just(Said::Pong),
    ];
    (content, vec(0..200_usize, 0..4), any::<[u8; 4]>()).prop_map(|(said, cuts, mask)| {
        let bytes = match &said {
            Said::Text(text) => fragments(1, text.as_bytes(), &cuts, mask),
            Said::Binary(data) => fragments(2, data, &cuts, mask),
            Said::Ping(payload) => frame(0x89, payload, mask),
            Said::Pong => frame(0x8A, b"", mask),
            Said::Close(code) => {
                frame(0x88, &code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec()), mask)
            }
        };
        (said, bytes)
    })
}

fn fragments(opcode: u8, payload: &[u8], cuts: &[usize], mask: [u8; 4]) -> Vec<u8> {
    let (mut bytes, mut rest, mut opcode) = (Vec::new(), payload, opcode);
    for cut in cuts {
        let (part, after) = rest.split_at((*cut).min(rest.len()));
        bytes.extend(frame(opcode, part, mask));
        bytes.extend(frame(0x8A, b"", mask));
        (rest, opcode) = (after, 0);
    }
    bytes.extend(frame(0x80 | opcode, rest, mask));
    bytes
}

/// What is said, without the pongs that stand between fragments.
fn without_pongs(said: Vec<Said>) -> Vec<Said> {
    said.into_iter().filter(|said| *said != Said::Pong).collect()
}

proptest! {
    #[test]
    fn however_the_bytes_are_split_the_messages_are_the_same(
        messages in vec(message(), 0..6),
        pieces in vec(1..40_usize, 0..200),
    ) {
        let bytes = messages.iter().flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<u8>>();
        let expected = messages.into_iter().map(|(said, _)| said).collect();

        let (said, violation) = decode(&bytes, &pieces);

        prop_assert_eq!(violation, None);
        prop_assert_eq!(without_pongs(said), without_pongs(expected));
    }

    #[test]
    fn any_bytes_at_all_mean_the_same_however_they_are_split(
        bytes in vec(prop_oneof![any::<u8>(), Just(0x81), Just(0x80), Just(0x01), Just(0)], 0..200),
        pieces in vec(1..20_usize, 0..200),
    ) {
        prop_assert_eq!(decode(&bytes, &pieces), decode(&bytes, &[]));
    }
}

fn violation(bytes: &[u8]) -> Option<Violation> {
    decode(bytes, &[]).1
}

#[test]
fn what_is_wrong_is_found_before_the_payload_comes() {
    assert_eq!(violation(&[0x81, 0xFE, 0x03, 0xE9]), Some(Violation::TooBig));
    assert_eq!(violation(&[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1]), Some(Violation::Protocol));
    assert_eq!(violation(&[0x81, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 1]), Some(Violation::Protocol));
    assert_eq!(violation(&[0x81, 0xFE, 0, 125]), Some(Violation::Protocol));
    assert_eq!(violation(&[0x89, 0xFE]), Some(Violation::Protocol));
    assert_eq!(violation(&[0x81, 0x00]), Some(Violation::Protocol));
    assert_eq!(violation(&[0xA1, 0x80]), Some(Violation::Protocol));
}

#[test]
fn fragments_count_against_the_limit_together_and_by_number() {
    let mask = [1, 2, 3, 4];
    let mut long = frame(0x01, &[b'x'; 600], mask);
    long.extend(frame(0x80, &[b'x'; 401], mask));
    assert_eq!(violation(&long), Some(Violation::TooBig));

    let mut many = frame(0x01, b"", mask);
    many.extend(frame(0x00, b"", mask).repeat(1023));
    assert_eq!(violation(&many), None);
    many.extend(frame(0x80, b"", mask));
    assert_eq!(violation(&many), Some(Violation::TooBig));
}

#[test]
fn a_message_begins_once_and_goes_on_only_when_begun() {
    let mask = [9, 9, 9, 9];
    let twice = [frame(0x01, b"a", mask), frame(0x81, b"b", mask)].concat();
    assert_eq!(violation(&twice), Some(Violation::Protocol));
    assert_eq!(violation(&frame(0x80, b"a", mask)), Some(Violation::Protocol));
}

#[test]
fn text_that_cannot_become_utf8_is_refused_with_the_fragment_that_spoils_it() {
    let mask = [7, 0, 7, 0];
    let broken = frame(0x01, b"\xE2\x28", mask);
    assert_eq!(violation(&broken), Some(Violation::NotUtf8));

    let split = [frame(0x01, b"\xE2\x82", mask), frame(0x80, b"\xAC", mask)].concat();
    assert_eq!(decode(&split, &[]).0, [Said::Text("€".to_owned())]);

    let unfinished = [frame(0x01, b"a", mask), frame(0x80, b"\xE2\x82", mask)].concat();
    assert_eq!(violation(&unfinished), Some(Violation::NotUtf8));
}

#[test]
fn only_codes_that_may_be_sent_close_a_connection_in_peace() {
    let mask = [0, 0, 0, 0];
    for code in [1000_u16, 1001, 1003, 1007, 1011, 1014, 3000, 4999] {
        let (said, violation) = decode(&frame(0x88, &code.to_be_bytes(), mask), &[]);
        assert_eq!((said, violation), (vec![Said::Close(Some(code))], None));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535] {
        assert_eq!(violation(&frame(0x88, &code.to_be_bytes(), mask)), Some(Violation::Protocol));
    }
    assert_eq!(decode(&frame(0x88, b"", mask), &[]).0, [Said::Close(None)]);
    assert_eq!(violation(&frame(0x88, b"\x03", mask)), Some(Violation::Protocol));
    assert_eq!(violation(&frame(0x88, b"\x03\xE8\xFF", mask)), Some(Violation::NotUtf8));
}

#[test]
fn nothing_is_kept_of_what_arrives_whole() {
    let mut decoder = Decoder::default();
    let mut bytes = frame(0x81, &[b'x'; 900], [1, 2, 3, 4]);
    let terms = Terms { limit: LIMIT, inflater: None };
    let Ok(step) = decoder.decode(&mut bytes, terms) else { panic!("refused") };
    assert!(step.incoming.is_some());

    assert_eq!(decoder.partial.capacity() + decoder.finished.capacity(), 0);
    assert!(decoder.fragments.is_none());
}

/// "Hello", deflated (RFC 7692 §7.2.3.1).
const HELLO: [u8; 7] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];

#[test]
fn a_deflated_message_is_heard_in_one_piece_and_in_fragments() {
    let mask = [1, 2, 3, 4];
    let whole = frame(0xC1, &HELLO, mask);
    let fragments = [frame(0x41, &HELLO[..3], mask), frame(0x89, b"", mask), frame(0x80, &HELLO[3..], mask)];
    let plain = frame(0x82, b"and plain", mask);
    let bytes = [whole, fragments.concat(), plain].concat();
    for pieces in [vec![], vec![1; bytes.len()]] {
        let hello = Said::Text("Hello".to_owned());
        let heard = vec![hello.clone(), Said::Ping(vec![]), hello, Said::Binary(b"and plain".to_vec())];
        assert_eq!(decode_deflated(&bytes, &pieces), (heard, None));
    }
}

#[test]
fn only_the_first_frame_of_a_message_may_say_that_it_is_deflated_and_only_where_that_was_agreed() {
    let mask = [1, 2, 3, 4];
    for opcode in [0xC8, 0xC9, 0xCA] {
        assert_eq!(decode_deflated(&frame(opcode, b"", mask), &[]).1, Some(Violation::Protocol));
    }
    let again = [frame(0x41, &HELLO[..3], mask), frame(0xC0, &HELLO[3..], mask)].concat();
    assert_eq!(decode_deflated(&again, &[]).1, Some(Violation::Protocol));
    let late = [frame(0x01, b"", mask), frame(0xC0, &HELLO, mask)].concat();
    assert_eq!(decode_deflated(&late, &[]).1, Some(Violation::Protocol));
    for opcode in [0xE1, 0xD1, 0xA1, 0x91] {
        assert_eq!(decode_deflated(&frame(opcode, &HELLO, mask), &[]).1, Some(Violation::Protocol));
    }
    assert_eq!(violation(&[0xC1, 0x80]), Some(Violation::Protocol));
}

#[test]
fn what_a_message_inflates_to_is_judged_like_any_other() {
    let mask = [1, 2, 3, 4];
    // A block without compression that holds one byte.
    let spoilt = [0x00, 0x01, 0x00, 0xFE, 0xFF, 0xFF, 0x00];
    assert_eq!(decode_deflated(&frame(0xC1, &spoilt, mask), &[]).1, Some(Violation::NotUtf8));
    assert_eq!(decode_deflated(&frame(0xC2, &spoilt, mask), &[]), (vec![Said::Binary(vec![0xFF])], None));
    assert_eq!(decode_deflated(&frame(0xC1, b"Hello", mask), &[]).1, Some(Violation::NotDeflate));
    assert_eq!(decode_deflated(&frame(0xC1, &[0; LIMIT + 1], mask), &[]).1, Some(Violation::TooBig));
}
