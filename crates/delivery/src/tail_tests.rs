//! A tail against a plain list of everything that was published.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const EACH: usize = 2048;

#[derive(Clone, Debug)]
enum Step {
    Publish {
        len: usize,
        fleeting: bool,
        cut: bool,
    },
    /// Somebody begins to follow who has this many seqs, counted from 20 before the newest.
    Follow {
        has: u64,
    },
    /// A reader is given at most this many bytes of what is due.
    Read {
        who: usize,
        bytes: usize,
    },
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (8..300_usize, prop::bool::weighted(0.4), prop::bool::weighted(0.05))
            .prop_map(|(len, fleeting, cut)| Step::Publish { len, fleeting, cut }),
        1 => (0..26_u64).prop_map(|has| Step::Follow { has }),
        4 => (0..8_usize, 0..1500_usize).prop_map(|(who, bytes)| Step::Read { who, bytes }),
        1 => Just(Step::Release),
    ]
}

/// A frame that was published. Its bytes begin with its number, so that no two are alike.
struct Published {
    bytes: Vec<u8>,
    seq: Option<u64>,
}

struct Somebody {
    offset: u64,
    live_from: u64,
    /// How many frames had been published when it began.
    began: usize,
    after: u64,
    heard: Vec<u8>,
}

impl Somebody {
    fn as_read(&self) -> Reader {
        Reader { offset: self.offset, live_from: self.live_from, last: self.after }
    }
}

struct Model {
    tail: Tail,
    budget: Budget,
    published: Vec<Published>,
    readers: Vec<Somebody>,
    head: u64,
    cut: u64,
}

impl Model {
    fn new() -> Model {
        let budget = Budget { each: EACH, left: 3 * EACH };
        Model { tail: Tail::new(0), budget, published: Vec::new(), readers: Vec::new(), head: 0, cut: 0 }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Publish { len, fleeting, cut } => self.publish(len, fleeting, cut && !fleeting),
            Step::Follow { has } => self.follow((self.head + has).saturating_sub(20)),
            Step::Read { who, bytes } if !self.readers.is_empty() => {
                self.read(who % self.readers.len(), bytes)
            }
            Step::Read { .. } => {}
            Step::Release => self.release(),
        }
        assert!(self.tail.capacity() <= EACH);
        assert_eq!(self.budget.left + self.tail.capacity(), 3 * EACH);
        assert!(self.tail.fleeting <= EACH / 4);
    }

    fn publish(&mut self, len: usize, fleeting: bool, cut: bool) {
        let number = self.published.len();
        let bytes: Vec<u8> = format!("{number:-<len$}").into_bytes();
        let seq = (!fleeting).then(|| self.head + 1);
        self.head = seq.unwrap_or(self.head);
        self.cut = if cut { self.head - 1 } else { self.cut };
        let addition = Addition { bytes: &bytes, seq, cut, stamp: number as u64 };
        if let Some(shift) = self.tail.append(addition, &mut self.budget) {
            for reader in &mut self.readers {
                reader.offset = shift.moved(reader.offset);
                reader.live_from = shift.moved(reader.live_from);
            }
        }
        self.published.push(Published { bytes, seq });
    }

    fn follow(&mut self, after: u64) {
        if !self.tail.reaches(after) {
            return;
        }
        assert!(after >= self.cut, "removed text could be read");
        self.readers.push(Somebody {
            offset: self.tail.offset_after(after),
            live_from: if after > self.head { Reader::AHEAD } else { self.tail.end() },
            began: self.published.len(),
            after,
            heard: Vec::new(),
        });
    }

    /// Gives a reader some bytes, and then the rest of a frame that is half out.
    fn read(&mut self, who: usize, bytes: usize) {
        let reader = &mut self.readers[who];
        if reader.offset < self.tail.start() {
            self.readers.swap_remove(who);
            return;
        }
        let Some(run) = self.tail.run(reader.as_read(), ALWAYS) else { return };
        let taken = run.to.min(run.from + bytes as u64);
        reader.offset = if taken == run.from { run.from } else { self.tail.border(taken) };
        let (one, two) = self.tail.slices(Run { from: run.from, to: reader.offset });
        reader.heard.extend([one, two].concat());
        let reader = &self.readers[who];
        self.check(reader);
    }

    /// A reader has heard every durable frame since it began, in order, and of the others some of those since then.
    fn check(&self, reader: &Somebody) {
        let mut heard = &reader.heard[..];
        for (number, frame) in self.published.iter().enumerate() {
            let due = frame.seq.map_or(number >= reader.began, |seq| seq > reader.after);
            if heard.is_empty() {
                return;
            }
            if due && heard.starts_with(&frame.bytes) {
                heard = &heard[frame.bytes.len()..];
            } else {
                assert!(!due || frame.seq.is_none(), "frame {number} is missing");
            }
        }
        assert!(heard.is_empty(), "something was heard twice, too early or in part");
    }

    fn release(&mut self) {
        let end = self.tail.end();
        if self.readers.iter().all(|reader| reader.offset >= end) {
            self.tail.release(&mut self.budget);
            assert_eq!(self.tail.end(), end);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_reader_hears_every_message_once_and_in_order_or_is_told_that_it_lagged(steps in vec(step(), 0..120)) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
        }
        while !model.readers.is_empty() {
            let lacks = model.tail.end() - model.readers[0].offset.min(model.tail.end());
            if lacks == 0 { model.readers.swap_remove(0); } else { model.read(0, usize::MAX >> 1); }
        }
    }
}

fn publish(tail: &mut Tail, budget: &mut Budget, seq: Option<u64>, stamp: u64, len: usize) {
    let addition = Addition { bytes: &vec![b'x'; len], seq, cut: false, stamp };
    tail.append(addition, budget);
}

#[test]
fn what_was_published_before_a_stamp_can_be_told_from_what_came_after() {
    let mut budget = Budget { each: EACH, left: EACH };
    let mut tail = Tail::new(0);
    publish(&mut tail, &mut budget, Some(1), 10, 5);
    publish(&mut tail, &mut budget, Some(2), 20, 7);

    assert_eq!(tail.end_before(10), 0);
    assert_eq!(tail.end_before(11), 5);
    assert_eq!(tail.end_before(20), 5);
    assert_eq!(tail.end_before(21), 12);
    assert_eq!(tail.end_before(ALWAYS), 12);
}

#[test]
fn a_frame_that_no_memory_is_left_for_is_a_gap_for_everybody() {
    let mut budget = Budget { each: EACH, left: 0 };
    let mut tail = Tail::new(3);
    let offset = tail.end();

    publish(&mut tail, &mut budget, None, 1, 100);
    assert_eq!(tail.start(), offset);
    publish(&mut tail, &mut budget, Some(4), 2, 100);

    assert!(offset < tail.start());
    assert!(!tail.reaches(3));
    assert!(tail.reaches(4));
}

#[test]
fn a_tail_grows_with_use_and_gives_its_memory_back() {
    let mut budget = Budget { each: 1 << 20, left: 1 << 20 };
    let mut tail = Tail::new(0);
    publish(&mut tail, &mut budget, Some(1), 1, 100);
    assert_eq!(tail.capacity(), 512);
    publish(&mut tail, &mut budget, Some(2), 2, 3000);
    assert_eq!(tail.capacity(), 4096);

    tail.release(&mut budget);

    assert_eq!((tail.capacity(), budget.left), (0, 1 << 20));
    assert!(tail.reaches(2) && !tail.reaches(1));
}
