//! What was read of the logs for those who come back, kept for the next ones.

use crate::stream::Committed;
use crate::together::Together;
use protocol::Event;
use protocol::frame::{EventPage, Reset};
use std::sync::Arc;

/// What a shared page takes of memory for each event or message, beside its text.
const BESIDE_TEXT: usize = 320;

/// What was read of the logs for those who come back: each once for all of them, and told only while its texts stand.
pub(crate) struct Replays {
    /// By the `seq` that a page begins after.
    pub(crate) pages: Together<EventPage>,
    /// One of a room.
    pub(crate) resets: Together<Reset>,
}

/// What came after a place in a room, up to the end of a page.
pub struct Replay {
    page: Arc<EventPage>,
    from: usize,
}

impl Replay {
    pub(crate) fn new(page: Arc<EventPage>, from: usize) -> Self {
        Self { page, from }
    }

    /// Whether the page has events, and all of them lie before the place asked for.
    pub(crate) fn falls_short(&self) -> bool {
        self.events().is_empty() && !self.page.events.is_empty()
    }

    /// The events, in order, without holes.
    pub fn events(&self) -> &[Event] {
        self.page.events.get(self.from..).unwrap_or_default()
    }

    /// The room's head when they were read.
    pub fn as_of(&self) -> u64 {
        self.page.as_of
    }

    /// Whether there were newer ones than the last.
    pub fn more(&self) -> bool {
        self.page.more
    }
}

impl Replays {
    pub(crate) fn new() -> Self {
        let page =
            |page: &EventPage| page.events.iter().map(|event| BESIDE_TEXT + event.kind.text().len()).sum();
        let reset = |reset: &Reset| {
            reset
                .messages
                .iter()
                .map(|message| BESIDE_TEXT * (1 + message.beside.reactions.len()) + message.body.text.len())
                .sum()
        };
        Self { pages: Together::new(page), resets: Together::new(reset) }
    }

    /// Takes note of what was committed, before anybody is told: a text that was changed or taken away is not told again.
    pub(crate) fn committed(&self, committed: &[Committed]) {
        for committed in committed {
            if let Committed::Event { event, .. } = committed
                && event.kind.takes_text_back()
            {
                self.pages.outdated(event.room);
                self.resets.outdated(event.room);
            }
        }
    }

    /// Takes note that nobody knows what was committed.
    pub(crate) fn unknown(&self) {
        self.pages.all_outdated();
        self.resets.all_outdated();
    }
}
