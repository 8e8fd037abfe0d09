//! Judges acknowledged posts: each is kept once, at the acknowledged place, with its text.

use super::{Story, Verdict};
use crate::faults::community::Record;
use crate::faults::journal::{Journal, What};
use protocol::{Event, EventKind, RoomId};
use std::collections::HashMap;

/// The places of messages, by the first word of their texts and by nonce.
struct Index<'a> {
    by_nonce: HashMap<&'a str, Vec<(RoomId, u64)>>,
    by_text: HashMap<&'a str, Vec<(RoomId, u64)>>,
    events: HashMap<(RoomId, u64), &'a Event>,
}

/// Judges I-1 and I-6, and I-5 for the outsider.
pub fn judge(story: &Story<'_>, verdict: &mut Verdict) {
    let indexes: Vec<Index<'_>> = story.records().map(Index::new).collect();
    for (text, places) in indexes.iter().flat_map(|index| &index.by_text) {
        if places.len() > 1 {
            verdict.counts.doubled += places.len() as u64 - 1;
            verdict.find(1, || format!("{text:?} is kept {} times: {places:?}", places.len()));
        }
    }
    for journal in story.journals {
        judge_journal(journal, story, &indexes, verdict);
    }
}

/// A post that was acknowledged must be kept in its life, and in each later life whose backup was made after that.
fn judge_journal(journal: &Journal, story: &Story<'_>, indexes: &[Index<'_>], verdict: &mut Verdict) {
    let mut said: HashMap<&str, &str> = HashMap::new();
    // The life in which each post was acknowledged last.
    let mut known: HashMap<&str, usize> = HashMap::new();
    for entry in &journal.entries {
        let life = story.life_at(entry.at_us);
        let mut text = None;
        match &*entry.what {
            What::Invoke { nonce, text, .. } => {
                verdict.counts.invoked += 1;
                said.insert(nonce, text);
            }
            What::Ok { nonce, .. } => {
                verdict.counts.acknowledged += u64::from(known.insert(nonce, life).is_none());
                text = said.get(nonce.as_str()).copied();
            }
            What::Unknown { .. } | What::Refused { .. } => verdict.counts.unknown += 1,
            // It was posted in a life that is over.
            What::ReadBack { nonce, .. } if known.get(nonce.as_str()) != Some(&life) => continue,
            What::Failed { .. }
            | What::Revised { .. }
            | What::Marked { .. }
            | What::ReadBack { .. }
            | What::Peeked { .. }
            | What::Resume { .. }
            | What::Frame { .. }
            | What::SimpleFrame { .. }
            | What::SimpleBegins {} => {}
        }
        let later = story.lives[life..].iter().take_while(|life| entry.at_us < life.backed_up_us).count();
        for index in &indexes[life..=life + later] {
            judge_entry(&journal.keeper.name, &entry.what, text, index, verdict);
        }
    }
}

/// Judges one line of a journal by what was kept in one life.
fn judge_entry(name: &str, what: &What, said: Option<&str>, index: &Index<'_>, verdict: &mut Verdict) {
    match what {
        What::Ok { nonce, room, seq } => {
            if let Err(what) = index.holds(nonce, said, (*room, *seq)) {
                verdict.counts.lost += 1;
                verdict.find(1, || format!("{name} was told that {nonce} is {seq} of {room}: {what}"));
            }
        }
        What::Failed { nonce, code } => {
            if index.by_nonce.contains_key(nonce.as_str()) {
                verdict.find(1, || format!("{name} was told {code:?} of {nonce}, which is kept"));
            }
        }
        What::Revised { room, target, rev } => {
            if !index.revised(*room, *target, *rev) {
                verdict.counts.lost += 1;
                verdict
                    .find(1, || format!("{name} was told that {rev} of {room} changed {target}: it did not"));
            }
        }
        What::ReadBack { nonce, room, seq, found } => {
            if !found {
                verdict.find(6, || {
                    format!("{name} did not find {nonce} at {seq} of {room} after it was posted")
                });
            }
        }
        What::Peeked { room, status } => {
            if (200..300).contains(status) {
                verdict.counts.foreign += 1;
                verdict.find(5, || format!("{name} was let into {room} by {status}"));
            }
        }
        What::Invoke { .. }
        | What::Refused { .. }
        | What::Unknown { .. }
        | What::Marked { .. }
        | What::Resume { .. }
        | What::Frame { .. }
        | What::SimpleFrame { .. }
        | What::SimpleBegins {} => {}
    }
}

impl<'a> Index<'a> {
    fn new(record: &'a Record) -> Self {
        let mut index = Self { by_nonce: HashMap::new(), by_text: HashMap::new(), events: HashMap::new() };
        for (room, kept) in &record.rooms {
            for event in &kept.events {
                index.events.insert((*room, event.seq), event);
                let EventKind::MessagePosted(posted) = &event.kind else { continue };
                index.by_nonce.entry(posted.nonce.as_str()).or_default().push((*room, event.seq));
                // The text of an edited message begins with another word, and a deleted message has no text.
                let begins = posted.body.text.split(' ').next().unwrap_or_default();
                if !begins.is_empty() && begins != "edited" {
                    index.by_text.entry(begins).or_default().push((*room, event.seq));
                }
            }
        }
        index
    }

    /// Whether an acknowledged message is at its place with its text; else what is there.
    fn holds(&self, nonce: &str, said: Option<&str>, place: (RoomId, u64)) -> Result<(), String> {
        let Some(event) = self.events.get(&place) else { return Err("there is nothing".to_owned()) };
        let EventKind::MessagePosted(posted) = &event.kind else {
            return Err(format!("there is {:?}", event.kind));
        };
        let text = &posted.body.text;
        let is_as_posted = posted.rev == event.seq;
        if is_as_posted && said.is_some_and(|said| said != text) {
            return Err(format!("it says {text:?} there"));
        }
        match self.by_nonce.get(nonce) {
            Some(places) if places.len() > 1 => Err(format!("it is at {places:?}")),
            Some(places) if places[0] == place => Ok(()),
            // A chat of the simple protocol has no nonce that the author knows. If it was edited since, its place is
            // all that is known.
            None if said.is_some_and(|said| said == text) || !is_as_posted => Ok(()),
            Some(_) | None => Err("something else is there".to_owned()),
        }
    }

    fn revised(&self, room: RoomId, target: u64, rev: u64) -> bool {
        let Some(event) = self.events.get(&(room, rev)) else { return false };
        event.kind.takes_text_back() && event.kind.target() == Some(target)
    }
}
