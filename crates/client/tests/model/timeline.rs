//! Whatever the network does to the frames, the timeline ends like the log.

use client::{Applied, Timeline, Window};
use fastrand::Rng;
use protocol::frame::{MessagePage, Reset};
use protocol::{Event, EventKind, Message, Nonce, RoomId, User, UserId};
use std::collections::BTreeMap;
use uuid::Uuid;

const ROOM: RoomId = RoomId::new(Uuid::from_u128(1));

/// A room as the server has it.
#[derive(Default)]
struct Log {
    /// For each event: the target of an edit or a deletion, or else the message's own seq; and its kind.
    events: Vec<(u64, Kind)>,
    messages: BTreeMap<u64, Message>,
}

#[derive(Clone, Copy)]
enum Kind {
    Posted,
    Edited,
    Deleted,
    Joined,
}

impl Log {
    fn head(&self) -> u64 {
        self.events.len() as u64
    }

    fn happen(&mut self, rng: &mut Rng) {
        let seq = self.head() + 1;
        let targets: Vec<u64> = self.messages.values().filter(|m| !m.deleted).map(|m| m.seq).collect();
        let target = rng.choice(targets);
        match (rng.u8(0..10), target) {
            (0 | 1, Some(target)) => {
                self.revise(target, seq, format!("edit {seq}"), false);
                self.events.push((target, Kind::Edited));
            }
            (2, Some(target)) => {
                self.revise(target, seq, String::new(), true);
                self.events.push((target, Kind::Deleted));
            }
            (3, _) => self.events.push((seq, Kind::Joined)),
            _ => {
                let nonce = Nonce::new(format!("n{seq}")).expect("a nonce");
                let n = self.messages.len() as u64 + 1;
                let message = Message {
                    seq,
                    n,
                    at: 0,
                    by: ben(),
                    body: format!("text {seq}").as_str().into(),
                    rev: seq,
                    nonce,
                    edited_at: None,
                    deleted: false,
                    beside: protocol::Beside::default(),
                };
                self.messages.insert(seq, message);
                self.events.push((seq, Kind::Posted));
            }
        }
    }

    fn revise(&mut self, target: u64, rev: u64, text: String, deleted: bool) {
        let message = self.messages.get_mut(&target).expect("a target");
        (message.rev, message.body.text, message.deleted) = (rev, text, deleted);
        if !deleted {
            message.edited_at = Some(0);
        }
    }

    /// The event as it is told now: with the present text.
    fn event(&self, seq: u64) -> Event {
        let (target, kind) = self.events[usize::try_from(seq - 1).expect("a place")];
        let message = self.messages.get(&target);
        let present = || message.expect("a target").clone();
        let kind = match kind {
            Kind::Posted => {
                let Message { n, body, nonce, rev, edited_at, deleted, .. } = present();
                EventKind::MessagePosted(protocol::MessagePosted { n, body, nonce, rev, edited_at, deleted })
            }
            Kind::Edited => {
                let Message { body, rev, deleted, .. } = present();
                EventKind::MessageEdited { target, text: body.text, rev, edited_at: 0, deleted }
            }
            Kind::Deleted => EventKind::MessageDeleted { target, rev: present().rev },
            Kind::Joined => EventKind::MemberJoined { user: ben(), role: protocol::Role::Member },
        };
        Event { room: ROOM, seq, at: 0, by: ben(), kind }
    }

    fn page(&self, wanted: Window, limit: usize) -> MessagePage {
        let (low, high) = match wanted {
            Window::Newest => (0, u64::MAX),
            Window::Before(seq) => (0, seq - 1),
            Window::After(seq) => (seq + 1, u64::MAX),
            Window::Around(seq) => (seq.saturating_sub(3), seq + 3),
        };
        let mut messages: Vec<Message> = self.messages.range(low..=high).map(|(_, m)| m.clone()).collect();
        match wanted {
            Window::Newest | Window::Before(_) => {
                drop(messages.drain(..messages.len().saturating_sub(limit)))
            }
            Window::After(_) => messages.truncate(limit),
            Window::Around(_) => {}
        }
        let first = messages.first().map_or(low, |m| m.seq);
        let last = messages.last().map_or(high, |m| m.seq);
        let more_before = self.messages.range(..first).next().is_some();
        let more_after = last < u64::MAX && self.messages.range(last + 1..).next().is_some();
        MessagePage { as_of: self.head(), messages, more_before, more_after }
    }
}

