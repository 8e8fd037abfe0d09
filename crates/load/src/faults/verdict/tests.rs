//! Each invariant can be broken, and is then found.

use super::lookup::Lookup;
use super::{Life, Story, Verdict, judge};
use crate::faults::community::{Kept, Record};
use crate::faults::journal::{Entry, Journal, Keeper, Screen, What};
use protocol::{Event, Message, Nonce, ReadMark, Role, Room, RoomId, RoomKind, User, UserId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const LOBBY: RoomId = RoomId::new(Uuid::from_u128(1));
const BEN: UserId = UserId::new(Uuid::from_u128(2));

fn ben() -> User {
    User { id: BEN, name: "Ben".into(), guest: false }
}

fn event(seq: u64, kind: Value) -> Event {
    let mut event = json!({ "room": LOBBY, "seq": seq, "at": 1, "by": ben() });
    for (key, value) in kind.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    serde_json::from_value(event).expect("an event")
}

fn posted(seq: u64, n: u64) -> Event {
    let (text, nonce) = (format!("b-{n} tea"), format!("b-{n}"));
    event(seq, json!({ "type": "message_posted", "n": n, "text": text, "nonce": nonce, "rev": seq }))
}

fn joined(seq: u64) -> Event {
    event(seq, json!({ "type": "member_joined", "user": ben(), "role": "member" }))
}

/// Ben joined and said three things; each was acknowledged and shown.
struct Tale {
    lives: Vec<Life>,
    record: Record,
    frames: Vec<Value>,
    acts: Vec<What>,
    screens: Vec<Screen>,
    output: String,
    stuck: Vec<String>,
    peak: u64,
}

impl Tale {
    fn new() -> Self {
        let events = vec![joined(1), posted(2, 1), posted(3, 2), posted(4, 3)];
        let messages: Vec<_> = events.iter().filter_map(Event::message).collect();
        let members = vec![
            serde_json::from_value(json!({ "id": BEN, "name": "Ben", "role": "member", "here": true }))
                .expect("a member"),
        ];
        let room = room(4, 3);
        let acts = (1..=3).flat_map(|n| {
            let nonce = format!("b-{n}");
            let text = format!("b-{n} tea");
            [
                What::Invoke { nonce: nonce.clone(), room: LOBBY, text },
                What::Ok { nonce, room: LOBBY, seq: n + 1 },
            ]
        });
        let frames = events[1..].iter().map(|event| serde_json::to_value(event).expect("a frame")).collect();
        let screens = vec![Screen { room: LOBBY, last: 4, rows: messages.clone(), window: 1..5 }];
        let kept = Kept { events: events.clone(), messages, members };
        Self {
            lives: vec![],
            record: Record {
                rooms: BTreeMap::from([(LOBBY, kept)]),
                views: BTreeMap::from([(BEN, vec![room])]),
            },
            frames,
            acts: acts.collect(),
            screens,
            output: String::new(),
            stuck: vec![],
            peak: 0,
        }
    }

    fn kept(&mut self) -> &mut Kept {
        self.record.rooms.get_mut(&LOBBY).expect("the lobby")
    }

    fn judged(&self) -> Verdict {
        let hello = hello();
        let frames =
            std::iter::once(&hello).chain(&self.frames).map(|frame| What::Frame { text: frame.to_string() });
        let entries =
            self.acts.iter().cloned().chain(frames).map(|what| Entry { at_us: 0, what: what.into() });
        let journal = Journal {
            keeper: Keeper { name: "Ben".into(), user: Some(BEN) },
            entries: entries.collect(),
            screens: self.screens.clone(),
        };
        judge(&self.story(&[journal], &["s3cret".to_owned()]), |_| {})
    }

    fn story<'a>(&'a self, journals: &'a [Journal], secrets: &'a [String]) -> Story<'a> {
        Story {
            journals,
            lives: &self.lives,
            record: &self.record,
            secrets,
            output: &self.output,
            stuck: &self.stuck,
            crashed: false,
            memory: (self.peak, 100),
        }
    }

    fn breaks(&self, invariant: u8) -> bool {
        self.judged().broken.contains_key(&invariant)
    }
}

fn hello() -> Value {
    let limits = json!({
        "text_chars": 1, "name_chars": 1, "frame_bytes": 1, "page": 1, "unanswered": 1, "mark_read_ms": 1,
        "password_chars": 1,
    });
    json!({
        "type": "hello", "version": "1", "build": "1", "features": [], "epoch": "e", "user": ben(), "role": "member",
        "may": [], "limits": limits, "heartbeat_ms": 1, "rooms": [room(1, 0)],
    })
}

fn room(head: u64, n: u64) -> Room {
    Room {
        id: LOBBY,
        name: "lobby".into(),
        kind: RoomKind::Open,
        head,
        n,
        read: ReadMark { seq: head, n },
        role: Role::Member,
        may: protocol::May::NOTHING,
    }
}

