//! A room's messages in order, built from events and pages.

use protocol::frame::{MessagePage, Posted, Reset};
use protocol::{Beside, Event, EventKind, Message, Reaction, User};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// Edits and deletions kept for pages that were read before them. More than this many of them during one fetch
/// would be lost for that page.
const REVISIONS: usize = 1024;

/// The most messages a window holds; the far end goes first and can be loaded again. Without it a bot that runs for
/// a year would hold all that was said in it.
const WINDOW: usize = 2000;

/// The most people of one reaction who are named.
const NAMED: usize = 3;

/// What one client knows of a room's messages: one window without holes, and up to which `seq` it has applied the
/// room's events.
///
/// The window covers `from < seq ≤ to`: it has every message there is between the two. It touches the live end when
/// `to` has reached `last`. Only then do posts get a row.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// Every edit and deletion after this `seq` is either in the window or among the revisions.
    since: u64,
    last: u64,
    gap: bool,
    from: u64,
    to: u64,
    messages: BTreeMap<u64, Message>,
    revisions: BTreeMap<u64, Revision>,
    /// Reactions for pages that were read before them, oldest first.
    reactions: VecDeque<ReactionEvent>,
}

/// What a reaction changed.
#[derive(Debug, Clone)]
struct ReactionEvent {
    seq: u64,
    target: u64,
    by: User,
    emoji: String,
    on: bool,
    count: u64,
}

/// What an event did to a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was the next one.
    New,
    /// It was known already.
    Known,
    /// An event before it is missing: resume from [`Timeline::last`].
    Gap,
}

/// Which stretch of a room's messages a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The newest.
    Newest,
    /// Those with a smaller `seq`.
    Before(u64),
    /// Those with a greater `seq`.
    After(u64),
    /// Those on both sides of this `seq`, it included.
    Around(u64),
}

#[derive(Debug, Clone)]
struct Revision {
    text: String,
    rev: u64,
    edited_at: Option<i64>,
    deleted: bool,
}

impl Timeline {
    /// An empty window at the live end of a room whose head is `head`.
    pub const fn new(head: u64) -> Self {
        Self {
            since: head,
            last: head,
            gap: false,
            from: head,
            to: head,
            messages: BTreeMap::new(),
            revisions: BTreeMap::new(),
            reactions: VecDeque::new(),
        }
    }

    /// The `seq` up to which the room's events have been applied.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// The `seq` to resume after, when an event is missing.
    pub fn gap(&self) -> Option<u64> {
        self.gap.then_some(self.last)
    }

