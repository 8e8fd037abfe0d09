//! What was kept in one life of the data, with the indexes that millions of frames need.

use crate::faults::community::{Kept, Record};
use protocol::{Event, Message, RoomId, UserId};
use std::collections::{HashMap, HashSet};

/// A record with its indexes.
pub struct Lookup<'a> {
    record: &'a Record,
    rights: HashMap<UserId, HashMap<RoomId, u64>>,
    messages: HashSet<(RoomId, u64, &'a str)>,
    /// By the name of the room, in order.
    spans: HashMap<&'a str, Vec<Span>>,
}

/// From which seq to which a message has its text.
struct Span {
    seq: u64,
    /// The seq at which it was deleted.
    deleted: Option<u64>,
}

impl Span {
    fn of(message: &Message) -> Self {
        // Nothing touches a message after its deletion.
        Self { seq: message.seq, deleted: message.deleted.then_some(message.rev) }
    }
}

impl<'a> Lookup<'a> {
    /// Goes through a record once.
    pub fn new(record: &'a Record) -> Self {
        let mut lookup =
            Self { record, rights: HashMap::new(), messages: HashSet::new(), spans: HashMap::new() };
        for (room, kept) in &record.rooms {
            lookup.add_rights(*room, kept);
            let named = |message: &'a Message| (*room, message.seq, message.nonce.as_str());
            lookup.messages.extend(kept.messages.iter().map(named));
        }
        for view in record.views.values().flatten() {
            let spans = || {
                let kept = record.rooms.get(&view.id).map(|kept| kept.messages.as_slice());
                let mut spans: Vec<Span> = kept.unwrap_or_default().iter().map(Span::of).collect();
                spans.sort_unstable_by_key(|span| span.seq);
                spans
            };
            lookup.spans.entry(&view.name).or_insert_with(spans);
        }
        lookup
    }

    /// Up to which seq a user may see each room: without end while they are a member. None for a user who was never
    /// in a room.
    pub fn rights(&self, user: UserId) -> Option<&HashMap<RoomId, u64>> {
        self.rights.get(&user)
    }

    /// The event of the log at a seq.
    pub fn event(&self, room: RoomId, seq: u64) -> Option<&'a Event> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.record.rooms.get(&room)?.events.get(index).filter(|kept| kept.seq == seq)
    }

    /// Whether a message is kept where it was shown.
    pub fn has(&self, room: RoomId, message: &Message) -> bool {
        self.messages.contains(&(room, message.seq, message.nonce.as_str()))
    }

    /// How many messages of a room, by its name, a reader should have been told between the messages at `from` and
    /// `to`, without these two. If `from` was the last message of a welcome, the messages that were deleted before
    /// `to` do not count, because a welcome leaves deleted messages out.
    pub fn between(&self, room: &str, from: u64, to: u64, welcomed: bool) -> u64 {
        let spans = self.spans.get(room).map(Vec::as_slice).unwrap_or_default();
        let until = spans.partition_point(|span| span.seq < to);
        let first = spans.partition_point(|span| span.seq <= from);
        let between = spans.get(first..until).unwrap_or_default().iter();
        let owed = |span: &&Span| !welcomed || span.deleted.is_none_or(|deleted| deleted > to);
        between.filter(owed).count() as u64
    }

    fn add_rights(&mut self, room: RoomId, kept: &Kept) {
        for event in &kept.events {
            let Some((user, is_member)) = event.kind.membership() else { continue };
            let until = if is_member { u64::MAX } else { event.seq };
            self.rights.entry(user.id).or_default().insert(room, until);
        }
    }
}