fn told(change: impl FnOnce(&mut Tale)) -> Tale {
    let mut tale = Tale::new();
    change(&mut tale);
    tale
}

#[test]
fn a_tale_without_faults_is_clean() {
    let verdict = Tale::new().judged();
    assert!(verdict.is_clean(), "{:?}", verdict.findings);
    assert_eq!((verdict.counts.acknowledged, verdict.counts.events), (3, 4));
}

#[test]
fn an_acknowledged_message_that_is_not_kept_is_lost() {
    let tale = told(|tale| drop(tale.kept().events.pop()));
    assert!(tale.breaks(1) && tale.judged().counts.lost == 1);
}

#[test]
fn a_message_kept_twice_is_doubled_under_whatever_nonce() {
    let tale = told(|tale| {
        let mut again = serde_json::to_value(posted(5, 4)).expect("json");
        again["text"] = json!("b-3 tea");
        tale.kept().events.push(serde_json::from_value(again).expect("an event"));
    });
    assert!(tale.breaks(1) && tale.judged().counts.doubled == 1);
}

#[test]
fn what_was_refused_is_not_kept() {
    let failed = What::Failed { nonce: "b-3".into(), code: protocol::ErrorCode::Forbidden };
    assert!(told(|tale| tale.acts = vec![failed]).breaks(1));
}

#[test]
fn nothing_is_shown_that_is_not_in_the_log() {
    let mut unkept = serde_json::to_value(posted(5, 4)).expect("json");
    unkept["text"] = json!("b-4 tea");
    assert!(told(|tale| tale.frames.push(unkept)).breaks(2));
}

#[test]
fn a_log_has_no_holes() {
    assert!(told(|tale| drop(tale.kept().events.remove(2))).breaks(3));
}

#[test]
fn a_connection_hears_each_event_once_and_in_order() {
    let hole = told(|tale| drop(tale.frames.remove(1)));
    assert!(hole.breaks(4) && hole.judged().counts.holes == 1);
    let beat = json!({ "type": "beat", "heads": {} });
    let twice = |tale: &mut Tale| {
        tale.frames.insert(1, tale.frames[0].clone());
        tale.frames.extend(std::iter::repeat_n(beat.clone(), 3));
    };
    let double = told(twice);
    assert!(double.breaks(4) && double.judged().counts.doubled == 1);
    let behind_hello = told(|tale| {
        tale.frames.insert(0, serde_json::to_value(joined(1)).expect("json"));
        tale.frames.extend(std::iter::repeat_n(beat.clone(), 3));
    });
    assert!(behind_hello.breaks(4) && behind_hello.judged().counts.doubled == 1);
    let resumed = told(|tale| {
        twice(tale);
        tale.frames.insert(5, json!({ "type": "reply", "id": 1, "ok": { "head": 4 } }));
    });
    assert!(resumed.judged().is_clean(), "{:?}", resumed.judged().findings);
}

#[test]
fn a_welcome_leaves_out_what_is_deleted_and_nothing_else() {
    let lacks = |deleted: Option<u64>| {
        let tale = told(|tale| {
            let message =
                tale.kept().messages.iter_mut().find(|message| message.seq == 3).expect("it is kept");
            (message.deleted, message.rev) = (deleted.is_some(), deleted.unwrap_or(message.rev));
        });
        let record = &tale.record;
        let name = &record.views.values().flatten().next().expect("a room").name;
        Lookup::new(record).between(name, 2, 5, true)
    };
    assert_eq!((lacks(None), lacks(Some(4)), lacks(Some(6))), (2, 1, 2));
}

#[test]
fn a_resume_begins_after_what_the_client_has() {
    let noted = |after| {
        let tale = told(|tale| tale.frames.push(tale.frames[2].clone()));
        tale.judged_with_resume(after).is_clean()
    };
    assert!(noted(3));
    assert!(!noted(4));
}

#[test]
fn after_a_restore_only_what_the_backup_cannot_have_is_gone() {
    let restored = |backed_up_us| {
        told(|tale| {
            // Ben's journal is of a life at whose end there was one message more than there is now.
            let record = tale.record.clone();
            tale.lives.push(Life { epoch: "e".into(), record, backed_up_us, ended_us: 2 });
            let kept = tale.kept();
            drop((kept.events.pop(), kept.messages.pop()));
            tale.screens.clear();
            tale.record.views.values_mut().flatten().for_each(|view| *view = room(3, 2));
        })
    };
    assert!(restored(0).judged().is_clean(), "{:?}", restored(0).judged().findings);
    assert!(restored(1).breaks(1) && restored(1).judged().counts.lost == 1);
}

#[test]
fn a_screen_shows_every_message_of_its_window() {
    assert!(told(|tale| drop(tale.screens[0].rows.remove(1))).breaks(4));
}