    /// The window, oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.values()
    }

    /// One message of the window.
    pub fn message(&self, seq: u64) -> Option<&Message> {
        self.messages.get(&seq)
    }

    /// The range of `seq` of which every message is in the window.
    pub const fn window(&self) -> Range<u64> {
        self.from.saturating_add(1)..self.to.saturating_add(1)
    }

    /// Whether there may be messages older than the window.
    pub const fn more_before(&self) -> bool {
        self.from > 0
    }

    /// Whether there are messages newer than the window, so that live posts get no row.
    pub const fn more_after(&self) -> bool {
        self.to < self.last
    }

    /// Asks for the page before the window.
    pub const fn older(&self) -> Window {
        Window::Before(self.from.saturating_add(1))
    }

    /// Asks for the page after the window.
    pub const fn newer(&self) -> Window {
        Window::After(self.to)
    }

    /// Applies an event if it is the next one.
    pub fn apply(&mut self, event: &Event) -> Applied {
        let live = !self.more_after();
        let applied = self.advance(event.seq);
        if applied != Applied::New {
            return applied;
        }
        match &event.kind {
            EventKind::MessagePosted { .. } => {
                // A page ahead of the stream may have moved the window past this event.
                if let Some(message) = event.message().filter(|message| live && message.seq > self.from) {
                    self.put(message);
                    self.trim_start();
                }
            }
            EventKind::MessageEdited { target, text, rev, edited_at, deleted } => {
                let text = text.clone();
                let revision = Revision { text, rev: *rev, edited_at: Some(*edited_at), deleted: *deleted };
                self.revise(*target, revision);
            }
            EventKind::MessageDeleted { target, rev } => {
                let revision = Revision { text: String::new(), rev: *rev, edited_at: None, deleted: true };
                self.revise(*target, revision);
            }
            EventKind::MessageReacted { target, emoji, on, count } => {
                let (seq, target, by) = (event.seq, *target, event.by.clone());
                self.react(ReactionEvent { seq, target, by, emoji: emoji.clone(), on: *on, count: *count });
            }
            EventKind::MemberJoined { .. } | EventKind::MemberLeft { .. } => {}
        }
        applied
    }

    /// Counts the `seq` of an event, whatever the event says. For an event of an unknown type nothing else is to be
    /// done.
    pub fn advance(&mut self, seq: u64) -> Applied {
        if seq <= self.last {
            return Applied::Known;
        }
        if seq != self.last.saturating_add(1) {
            self.gap = true;
            return Applied::Gap;
        }
        if !self.more_after() {
            self.to = self.to.max(seq);
        }
        self.last = seq;
        self.gap = false;
        Applied::New
    }

    /// Takes in a page that was asked for as `wanted`. A page never moves [`Timeline::last`]: events that it is
    /// ahead of still come and change nothing then.
    pub fn merge(&mut self, wanted: Window, page: &MessagePage) {
        if page.as_of < self.since {
            // Asked for before a reset: what changed between the two is never told.
            return;
        }
        let (low, high) = covers(wanted, page);
        let meets = low <= self.to && self.from <= high;
        if meets {
            self.from = self.from.min(low);
            self.to = self.to.max(high);
        } else {
            let stale = match wanted {
                Window::Newest => high < self.from,
                // The window that these pages belong to is gone. They would leave a hole beside the present one.
                Window::Before(_) | Window::After(_) => true,
                Window::Around(_) => false,
            };
            if stale {
                return;
            }
            self.messages.clear();
            (self.from, self.to) = (low, high);
        }
        for message in &page.messages {
            self.put(message.clone());
            self.take_reactions(message, page.as_of);
        }
        match wanted {
            Window::Newest | Window::After(_) | Window::Around(_) => self.trim_start(),
            Window::Before(_) => self.trim_end(),
        }
    }

    /// Forgets everything and starts from the page of a `reset`.
    pub fn reset(&mut self, reset: &Reset) {
        *self = Self::new(reset.as_of);
        self.from = match reset.messages.first() {
            Some(first) if reset.more => first.seq.saturating_sub(1),
            Some(_) | None => 0,
        };
        self.messages = reset.messages.iter().map(|message| (message.seq, message.clone())).collect();
    }

    /// Shows the user's own message as soon as the reply has told its `seq`, before its event comes.
    pub fn settle(&mut self, posted: &Posted, by: &User, text: &str) {
        // If `seq` is not above `last`, the event has passed, and the draft may be older than the message as it is
        // now. A page ahead of the stream may have moved the window past the message.
        if posted.seq <= self.last.max(self.from) || self.more_after() {
            return;
        }
        self.put(Message {
            seq: posted.seq,
            n: posted.n,
            at: posted.at,
            by: by.clone(),
            body: text.into(),
            rev: posted.seq,
            nonce: posted.nonce.clone(),
            edited_at: None,
            deleted: false,
            beside: Beside::default(),
        });
    }

    /// Shows a reaction now, and on pages that were read before it.
    fn react(&mut self, reaction: ReactionEvent) {
        if let Some(message) = self.messages.get_mut(&reaction.target) {
            reaction.correct(message);
        }
        self.reactions.push_back(reaction);
        if self.reactions.len() > REVISIONS {
            self.reactions.pop_front();
        }
    }

    /// Shows the reactions that a page of `as_of` has of a message, and those that came after it.
    fn take_reactions(&mut self, read: &Message, as_of: u64) {
        let Some(message) = self.messages.get_mut(&read.seq).filter(|message| !message.deleted) else {
            return;
        };
        message.beside.reactions.clone_from(&read.beside.reactions);
        let later =
            self.reactions.iter().filter(|reaction| reaction.seq > as_of && reaction.target == read.seq);
        later.for_each(|reaction| reaction.correct(message));
    }

    fn put(&mut self, mut message: Message) {
        if let Some(revision) = self.revisions.get(&message.seq) {
            revision.correct(&mut message);
        }
        match self.messages.get_mut(&message.seq) {
            Some(known) if message.rev > known.rev => {
                if !message.deleted {
                    message.beside.reactions = std::mem::take(&mut known.beside.reactions);
                }
                *known = message;
            }
            Some(_) => {}
            None => {
                self.messages.insert(message.seq, message);
            }
        }
    }

    fn trim_start(&mut self) {
        while self.messages.len() > WINDOW
            && let Some((seq, _)) = self.messages.pop_first()
        {
            self.from = seq;
        }
    }

    fn trim_end(&mut self) {
        while self.messages.len() > WINDOW
            && let Some((seq, _)) = self.messages.pop_last()
        {
            self.to = seq.saturating_sub(1);
        }
    }

    fn revise(&mut self, target: u64, mut revision: Revision) {
        if let Some(message) = self.messages.get_mut(&target) {
            revision.correct(message);
        }
        let known = self.revisions.get(&target);
        if known.is_none_or(|known| known.rev < revision.rev) {
            // A deletion does not tell when the message was last edited.
            revision.edited_at = revision.edited_at.or_else(|| known.and_then(|known| known.edited_at));
            self.revisions.insert(target, revision);
        }
        if self.revisions.len() > REVISIONS {
            let oldest =
                self.revisions.iter().min_by_key(|(_, revision)| revision.rev).map(|(target, _)| *target);
            oldest.map(|target| self.revisions.remove(&target));
        }
    }
}

