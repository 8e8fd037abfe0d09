//! Deflates what is published (RFC 7692 §7.2.1), once for all connections that agreed on it.

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::frame::Frame;

/// Least bytes of payload worth deflating.
const LEAST: usize = 256;
/// The window in bits: no reference reaches farther back than 4 KiB. [`Deflate`](crate::Deflate) promises that to a
/// client that asks for a small window.
pub(crate) const WINDOW: u8 = 12;
const LEVEL: u32 = 3;
/// The end of a flush, which a sender cuts off.
const ENDING: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Deflates one message after the other, each on its own (`server_no_context_takeover`), so that every connection can
/// be given the same bytes.
#[derive(Default)]
pub(crate) struct Deflater {
    /// Made for the first message: a server that deflates nothing has no window.
    stream: Option<Compress>,
    scratch: Vec<u8>,
}

impl Deflater {
    /// Whether a frame is long enough to try.
    pub(crate) fn is_worth_it(frame: &Frame) -> bool {
        frame.payload().len() >= LEAST
    }

    /// The deflated frame; `None` if it is no shorter.
    pub(crate) fn deflate(&mut self, frame: &Frame) -> Option<Frame> {
        let payload = frame.payload();
        let Deflater { stream, scratch } = self;
        let stream = stream
            .get_or_insert_with(|| Compress::new_with_window_bits(Compression::new(LEVEL), false, WINDOW));
        stream.reset();
        // A deflated payload that does not fit here is no shorter, so nothing longer is ever made.
        let room = payload.len() - 1 + ENDING.len();
        if scratch.len() < room {
            scratch.resize(room, 0);
        }
        let status = stream.compress(payload, &mut scratch[..room], FlushCompress::Sync).ok()?;
        let made = stream.total_out() as usize;
        let complete = status == Status::Ok && stream.total_in() as usize == payload.len() && made < room;
        let deflated = scratch[..made].strip_suffix(&ENDING)?;
        complete.then(|| frame.deflated(deflated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inflate::Inflater;

    /// Bytes in which no two places are alike, half of what they could hold.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + (state >> 28) as u8
        })
        .take(len)
        .collect()
    }

    #[test]
    fn what_is_deflated_inflates_to_what_it_was_and_is_shorter() {
        let (mut deflater, mut inflater) = (Deflater::default(), Inflater::default());
        for len in [256, 1000, 64 << 10, 1 << 20] {
            let text = noise(len);
            let frame = Frame::text(&text);
            let deflated = deflater.deflate(&frame).expect("it helps");

            assert_eq!(deflated.as_bytes()[0], 0xC1);
            assert!(deflated.len() < frame.len());
            assert_eq!(inflater.inflate(deflated.payload(), len), Ok(&text[..]));
        }
    }

    #[test]
    fn nothing_refers_farther_back_than_the_window_we_promise() {
        // The letters of this noise take four bits each where nothing is repeated within reach.
        let letters = |period: usize| 3 * period / 2;
        let len = |period: usize| {
            Deflater::default().deflate(&Frame::text(noise(period).repeat(3))).map(|frame| frame.len())
        };

        assert!(len(3000).is_some_and(|len| len < letters(3000) / 2), "what is near enough is found");
        assert!(len(5000).is_some_and(|len| len > letters(5000)), "what is too far is not");
    }

    #[test]
    fn what_came_before_is_forgotten() {
        let mut deflater = Deflater::default();
        let frame = Frame::text(noise(1000));
        let first = deflater.deflate(&frame);

        deflater.deflate(&Frame::text(noise(9000)));

        assert!(first.is_some());
        assert_eq!(deflater.deflate(&frame), first);
    }

    #[test]
    fn what_does_not_get_shorter_stays_as_it_is() {
        let mut state = 1_u64;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(2000)
        .collect();

        assert_eq!(Deflater::default().deflate(&Frame::binary(random)), None);
        assert!(!Deflater::is_worth_it(&Frame::text([b'x'; 255])));
        assert!(Deflater::is_worth_it(&Frame::text([b'x'; 256])));
    }
}