#[test]
fn nobody_hears_a_room_they_are_not_in() {
    let left = json!({ "type": "room_left", "room": LOBBY, "seq": 2 });
    let tale = told(|tale| tale.frames.insert(1, left));
    assert!(tale.breaks(5) && tale.judged().counts.foreign > 0);
    assert!(told(|tale| tale.acts.push(What::Peeked { room: LOBBY, status: 200 })).breaks(5));
}

#[test]
fn a_frame_that_many_were_told_is_judged_for_each_of_them() {
    let tale = Tale::new();
    let frame = |frame: &Value| Entry { at_us: 0, what: What::Frame { text: frame.to_string() }.into() };
    let heard: Vec<Entry> = std::iter::once(&hello()).chain(&tale.frames).map(frame).collect();
    let journal = |user, entries| {
        let keeper = Keeper { name: "somebody".into(), user: Some(user) };
        Journal { keeper, entries, screens: vec![] }
    };
    let misses_one = [&heard[..2], &heard[3..]].concat();
    let outsider = UserId::new(Uuid::from_u128(3));
    let journals = [journal(BEN, heard.clone()), journal(BEN, misses_one), journal(outsider, heard)];
    let mut verdict = Verdict::default();
    super::wire::judge(&tale.story(&journals, &[]), &mut verdict);
    let counts = verdict.counts;
    assert_eq!((counts.frames, counts.holes, counts.foreign), (11, 1, 3), "{:?}", verdict.findings);
}

#[test]
fn a_reset_shows_only_what_is_kept() {
    let reset = |message: &Message| {
        let page = json!({ "type": "reset", "room": LOBBY, "as_of": 4, "messages": [message], "more": true });
        told(|tale| tale.frames.push(page))
    };
    let mut message = posted(4, 3).message().expect("a message");
    assert!(reset(&message).judged().is_clean());
    message.nonce = Nonce::new("b-9").expect("a nonce");
    assert!(reset(&message).breaks(2));
}

#[test]
fn somebody_passing_hears_everything_said_while_they_are_there() {
    let heard = |seqs: &[u64]| {
        let chat = |seq: &u64| {
            let text = json!({
                "type": "chat", "room": "lobby", "username": "Ben", "text": "tea", "ts": 1, "seq": seq,
            });
            What::SimpleFrame { text: text.to_string() }
        };
        told(|tale| tale.acts.extend(seqs.iter().map(chat))).judged()
    };
    assert!(heard(&[2, 3, 4]).is_clean(), "{:?}", heard(&[2, 3, 4]).findings);
    assert_eq!(heard(&[2, 4]).counts.holes, 1);
    assert_eq!(heard(&[2, 2]).counts.doubled, 1);
}

#[test]
fn what_was_posted_can_be_read_by_its_author() {
    let missed = What::ReadBack { nonce: "b-1".into(), room: LOBBY, seq: 2, found: false };
    assert!(told(|tale| tale.acts.push(missed)).breaks(6));
}

#[test]
fn unread_is_the_log_less_the_mark() {
    let tale = told(|tale| tale.record.views.values_mut().for_each(|views| views[0].n = 7));
    assert!(tale.breaks(7));
}

#[test]
fn whoever_does_not_come_to_agree_is_told_of() {
    assert!(told(|tale| tale.stuck.push("Ben is stuck".into())).breaks(8));
}

#[test]
fn the_snapshot_follows_from_the_log() {
    assert!(told(|tale| tale.kept().messages[0].body = "something else".into()).breaks(9));
    assert!(told(|tale| tale.kept().members.clear()).breaks(9));
}

#[test]
fn memory_is_bounded() {
    assert!(told(|tale| tale.peak = 101).breaks(10));
}

#[test]
fn a_panic_is_told_of() {
    assert!(told(|tale| tale.output = "thread 'shard' panicked at src/x.rs:1".into()).breaks(11));
}

#[test]
fn a_secret_in_a_frame_or_in_the_log_is_told_of_and_not_repeated() {
    let tale = told(|tale| tale.output = "token s3cret".into());
    assert!(tale.breaks(12));
    assert!(tale.judged().findings.iter().all(|finding| !finding.what.contains("s3cret")));
    assert!(told(|tale| tale.frames.push(json!({ "type": "new", "token": "s3cret" }))).breaks(12));
}

impl Tale {
    /// The verdict when a resume was sent before the last frame.
    fn judged_with_resume(&self, after: u64) -> Verdict {
        let mut verdict = Verdict::default();
        let hello = hello();
        let mut whats = vec![What::Frame { text: hello.to_string() }];
        whats.extend(self.frames[..3].iter().map(|frame| What::Frame { text: frame.to_string() }));
        whats.push(What::Resume { room: LOBBY, after });
        whats.push(What::Frame { text: self.frames[3].to_string() });
        let entries = whats.into_iter().map(|what| Entry { at_us: 0, what: what.into() }).collect();
        let keeper = Keeper { name: "Ben".into(), user: Some(BEN) };
        let journal = Journal { keeper, entries, screens: vec![] };
        super::wire::judge(&self.story(&[journal], &[]), &mut verdict);
        verdict
    }
}
