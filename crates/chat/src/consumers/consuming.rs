//! The loop of all consumers.

use super::consumer::{Consumer, Stretch, Work};
use super::pending::Pending;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::sql::Sql;
use crate::store::places;
use crate::stream::RoomKey;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long news gather before they are taken: what is said in a second costs one transaction, and not one each.
const GATHERING: Duration = Duration::from_secs(1);
/// How long the loop waits at first, and at most, when nothing can be written or read.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a room that failed is left alone, unless it has news.
const ASIDE: Duration = Duration::from_secs(60);
/// Rooms in one job.
const ROOMS: usize = 32;
/// Rooms that comparing finds at once.
const COMPARED: u64 = 1_024;
/// Rows that one job throws away where a consumer begins anew.
const FORGOTTEN: u64 = 1_000;

/// The loop of all consumers. It takes what people have done in small pieces, one after another, so that never more than one
/// job of it waits for the writer among those of people.
pub struct Consuming {
    chat: Chat,
    turns: Vec<Turn>,
    /// Whose turn is next.
    next: usize,
    /// When rooms that failed are tried again; none while there is no such room.
    again_at: Option<Instant>,
}

/// What one consumer has to do.
struct Turn {
    consumer: Consumer,
    pending: Pending,
    /// Rooms that failed by themselves: the others go on.
    aside: BTreeSet<RoomKey>,
}

/// What was read of a room and is to be written.
struct Piece {
    room: RoomKey,
    /// The consumer's place when it was read; none where it begins.
    from: Option<u64>,
    to: u64,
    work: Work,
}

impl Consuming {
    pub(super) fn new(chat: Chat, consumers: &[Consumer]) -> Self {
        let turn = |consumer: &Consumer| Turn {
            consumer: *consumer,
            pending: Pending::new(),
            aside: BTreeSet::new(),
        };
        Self { chat, turns: consumers.iter().map(turn).collect(), next: 0, again_at: None }
    }