impl Revision {
    fn correct(&self, message: &mut Message) {
        if self.rev > message.rev {
            message.rev = self.rev;
            message.body.text.clone_from(&self.text);
            message.deleted = self.deleted;
            if self.deleted {
                message.beside.reactions.clear();
            }
            message.edited_at = self.edited_at.or(message.edited_at);
        }
    }
}

impl ReactionEvent {
    fn correct(&self, message: &mut Message) {
        if message.deleted {
            return;
        }
        let known = message.beside.reactions.iter().position(|reaction| reaction.emoji == self.emoji);
        match known {
            _ if self.count == 0 => message.beside.reactions.retain(|reaction| reaction.emoji != self.emoji),
            None => message.beside.reactions.push(Reaction {
                emoji: self.emoji.clone(),
                count: self.count,
                mine: false,
                users: vec![self.by.clone()],
            }),
            Some(at) => {
                let reaction = &mut message.beside.reactions[at];
                reaction.count = self.count;
                reaction.users.retain(|user| user.id != self.by.id);
                if self.on && reaction.users.len() < NAMED {
                    reaction.users.push(self.by.clone());
                }
            }
        }
    }
}

/// The range `low < seq ≤ high` of which the page has every message.
fn covers(wanted: Window, page: &MessagePage) -> (u64, u64) {
    let first = page.messages.first().map(|message| message.seq.saturating_sub(1));
    let last = page.messages.last().map(|message| message.seq);
    let down = if page.more_before { first } else { Some(0) };
    let up = if page.more_after { last } else { Some(page.as_of) };
    match wanted {
        Window::Newest => (down.unwrap_or(page.as_of), page.as_of),
        Window::Before(before) => {
            let high = before.saturating_sub(1);
            (down.unwrap_or(high), high)
        }
        Window::After(after) => (after, up.unwrap_or(after)),
        Window::Around(seq) => (down.unwrap_or(seq), up.unwrap_or(seq)),
    }
}
