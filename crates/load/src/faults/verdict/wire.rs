//! Judges every connection: its events come in order, without holes, are in the log, and are of rooms that its user
//! is in.

use super::lookup::Lookup;
use super::{Story, Verdict};
use crate::faults::journal::{Journal, What};
use protocol::simple::SimpleFrame;
use protocol::{Event, EventKind, RoomId, ServerFrame, UserId};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// One connection of the native protocol as far as it was heard.
struct Wire<'a> {
    /// Up to which seq of each room the user may see.
    rights: Option<&'a HashMap<RoomId, u64>>,
    /// What the server kept in the life of the data that this connection belongs to.
    kept: &'a Lookup<'a>,
    /// The last seq told of each room that the user is in.
    places: HashMap<RoomId, u64>,
    /// The seq of each membership that ended on this connection.
    left: HashMap<RoomId, u64>,
    /// For people who note their resumes: the seqs after which resumes asked to begin that have not taken effect yet.
    after: HashMap<RoomId, Vec<u64>>,
    /// For the other people: how many resumes were answered and have not taken effect yet.
    resumed: u64,
    /// Events that came again, with the beats since. The reply to a resume may still follow and explain them.
    unexplained: Vec<(u32, String)>,
    notes_resumes: bool,
}

/// One connection of the simple protocol.
#[derive(Default)]
struct Talk {
    /// The last chat told of the connection's room.
    last: Option<(String, u64)>,
    /// Whether that chat came in a welcome.
    welcomed: bool,
}

/// Frames that were told to many, parsed once.
type Read = HashMap<*const What, ServerFrame>;

/// Judges I-2, I-4 and I-5 by every frame.
pub fn judge(story: &Story<'_>, verdict: &mut Verdict) {
    let lives: Vec<Lookup<'_>> = story.records().map(Lookup::new).collect();
    let mut read = Read::new();
    for journal in story.journals {
        judge_journal(journal, story, &lives, &mut read, verdict);
    }
}

