//! What went over each connection: in order, without holes, nothing that is not in the log, and nothing of a room that
//! one is not in.

use super::Verdict;
use crate::faults::community::Record;
use crate::faults::journal::{Journal, What};
use protocol::simple::SimpleFrame;
use protocol::{Event, EventKind, RoomId, ServerFrame, UserId};
use std::collections::HashMap;

/// One connection of the native protocol as far as it was heard.
struct Wire<'a> {
    /// Up to which place of each room its owner may see.
    rights: &'a HashMap<RoomId, u64>,
    /// The last place told of each room that one is in: of the live stream, and of what a resume brings beside it. While it
    /// does the live stream may go on, and its events come once more afterwards, which clients pass over.
    places: HashMap<RoomId, Vec<u64>>,
    /// Where memberships ended that ended on this connection.
    left: HashMap<RoomId, u64>,
    /// Where resumes asked to begin that have not taken effect yet, of those who note it.
    after: HashMap<RoomId, Vec<u64>>,
    notes_resumes: bool,
}

/// One connection of the simple protocol.
#[derive(Default)]
struct Talk {
    /// The last chat told of the room one is in.
    last: Option<(String, u64)>,
}

/// Judges I-2, I-4 and I-5 by every frame.
pub fn judge(journal: &Journal, record: &Record, verdict: &mut Verdict) {
    let notes_resumes = journal.screens.is_empty();
    let rights = journal.keeper.user.map(|user| rights(user, record)).unwrap_or_default();
    let mut wire = Wire::new(&rights, notes_resumes);
    let mut talk = Talk::default();
    for entry in &journal.entries {
        match &entry.what {
            What::Frame { text } => {
                verdict.counts.frames += 1;
                match ServerFrame::decode(text) {
                    Ok(ServerFrame::Hello(hello)) => {
                        wire = Wire::new(&rights, notes_resumes);
                        wire.places = hello.rooms.iter().map(|room| (room.id, vec![room.head])).collect();
                    }
                    Ok(frame) => wire.hear(&frame, journal, record, verdict),
                    Err(error) => {
                        verdict.find(4, || format!("{} was sent {text:?}: {error}", journal.keeper.name))
                    }
                }
            }
            What::Resume { room, after } => wire.after.entry(*room).or_default().push(*after),
            What::SimpleBegins {} => talk = Talk::default(),
            What::SimpleFrame { text } => {
                verdict.counts.frames += 1;
                if let Ok(frame) = serde_json::from_str(text) {
                    talk.hear(&frame, &journal.keeper.name, record, verdict);
                }
            }
            What::Invoke { .. }
            | What::Ok { .. }
            | What::Failed { .. }
            | What::Unknown { .. }
            | What::Revised { .. }
            | What::Marked { .. }
            | What::ReadBack { .. }
            | What::Peeked { .. } => {}
        }
    }
}

impl<'a> Wire<'a> {
    fn new(rights: &'a HashMap<RoomId, u64>, notes_resumes: bool) -> Self {
        Self { rights, places: HashMap::new(), left: HashMap::new(), after: HashMap::new(), notes_resumes }
    }

    fn hear(&mut self, frame: &ServerFrame, journal: &Journal, record: &Record, verdict: &mut Verdict) {
        let name = &journal.keeper.name;
        match frame {
            ServerFrame::Event(event) => {
                self.place(event, name, verdict);
                is_in_log(event, name, record, verdict);
                let until = self.rights.get(&event.room).copied().unwrap_or_default();
                if event.seq > until {
                    verdict.counts.foreign += 1;
                    verdict.find(5, || {
                        format!(
                            "{name} was shown {} of {} and was a member until {until}",
                            event.seq, event.room
                        )
                    });
                }
            }
            ServerFrame::Reset(reset) => {
                self.places.insert(reset.room, vec![reset.as_of]);
                for message in &reset.messages {
                    let kept = record.rooms.get(&reset.room).map(|kept| &kept.messages);
                    let is_kept = kept.is_some_and(|kept| {
                        kept.iter().any(|known| known.seq == message.seq && known.nonce == message.nonce)
                    });
                    if !is_kept {
                        verdict.find(2, || {
                            format!("{name} was shown {} of {} which is not kept", message.seq, reset.room)
                        });
                    }
                }
            }
            ServerFrame::RoomJoined(joined) => {
                self.places.insert(joined.room.id, vec![joined.room.head]);
            }
            ServerFrame::RoomLeft(left) => {
                self.places.remove(&left.room);
                self.left.insert(left.room, left.seq);
            }
            ServerFrame::Hello(_)
            | ServerFrame::Reply(_)
            | ServerFrame::Beat(_)
            | ServerFrame::Presence(_)
            | ServerFrame::Lagged(_)
            | ServerFrame::ReadMarked(_)
            | ServerFrame::SessionEnded {}
            | ServerFrame::Unknown(_) => {}
        }
    }

    fn place(&mut self, event: &Event, name: &str, verdict: &mut Verdict) {
        let (room, seq) = (event.room, event.seq);
        let Some(places) = self.places.get_mut(&room) else {
            if self.left.get(&room).is_none_or(|left| seq > *left) {
                verdict.counts.foreign += 1;
                verdict.find(5, || format!("{name} was sent {seq} of {room} without being in it"));
            }
            return;
        };
        let furthest = places.iter().copied().max().unwrap_or_default();
        if let Some(place) = places.iter_mut().find(|place| **place + 1 == seq) {
            *place = seq;
            return;
        }
        if seq > furthest + 1 {
            *places = vec![seq];
            verdict.counts.holes += seq - furthest - 1;
            return verdict
                .find(4, || format!("{name} was sent {seq} of {room} where {} was due", furthest + 1));
        }
        *places = vec![seq, furthest];
        if !self.goes_back(room, seq) {
            verdict.counts.doubled += 1;
            verdict
                .find(4, || format!("{name} was sent {seq} of {room} again, where {} was due", furthest + 1));
        }
    }

