//! Whether the state that a client built from events is the state that the server has.

use crate::client::{Client, Failure, Late};
use crate::timeline::{Timeline, Window};
use protocol::{Message, Room, RoomId};

/// How often to look again when events came while the server was asked.
const LOOKS: usize = 20;

/// Why a client and its server do not agree.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    /// The client and the server hold different things.
    #[error("{who} and the server disagree about {what}: {here} here, {there} there")]
    Differs {
        /// The name of the client's user.
        who: String,
        /// What differs, in words.
        what: String,
        /// As the client has it.
        here: String,
        /// As the server has it.
        there: String,
    },
    /// The server could not be asked.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The client never heard of something that the server has.
    #[error(transparent)]
    Late(#[from] Late),
    /// Events kept coming: the comparison needs a moment of quiet.
    #[error("the room never came to rest")]
    Restless,
}

impl Client {
    /// Compares every room, head, read mark and row built from events with a fresh answer of the server. As the last
    /// line of a story it finds any message that was lost, doubled or put in another order.
    ///
    /// # Errors
    /// [`Disagreement`].
    pub async fn agrees(&self) -> Result<(), Disagreement> {
        for room in self.agreed_rooms().await? {
            self.agrees_on(&room).await?;
        }
        Ok(())
    }

    async fn agreed_rooms(&self) -> Result<Vec<Room>, Disagreement> {
        let mut last = None;
        for _ in 0..LOOKS {
            let mut there = self.list_rooms().await?.mine;
            there.sort_by_key(|room| room.id);
            // Events that the server's answer knows may still be on their way as frames, so each room gets some time.
            for room in &there {
                let what = format!("seq {} of {}", room.head, room.name);
                self.wait_until(&what, |state| {
                    state.timelines.get(&room.id).is_some_and(|timeline| timeline.last() >= room.head)
                })
                .await?;
            }
            let here: Vec<Room> = self.read(|state| state.rooms.values().cloned().collect());
            if here == there {
                return Ok(there);
            }
            last = Some((here, there));
        }
        let (here, there) = last.unwrap_or_default();
        Err(self.differs("the rooms", &here, &there))
    }

    async fn agrees_on(&self, room: &Room) -> Result<(), Disagreement> {
        for _ in 0..LOOKS {
            let Some(before) = self.timeline(room.id) else { return Err(Disagreement::Restless) };
            let there = self.fetched(room.id, &before).await?;
            let Some(after) = self.timeline(room.id) else { return Err(Disagreement::Restless) };
            let Some(there) = there.filter(|_| before.last() == after.last()) else { continue };
            let here: Vec<Message> = after.messages().cloned().collect();
            if here == there {
                return Ok(());
            }
            return Err(self.differs(&format!("the messages of {}", room.name), &here, &there));
        }
        Err(Disagreement::Restless)
    }

    /// The server's messages in the timeline's window; none when the window moved meanwhile.
    async fn fetched(&self, room: RoomId, timeline: &Timeline) -> Result<Option<Vec<Message>>, Disagreement> {
        let window = timeline.window();
        let mut messages: Vec<Message> = Vec::new();
        let mut wanted = Window::Before(window.end);
        loop {
            let page = self.list_messages(room, wanted, None).await?;
            if page.as_of != timeline.last() {
                return Ok(None);
            }
            let first = page.messages.first().map(|message| message.seq);
            let more = page.more_before;
            messages.splice(0..0, page.messages.into_iter().filter(|message| window.contains(&message.seq)));
            match first {
                Some(first) if more && first > window.start => wanted = Window::Before(first),
                Some(_) | None => return Ok(Some(messages)),
            }
        }
    }

    fn timeline(&self, room: RoomId) -> Option<Timeline> {
        self.read(|state| state.timelines.get(&room).cloned())
    }

    fn differs<T: std::fmt::Debug + PartialEq>(&self, what: &str, here: &[T], there: &[T]) -> Disagreement {
        let only = |these: &[T], those: &[T]| {
            let only: Vec<&T> = these.iter().filter(|this| !those.contains(this)).collect();
            if only.is_empty() { format!("the same {}", these.len()) } else { format!("{only:?}") }
        };
        Disagreement::Differs {
            who: self.me().name.clone(),
            what: what.to_owned(),
            here: only(here, there),
            there: only(there, here),
        }
    }
}
