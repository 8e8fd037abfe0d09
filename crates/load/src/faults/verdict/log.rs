//! Judges the log of each room: it has no holes, and messages and members follow from it.

use super::Verdict;
use crate::faults::community::{Kept, Record};
use protocol::{Event, EventKind, Message, Reaction, RoomId, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// Judges I-3, I-7 and I-9.
pub fn judge(record: &Record, crashed: bool, verdict: &mut Verdict) {
    for (room, kept) in &record.rooms {
        verdict.counts.events += kept.events.len() as u64;
        contiguous(*room, &kept.events, verdict);
        rebuilds(*room, kept, verdict);
    }
    for (user, views) in &record.views {
        for view in views {
            let Some(kept) = record.rooms.get(&view.id) else { continue };
            let head = kept.events.last().map_or(0, |event| event.seq);
            let posted = posts(&kept.events).count() as u64;
            if (view.head, view.n) != (head, posted) {
                verdict.find(7, || {
                    format!(
                        "{user} is told head {} and n {} of {}; the log has {head} and {posted}",
                        view.head, view.n, view.id
                    )
                });
            }
            let before = posts(&kept.events).filter(|event| event.seq <= view.read.seq).count() as u64;
            let mine = posts(&kept.events).filter(|event| event.by.id == *user).map(|event| event.seq).max();
            // Marks are written once a second. They are the one thing that may be lost when a server dies.
            let forgot_own = !crashed && mine > Some(view.read.seq);
            if view.read.n != before || view.read.seq > head || forgot_own {
                verdict.find(7, || {
                    format!("the read mark of {user} in {} is {:?}; the log has {before} messages up to there, one's own last at {mine:?}", view.id, view.read)
                });
            }
        }
    }
}

fn posts(events: &[Event]) -> impl Iterator<Item = &Event> {
    events.iter().filter(|event| matches!(event.kind, EventKind::MessagePosted { .. }))
}

fn contiguous(room: RoomId, events: &[Event], verdict: &mut Verdict) {
    for (index, event) in events.iter().enumerate() {
        let due = index as u64 + 1;
        // In the place of a row that is missing, the log tells an event that changes nothing.
        let is_filled = event.kind.takes_text_back() && event.kind.target().is_some_and(|of| of >= event.seq);
        if event.seq != due || is_filled {
            verdict.counts.holes += 1;
            return verdict.find(3, || format!("{room} has {} where {due} is due", event.seq));
        }
    }
    let ordinals = events.iter().filter_map(|event| event.kind.posted()).map(|posted| posted.n);
    if let Some((due, n)) = (1..).zip(ordinals).find(|(due, n)| due != n) {
        verdict.find(3, || format!("message {n} of {room} stands where {due} is due"));
    }
}

/// Judges whether messages and members follow from the log.
fn rebuilds(room: RoomId, kept: &Kept, verdict: &mut Verdict) {
    let mut messages: BTreeMap<u64, Message> = BTreeMap::new();
    // Each member, with whether they are a guest.
    let mut members: BTreeMap<UserId, bool> = BTreeMap::new();
    for event in &kept.events {
        messages.extend(event.message().map(|message| (event.seq, message)));
        if let Some(target) = event.kind.target() {
            touch(room, event, messages.get_mut(&target), verdict);
        }
        match event.kind.membership() {
            Some((user, true)) if members.insert(user.id, user.guest).is_some() => {
                verdict.find(9, || format!("{room} {}: {} joined twice", event.seq, user.name));
            }
            Some((user, false)) if members.remove(&user.id).is_none() => {
                verdict.find(9, || format!("{room} {}: {} left without being there", event.seq, user.name));
            }
            Some(_) | None => {}
        }
    }
    let rebuilt: Vec<Message> = messages.into_values().collect();
    let shown: Vec<Message> = kept.messages.iter().map(counted).collect();
    if rebuilt != shown {
        let differs = rebuilt.iter().zip(&shown).find(|(one, other)| one != other);
        verdict.find(9, || {
            format!(
                "{room}: {} messages by the log, {} by the pages; first difference {differs:?}",
                rebuilt.len(),
                kept.messages.len()
            )
        });
    }
    let listed: BTreeSet<UserId> = kept.members.iter().map(|member| member.user.id).collect();
    // The roster of an open room leaves out guests who are not here.
    let missing = members.iter().find(|(user, guest)| !**guest && !listed.contains(user));
    let extra = listed.iter().find(|user| !members.contains_key(user));
    if missing.is_some() || extra.is_some() {
        verdict.find(9, || format!("{room}: the roster lacks {missing:?} and has {extra:?} besides"));
    }
}

/// Judges whether a message knows of an event that changed it, and takes a reaction in.
fn touch(room: RoomId, event: &Event, message: Option<&mut Message>, verdict: &mut Verdict) {
    let touched = message.as_ref().map(|message| message.rev);
    if event.kind.takes_text_back() && touched.is_none_or(|rev| rev < event.seq) {
        verdict.find(9, || format!("{room} {}: its message does not know of it, rev {touched:?}", event.seq));
    }
    let (Some(message), EventKind::MessageReacted { emoji, count, .. }) = (message, &event.kind) else {
        return;
    };
    let (emoji, count) = (emoji.clone(), *count);
    match message.beside.reactions.iter_mut().find(|known| known.emoji == emoji) {
        Some(known) => known.count = count,
        None => message.beside.reactions.push(Reaction { emoji, count, mine: false, users: Vec::new() }),
    }
    message.beside.reactions.retain(|known| known.count > 0);
}

/// A message of a page with no more of its reactions than the log tells without a reader: each emoji and its count.
fn counted(message: &Message) -> Message {
    let mut message = message.clone();
    for reaction in &mut message.beside.reactions {
        (reaction.mine, reaction.users) = (false, Vec::new());
    }
    message
}