    /// Whether a resume explains that the stream begins again at `seq`.
    fn goes_back(&mut self, room: RoomId, seq: u64) -> bool {
        if !self.notes_resumes {
            return true;
        }
        let afters = self.after.entry(room).or_default();
        let found = afters.iter().position(|after| after + 1 == seq);
        found.map(|found| afters.remove(found)).is_some()
    }
}

fn is_in_log(event: &Event, name: &str, record: &Record, verdict: &mut Verdict) {
    let kept = record.rooms.get(&event.room).and_then(|kept| {
        let index = usize::try_from(event.seq.checked_sub(1)?).ok()?;
        kept.events.get(index).filter(|kept| kept.seq == event.seq)
    });
    let same = kept.is_some_and(|kept| kept.by.id == event.by.id && is_same(&kept.kind, &event.kind));
    if !same {
        verdict.find(2, || {
            format!(
                "{name} was shown {} of {}: {:?}; the log has {:?}",
                event.seq,
                event.room,
                event.kind,
                kept.map(|kept| &kept.kind)
            )
        });
    }
}

/// Whether two tellings of an event are of the same one. The log tells a text as it stands now.
fn is_same(kept: &EventKind, shown: &EventKind) -> bool {
    match (kept, shown) {
        (
            EventKind::MessagePosted { nonce, n, text, rev, .. },
            EventKind::MessagePosted { nonce: shown, n: ordinal, text: words, rev: touched, .. },
        ) => nonce == shown && n == ordinal && touched <= rev && (touched < rev || text == words),
        (EventKind::MessageEdited { target, .. }, EventKind::MessageEdited { target: shown, .. })
        | (EventKind::MessageDeleted { target, .. }, EventKind::MessageDeleted { target: shown, .. }) => {
            target == shown
        }
        (EventKind::MemberJoined { user, .. }, EventKind::MemberJoined { user: shown, .. })
        | (EventKind::MemberLeft { user }, EventKind::MemberLeft { user: shown }) => user.id == shown.id,
        (
            EventKind::MessagePosted { .. }
            | EventKind::MessageEdited { .. }
            | EventKind::MessageDeleted { .. }
            | EventKind::MemberJoined { .. }
            | EventKind::MemberLeft { .. },
            _,
        ) => false,
    }
}

/// Up to which place somebody may see each room: for ever while they are a member.
fn rights(user: UserId, record: &Record) -> HashMap<RoomId, u64> {
    let mut until = HashMap::new();
    for (room, kept) in &record.rooms {
        for event in &kept.events {
            match &event.kind {
                EventKind::MemberJoined { user: joined, .. } if joined.id == user => {
                    until.insert(*room, u64::MAX);
                }
                EventKind::MemberLeft { user: left } if left.id == user => {
                    until.insert(*room, event.seq);
                }
                EventKind::MemberJoined { .. }
                | EventKind::MemberLeft { .. }
                | EventKind::MessagePosted { .. }
                | EventKind::MessageEdited { .. }
                | EventKind::MessageDeleted { .. } => {}
            }
        }
    }
    until
}

impl Talk {
    fn hear(&mut self, frame: &SimpleFrame, name: &str, record: &Record, verdict: &mut Verdict) {
        match frame {
            SimpleFrame::Welcome { room, history, .. } => {
                let seqs: Vec<u64> = history.iter().map(|chat| chat.seq).collect();
                if !seqs.is_sorted_by(|one, next| one < next) {
                    verdict.counts.misplaced += 1;
                    verdict.find(4, || format!("{name} was welcomed with {seqs:?}"));
                }
                self.last = seqs.last().map(|seq| (room.clone(), *seq));
            }
            SimpleFrame::Chat(heard) => self.chat(&heard.room, heard.chat.seq, name, record, verdict),
            SimpleFrame::Joined { .. }
            | SimpleFrame::Left { .. }
            | SimpleFrame::Roster { .. }
            | SimpleFrame::Error { .. } => {}
        }
    }

    fn chat(&mut self, room: &str, seq: u64, name: &str, record: &Record, verdict: &mut Verdict) {
        let posts = |from: u64, to: u64| {
            let named = record.views.values().flatten().find(|view| view.name == room);
            let kept = named.and_then(|view| record.rooms.get(&view.id));
            let messages = kept.map(|kept| kept.messages.as_slice()).unwrap_or_default();
            messages.iter().filter(|message| message.seq > from && message.seq < to).count() as u64
        };
        let last = self.last.take().filter(|(known, _)| known == room).map(|(_, last)| last);
        if let Some(last) = last {
            if seq <= last {
                verdict.counts.doubled += u64::from(seq == last);
                verdict.counts.misplaced += u64::from(seq < last);
                verdict.find(4, || format!("{name} heard {seq} after {last}"));
            }
            let missed = posts(last, seq);
            if missed > 0 {
                verdict.counts.holes += missed;
                verdict.find(4, || format!("{name} heard {seq} after {last} and not the {missed} between"));
            }
        }
        self.last = Some((room.to_owned(), seq));
    }
}