fn ben() -> User {
    User { id: UserId::new(Uuid::from_u128(2)), name: "Ben".into(), guest: false }
}

/// One step of a network that loses, doubles and delays, with pages under way.
fn step(
    rng: &mut Rng,
    log: &mut Log,
    timeline: &mut Timeline,
    wire: &mut Vec<Event>,
    pages: &mut Vec<(Window, MessagePage)>,
) {
    match rng.u8(0..12) {
        0..=3 => {
            log.happen(rng);
            if rng.u8(0..8) > 0 {
                wire.push(log.event(log.head()));
            }
        }
        4..=7 => {
            if !wire.is_empty() {
                let event = wire.remove(0);
                if rng.u8(0..8) == 0 {
                    wire.insert(0, event.clone());
                }
                timeline.apply(&event);
            }
        }
        8 => {
            let windows = [
                Window::Newest,
                timeline.older(),
                timeline.newer(),
                Window::Around(rng.u64(1..=log.head() + 1)),
            ];
            let wanted = windows[rng.usize(0..windows.len())];
            pages.push((wanted, log.page(wanted, rng.usize(1..6))));
        }
        9 | 10 => {
            if !pages.is_empty() {
                let (wanted, page) = pages.remove(rng.usize(0..pages.len()));
                timeline.merge(wanted, &page);
            }
        }
        _ if rng.u8(0..4) == 0 => {
            let MessagePage { as_of, messages, more_before, .. } = log.page(Window::Newest, 4);
            timeline.reset(&Reset { room: ROOM, as_of, messages, more: more_before });
            wire.clear();
        }
        _ => {
            wire.clear();
            wire.extend((timeline.last() + 1..=log.head()).map(|seq| log.event(seq)));
        }
    }
}

#[test]
fn whatever_the_network_does_the_timeline_ends_as_the_log() {
    for seed in 0..3000 {
        let rng = &mut Rng::with_seed(seed);
        let mut log = Log::default();
        (0..rng.usize(0..20)).for_each(|_| log.happen(rng));
        let mut timeline = Timeline::new(log.head());
        let (mut wire, mut pages) = (Vec::new(), Vec::new());
        for _ in 0..rng.usize(20..200) {
            step(rng, &mut log, &mut timeline, &mut wire, &mut pages);
        }
        for seq in timeline.last() + 1..=log.head() {
            assert_eq!(timeline.apply(&log.event(seq)), Applied::New, "seed {seed}");
        }
        assert_eq!((timeline.last(), timeline.gap()), (log.head(), None), "seed {seed}");
        let shown: Vec<&Message> = timeline.messages().collect();
        let there: Vec<&Message> = log.messages.range(timeline.window()).map(|(_, m)| m).collect();
        assert_eq!(shown, there, "seed {seed}");
        assert!(timeline.more_after() || timeline.window().end == log.head() + 1, "seed {seed}");
    }
}

#[test]
fn a_window_does_not_grow_without_bound() {
    let mut rng = Rng::with_seed(1);
    let mut log = Log::default();
    (0..6000).for_each(|_| log.happen(&mut rng));
    let mut timeline = Timeline::new(0);
    for seq in 1..=log.head() {
        timeline.apply(&log.event(seq));
    }
    assert_eq!(timeline.messages().count(), 2000);
    assert!(timeline.more_before() && !timeline.more_after());
    let shows_the_log = |timeline: &Timeline| {
        let there = log.messages.range(timeline.window()).map(|(_, message)| message);
        assert!(timeline.messages().eq(there));
    };
    shows_the_log(&timeline);
    for _ in 0..3 {
        timeline.merge(timeline.older(), &log.page(timeline.older(), 500));
        assert_eq!(timeline.messages().count(), 2000);
        assert!(timeline.more_after(), "the newest make room for the older ones that were asked for");
        shows_the_log(&timeline);
    }
    timeline.merge(timeline.newer(), &log.page(timeline.newer(), 5000));
    assert!(!timeline.more_after());
    shows_the_log(&timeline);
}