    /// Takes what happens until the database is closed. While nothing happens it sleeps.
    pub async fn run(mut self) {
        let (mut pause, mut has_worked) = (PAUSE, false);
        while !self.chat.0.news.is_closed() {
            match self.step().await {
                Ok(true) => (pause, has_worked) = (PAUSE, true),
                Ok(false) => {
                    if std::mem::take(&mut has_worked) {
                        tracing::debug!("the consumers have taken all that happened");
                    }
                    self.rest().await;
                }
                Err(error) => {
                    tracing::debug!(%error, "the consumers wait, for nothing can be read or written");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Does the next piece of work: at most one job for the writer, or one for each room of it after a failure. False when
    /// nothing is left to do.
    ///
    /// # Errors
    /// When nothing can be read or written at the moment, whatever the room. What was to be done stays to be done.
    pub async fn step(&mut self) -> Result<bool> {
        let moved = self.chat.0.news.take();
        self.turns.iter_mut().for_each(|turn| turn.pending.moved(&moved));
        for _ in 0..self.turns.len() {
            self.next = (self.next + 1) % self.turns.len();
            if self.turns[self.next].take(&self.chat).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until there is something to do.
    async fn rest(&mut self) {
        let news = self.chat.0.news.arrived();
        if self.turns.iter().all(|turn| turn.aside.is_empty()) {
            self.again_at = None;
            news.await;
        } else {
            // Kept over many rests: news of other rooms must not put it off for ever.
            let at = *self.again_at.get_or_insert_with(|| Instant::now() + ASIDE);
            if timeout_at(at, news).await.is_err() {
                self.again_at = None;
                self.turns.iter_mut().for_each(Turn::try_again);
            }
        }
        sleep(GATHERING).await;
    }
}

impl Turn {
    /// Does one piece of work; false when there is none.
    async fn take(&mut self, chat: &Chat) -> Result<bool> {
        if let Some(after) = self.pending.to_compare() {
            let name = self.consumer.name;
            let behind = chat.read(move |sql| places::behind(sql, name, after, COMPARED)).await?;
            let more = behind.len() as u64 == COMPARED;
            self.pending.compared(behind, more);
        }
        let rooms = self.pending.turn(ROOMS);
        match self.take_of(chat, rooms.clone()).await {
            Err(error) if is_of_a_room(&error) && !chat.0.news.is_closed() => {
                // One of them must not hold up the others.
                for room in rooms.iter().copied() {
                    match self.take_of(chat, vec![room]).await {
                        Err(error) if is_of_a_room(&error) => self.set_aside(room, &error),
                        taken => taken?,
                    }
                }
            }
            taken => taken?,
        }
        Ok(!rooms.is_empty())
    }

    /// Takes the next events of these rooms.
    async fn take_of(&mut self, chat: &Chat, rooms: Vec<RoomKey>) -> Result<()> {
        if rooms.is_empty() {
            return Ok(());
        }
        let (consumer, of) = (self.consumer, rooms.clone());
        let (pieces, mut again) = chat.read(move |sql| read(sql, &consumer, &of)).await?;
        let last = pieces.last().map(|piece| piece.room);
        if !pieces.is_empty() {
            again.extend(chat.write(move |tx| write(tx.sql, &consumer, pieces)).await?);
        }
        last.into_iter().for_each(|room| self.pending.had_turn(room));
        for room in rooms {
            self.pending.done(room);
            self.aside.remove(&room);
        }
        again.into_iter().for_each(|room| self.pending.again(room));
        Ok(())
    }

    fn set_aside(&mut self, room: RoomKey, error: &Error) {
        self.pending.done(room);
        if self.aside.insert(room) {
            let consumer = self.consumer.name;
            tracing::error!(%error, consumer, room = room.number(), "a consumer cannot go on in a room; it tries again");
        }
    }

    fn try_again(&mut self) {
        self.aside.iter().for_each(|room| self.pending.again(*room));
    }
}

/// Whether something about the room stands in the way, and not that nothing can be read or written at all.
fn is_of_a_room(error: &Error) -> bool {
    match error {
        Error::Overloaded | Error::DiskFull | Error::Away | Error::Unknown => false,
        Error::Store(error) => !error.is_lost(),
        // A consumer that panics ends no more than its own task.
        Error::Stopping
        | Error::NotFound(_)
        | Error::Forbidden(_)
        | Error::Invalid { .. }
        | Error::Conflict
        | Error::NameTaken(_)
        | Error::TooManyRooms { .. }
        | Error::BadCredentials
        | Error::LinkSpent
        | Error::Hashing(_) => true,
    }
}

/// Reads and works on the next events of `rooms`, no more than the consumer takes at once. Answers also with the rooms that
/// have more.
fn read(sql: Sql<'_>, consumer: &Consumer, rooms: &[RoomKey]) -> Result<(Vec<Piece>, Vec<RoomKey>)> {
    let (mut pieces, mut again, mut left) = (Vec::new(), Vec::new(), consumer.most);
    for room in rooms.iter().copied() {
        let Some(found) = places::find(sql, consumer.name, room)? else { continue };
        let (head, after) = (found.head, found.place.unwrap_or(0));
        let to = head.min(after.saturating_add(left));
        if to < head {
            again.push(room);
        }
        if to > after {
            left -= to - after;
            let work = (consumer.read)(sql, Stretch { room, id: found.id, after, to })?;
            pieces.push(Piece { room, from: found.place, to, work });
        }
    }
    Ok((pieces, again))
}

/// Writes what came of `pieces`, each together with its place. Answers with the rooms to be looked at again: where the
/// consumer is no longer at the place from which was read.
fn write(sql: Sql<'_>, consumer: &Consumer, pieces: Vec<Piece>) -> Result<Vec<RoomKey>> {
    let (mut again, mut left) = (Vec::new(), FORGOTTEN);
    for Piece { room, from, to, work } in pieces {
        let goes_on = match from {
            Some(from) => places::advance(sql, consumer.name, room, from, to)?,
            None => begin(sql, consumer, room, to, &mut left)?,
        };
        if goes_on {
            work(sql)?;
        } else {
            again.push(room);
        }
    }
    Ok(again)
}

/// Begins in a room, from nothing: what a rebuild has left of it is thrown away first, up to `left` rows. False where
/// more is left, or the consumer cannot begin any more.
fn begin(sql: Sql<'_>, consumer: &Consumer, room: RoomKey, to: u64, left: &mut u64) -> Result<bool> {
    if *left == 0 || !places::can_begin(sql, consumer.name, room)? {
        return Ok(false);
    }
    *left -= (consumer.forget)(sql, room, *left)?.min(*left);
    if *left == 0 {
        return Ok(false);
    }
    places::begin(sql, consumer.name, room, to)?;
    Ok(true)
}