fn judge_journal(
    journal: &Journal,
    story: &Story<'_>,
    lives: &[Lookup<'_>],
    read: &mut Read,
    verdict: &mut Verdict,
) {
    let notes_resumes = journal.screens.is_empty();
    let begin = |life: usize| Wire::new(journal.keeper.user, &lives[life], notes_resumes);
    let mut wire = begin(story.lives.len());
    let mut talk = Talk::default();
    for entry in &journal.entries {
        match &*entry.what {
            What::Frame { text } => {
                verdict.counts.frames += 1;
                let known = Arc::as_ptr(&entry.what);
                if let Some(frame) = read.get(&known) {
                    wire.hear(frame, journal, verdict);
                    continue;
                }
                match ServerFrame::decode(text) {
                    Ok(ServerFrame::Hello(hello)) => {
                        wire = begin(story.life_of(&hello.epoch));
                        wire.places = hello.rooms.iter().map(|room| (room.id, room.head)).collect();
                    }
                    Ok(frame) => {
                        wire.hear(&frame, journal, verdict);
                        if is_told_to_many(&frame) {
                            read.insert(known, frame);
                        }
                    }
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
                    talk.hear(&frame, &journal.keeper.name, &lives[story.life_at(entry.at_us)], verdict);
                }
            }
            What::Invoke { .. }
            | What::Ok { .. }
            | What::Failed { .. }
            | What::Refused { .. }
            | What::Unknown { .. }
            | What::Revised { .. }
            | What::Marked { .. }
            | What::ReadBack { .. }
            | What::Peeked { .. } => {}
        }
    }
}

/// Whether a parsed frame is worth keeping. Presence is long, and nothing of it is judged.
fn is_told_to_many(frame: &ServerFrame) -> bool {
    match frame {
        ServerFrame::Event(_)
        | ServerFrame::Beat(_)
        | ServerFrame::Lagged(_)
        | ServerFrame::RoomLeft(_)
        | ServerFrame::SessionEnded(_) => true,
        ServerFrame::Reply(_)
        | ServerFrame::ReadMarked(_)
        | ServerFrame::Hello(_)
        | ServerFrame::Presence(_)
        | ServerFrame::Reset(_)
        | ServerFrame::RoomJoined(_)
        | ServerFrame::Unknown(_) => false,
    }
}

impl<'a> Wire<'a> {
    fn new(user: Option<UserId>, kept: &'a Lookup<'a>, notes_resumes: bool) -> Self {
        Self {
            rights: user.and_then(|user| kept.rights(user)),
            kept,
            places: HashMap::new(),
            left: HashMap::new(),
            after: HashMap::new(),
            resumed: 0,
            unexplained: vec![],
            notes_resumes,
        }
    }

    fn hear(&mut self, frame: &ServerFrame, journal: &Journal, verdict: &mut Verdict) {
        let kept = self.kept;
        let name = &journal.keeper.name;
        match frame {
            ServerFrame::Event(event) => {
                self.place(event, name, verdict);
                is_in_log(event, name, kept, verdict);
                let until =
                    self.rights.and_then(|rights| rights.get(&event.room)).copied().unwrap_or_default();
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
                self.places.insert(reset.room, reset.as_of);
                self.resumed = self.resumed.saturating_sub(1);
                for message in &reset.messages {
                    if !kept.has(reset.room, message) {
                        verdict.find(2, || {
                            format!("{name} was shown {} of {} which is not kept", message.seq, reset.room)
                        });
                    }
                }
            }
            ServerFrame::RoomJoined(joined) => {
                self.places.insert(joined.room.id, joined.room.head);
            }
            ServerFrame::RoomLeft(left) => {
                self.places.remove(&left.room);
                self.left.insert(left.room, left.seq);
            }
            ServerFrame::Reply(reply) => {
                let answer = reply.ok.as_ref().and_then(Value::as_object);
                // No other reply has a head alone.
                if answer.is_some_and(|ok| ok.len() == 1 && ok.contains_key("head")) {
                    self.resumed += 1;
                    self.explain();
                }
            }
            ServerFrame::Beat(_) => self.beat(verdict),
            ServerFrame::Hello(_)
            | ServerFrame::Presence(_)
            | ServerFrame::Lagged(_)
            | ServerFrame::ReadMarked(_)
            | ServerFrame::SessionEnded(_)
            | ServerFrame::Unknown(_) => {}
        }
    }

    fn place(&mut self, event: &Event, name: &str, verdict: &mut Verdict) {
        let (room, seq) = (event.room, event.seq);
        let Some(place) = self.places.get_mut(&room) else {
            if self.left.get(&room).is_none_or(|left| seq > *left) {
                verdict.counts.foreign += 1;
                verdict.find(5, || format!("{name} was sent {seq} of {room} without being in it"));
            }
            return;
        };
        let due = std::mem::replace(place, seq) + 1;
        if seq > due {
            verdict.counts.holes += seq - due;
            verdict.find(4, || format!("{name} was sent {seq} of {room} where {due} was due"));
        } else if seq < due {
            let what = format!("{name} was sent {seq} of {room} again, where {due} was due");
            self.go_back(room, seq, what, verdict);
        }
    }

    /// Only a resume explains that the stream begins again at `seq`.
    fn go_back(&mut self, room: RoomId, seq: u64, what: String, verdict: &mut Verdict) {
        if !self.notes_resumes {
            self.unexplained.push((0, what));
            return self.explain();
        }
        let afters = self.after.entry(room).or_default();
        match afters.iter().position(|after| after + 1 == seq) {
            Some(found) => drop(afters.remove(found)),
            None => {
                verdict.counts.doubled += 1;
                verdict.find(4, || what);
            }
        }
    }

    fn explain(&mut self) {
        let explained = self.unexplained.len().min(usize::try_from(self.resumed).unwrap_or(usize::MAX));
        self.unexplained.drain(..explained);
        self.resumed -= explained as u64;
    }

    /// A reply to a resume comes at most two beats after the events that it explains.
    fn beat(&mut self, verdict: &mut Verdict) {
        for (beats, _) in &mut self.unexplained {
            *beats += 1;
        }
        for (_, what) in self.unexplained.extract_if(.., |(beats, _)| *beats > 2) {
            verdict.counts.doubled += 1;
            verdict.find(4, || what);
        }
    }
}

fn is_in_log(event: &Event, name: &str, kept: &Lookup<'_>, verdict: &mut Verdict) {
    let kept = kept.event(event.room, event.seq);
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

/// Whether two tellings are of the same event. The log tells a text as it stands now, and of a message that was deleted
/// since only that it was.
fn is_same(kept: &EventKind, shown: &EventKind) -> bool {
    if let (Some(kept), Some(shown)) = (kept.posted(), shown.posted()) {
        let is_older = shown.rev < kept.rev;
        let says_the_same = shown.rev == kept.rev && shown.body == kept.body;
        return kept.nonce == shown.nonce && kept.n == shown.n && (is_older || says_the_same);
    }
    let is_gone = matches!(kept, EventKind::MessageDeleted { .. }) && !shown.is_of_the_text();
    let who = |kind: &EventKind| kind.membership().map(|(user, _)| user.id);
    kept.target() == shown.target() && who(kept) == who(shown) && (kept.name() == shown.name() || is_gone)
}

impl Talk {
    fn hear(&mut self, frame: &SimpleFrame, name: &str, kept: &Lookup<'_>, verdict: &mut Verdict) {
        match frame {
            SimpleFrame::Welcome { room, history, .. } => {
                let seqs: Vec<u64> = history.iter().map(|chat| chat.seq).collect();
                if !seqs.is_sorted_by(|one, next| one < next) {
                    verdict.counts.misplaced += 1;
                    verdict.find(4, || format!("{name} was welcomed with {seqs:?}"));
                }
                self.last = seqs.last().map(|seq| (room.clone(), *seq));
                self.welcomed = true;
            }
            SimpleFrame::Chat(heard) => self.chat(&heard.room, heard.chat.seq, name, kept, verdict),
            SimpleFrame::Joined { .. }
            | SimpleFrame::Left { .. }
            | SimpleFrame::Roster { .. }
            | SimpleFrame::Reaction { .. }
            | SimpleFrame::Error { .. } => {}
        }
    }

    fn chat(&mut self, room: &str, seq: u64, name: &str, kept: &Lookup<'_>, verdict: &mut Verdict) {
        let last = self.last.take().filter(|(known, _)| known == room).map(|(_, last)| last);
        if let Some(last) = last {
            if seq <= last {
                verdict.counts.doubled += u64::from(seq == last);
                verdict.counts.misplaced += u64::from(seq < last);
                verdict.find(4, || format!("{name} heard {seq} after {last}"));
            }
            let missed = kept.between(room, last, seq, self.welcomed);
            if missed > 0 {
                verdict.counts.holes += missed;
                verdict.find(4, || format!("{name} heard {seq} after {last} and not the {missed} between"));
            }
        }
        self.last = Some((room.to_owned(), seq));
        self.welcomed = false;
    }
}
