//! A room as the database has it: its events in order, and each text once.

use protocol::frame::{MessagePage, Posted};
use protocol::{Event, EventKind, Message, MessagePosted, Nonce, ReadMark, RoomId, User, UserId};
use std::collections::{BTreeMap, HashMap};

/// A room's durable half.
#[derive(Clone)]
pub struct Log {
    pub room: RoomId,
    events: Vec<Entry>,
    pub messages: BTreeMap<u64, Message>,
    pub members: BTreeMap<UserId, ReadMark>,
    /// The marks that are on the disk.
    written: BTreeMap<UserId, ReadMark>,
    nonces: HashMap<(Nonce, UserId), Posted>,
    /// Every version a message ever had, by its seq and rev.
    pub versions: HashMap<(u64, u64), String>,
}

#[derive(Clone)]
struct Entry {
    by: User,
    what: What,
}

#[derive(Clone)]
enum What {
    Posted,
    Edited(u64),
    Deleted(u64),
    Joined,
    Left,
}

impl Log {
    pub fn new(room: RoomId) -> Self {
        let (members, written) = (BTreeMap::new(), BTreeMap::new());
        let (events, messages, nonces) = (Vec::new(), BTreeMap::new(), HashMap::new());
        Self { room, events, messages, members, written, nonces, versions: HashMap::new() }
    }

    pub fn head(&self) -> u64 {
        self.events.len() as u64
    }

    pub fn n(&self) -> u64 {
        self.messages.len() as u64
    }

    pub fn is_member(&self, user: UserId) -> bool {
        self.members.contains_key(&user)
    }

    /// Posts once, however often the command comes. True: this time.
    pub fn post(&mut self, by: &User, text: &str, nonce: &Nonce) -> (Posted, bool) {
        if let Some(posted) = self.nonces.get(&(nonce.clone(), by.id)) {
            return (posted.clone(), false);
        }
        let seq = self.happen(by, What::Posted);
        let n = self.n() + 1;
        let message = Message {
            seq,
            n,
            at: 0,
            by: by.clone(),
            body: text.into(),
            rev: seq,
            nonce: nonce.clone(),
            edited_at: None,
            deleted: false,
            beside: protocol::Beside::default(),
        };
        self.versions.insert((seq, seq), text.to_owned());
        self.messages.insert(seq, message);
        let posted = Posted { seq, n, at: 0, nonce: nonce.clone() };
        self.nonces.insert((nonce.clone(), by.id), posted.clone());
        if let Some(mark) = self.mark_read(by.id, seq) {
            self.written.insert(by.id, mark);
        }
        (posted, true)
    }

    /// Edits the user's own message, or with no text deletes it; false where there is nothing to change.
    pub fn revise(&mut self, by: &User, target: u64, text: Option<&str>) -> bool {
        let rev = self.head() + 1;
        let Some(message) = self.messages.get_mut(&target).filter(|message| !message.deleted) else {
            return false;
        };
        message.rev = rev;
        message.body = text.unwrap_or_default().into();
        message.deleted = text.is_none();
        if text.is_some() {
            message.edited_at = Some(0);
        }
        self.versions.insert((target, rev), message.body.text.clone());
        self.happen(by, if text.is_some() { What::Edited(target) } else { What::Deleted(target) });
        true
    }

    pub fn join(&mut self, user: &User) {
        let seq = self.happen(user, What::Joined);
        let mark = ReadMark { seq, n: self.n() };
        self.members.insert(user.id, mark);
        self.written.insert(user.id, mark);
    }

    pub fn leave(&mut self, user: &User) -> u64 {
        self.members.remove(&user.id);
        self.happen(user, What::Left)
    }

    /// Moves a mark on, never back; its new place if it moved.
    pub fn mark_read(&mut self, user: UserId, seq: u64) -> Option<ReadMark> {
        let seq = seq.min(self.head());
        let n = self.messages.range(..=seq).next_back().map_or(0, |(_, message)| message.n);
        let mark = self.members.get_mut(&user).filter(|mark| mark.seq < seq)?;
        *mark = ReadMark { seq, n: n.max(mark.n) };
        Some(*mark)
    }

    /// Marks reach the disk.
    pub fn write_marks(&mut self) {
        self.written = self.members.clone();
    }

    /// Marks that did not reach the disk are gone.
    pub fn lose_marks(&mut self) {
        let written = &self.written;
        for (user, mark) in &mut self.members {
            *mark = written[user];
        }
    }

    /// The event as it is told now: with the present text.
    pub fn event(&self, seq: u64) -> Event {
        let Entry { by, what } = self.events[usize::try_from(seq - 1).expect("a place")].clone();
        let present = |target: u64| self.messages.get(&target).expect("a target").clone();
        let kind = match what {
            What::Posted => {
                let Message { n, body, nonce, rev, edited_at, deleted, .. } = present(seq);
                EventKind::MessagePosted(MessagePosted { n, body, nonce, rev, edited_at, deleted })
            }
            What::Edited(target) => {
                let Message { body, rev, deleted, .. } = present(target);
                EventKind::MessageEdited { target, text: body.text, rev, edited_at: 0, deleted }
            }
            What::Deleted(target) => EventKind::MessageDeleted { target, rev: present(target).rev },
            What::Joined => EventKind::MemberJoined { user: by.clone(), role: protocol::Role::Member },
            What::Left => EventKind::MemberLeft { user: by.clone() },
        };
        Event { room: self.room, seq, at: 0, by, kind }
    }

    /// The newest messages, or those before a `seq`.
    pub fn page(&self, before: Option<u64>, limit: usize) -> MessagePage {
        let older = self.messages.range(..before.unwrap_or(u64::MAX));
        let mut messages: Vec<Message> = older.map(|(_, message)| message.clone()).collect();
        let more_before = messages.len() > limit;
        messages.drain(..messages.len().saturating_sub(limit));
        let more_after = before.is_some_and(|before| self.messages.range(before..).next().is_some());
        MessagePage { as_of: self.head(), messages, more_before, more_after }
    }

    fn happen(&mut self, by: &User, what: What) -> u64 {
        self.events.push(Entry { by: by.clone(), what });
        self.head()
    }
}
