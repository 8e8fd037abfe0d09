//! One answer for all clients that come back to a room at about the same time.

use crate::error::Result;
use protocol::RoomId;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// How long an answer is kept. Clients that lost their connections together are back within this time.
const KEPT: Duration = Duration::from_secs(30);
/// The most answers that are kept, and the most bytes of them.
const ANSWERS: usize = 4096;
const BYTES: usize = 16 << 20;

/// An answer, once the first caller who asked for it has found it.
pub(crate) type Answer<V> = Arc<OnceCell<Arc<V>>>;
/// The answers of one room, by what was asked.
pub(crate) type Answers<V> = BTreeMap<u64, Answer<V>>;

/// The answers that were found of late. An answer is given only while it is true: code that changes a room calls
/// [`Together::outdated`] before anybody hears of the change. An answer that was being looked for at that moment is given
/// to the callers that had asked before, and to no later one.
pub(crate) struct Together<V> {
    kept: Mutex<Kept<V>>,
    weigh: fn(&V) -> usize,
    /// How many answers were looked for in the database.
    looks: AtomicU64,
}

struct Kept<V> {
    rooms: HashMap<RoomId, Answers<V>>,
    /// All answers, the oldest first.
    order: VecDeque<Entry<V>>,
    bytes: usize,
}

struct Entry<V> {
    room: RoomId,
    number: u64,
    answer: Answer<V>,
    since: Instant,
    /// What the answer weighs; 0 until it was found.
    bytes: usize,
}

impl<V> Together<V> {
    /// Keeps answers while all together weigh no more than [`BYTES`]. `weigh` tells the bytes of one.
    pub(crate) fn new(weigh: fn(&V) -> usize) -> Self {
        let kept = Kept { rooms: HashMap::new(), order: VecDeque::new(), bytes: 0 };
        Self { kept: Mutex::new(kept), weigh, looks: AtomicU64::new(0) }
    }

    /// Answers a question about a room. A question is a number: `choose` makes it, and is given the answers of the room
    /// that are kept. A kept answer is given again. Otherwise `look` finds the answer to the number, for every caller that
    /// asks the same meanwhile.
    pub(crate) async fn ask<F: Future<Output = Result<V>>>(
        &self,
        room: RoomId,
        choose: impl FnOnce(&Answers<V>) -> u64,
        look: impl FnOnce(u64) -> F,
    ) -> Result<Found<'_, V>> {
        let (number, answer) = self.lock().answer(room, choose, Instant::now());
        let looking = async || -> Result<Arc<V>> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            let value = look(number).await?;
            self.lock().found(&answer, (self.weigh)(&value));
            Ok(Arc::new(value))
        };
        let value = answer.get_or_try_init(looking).await?.clone();
        Ok(Found { together: self, answer, value })
    }

    /// From now on, no answer about the room that was found before is given.
    pub(crate) fn outdated(&self, room: RoomId) {
        let mut kept = self.lock();
        if kept.rooms.contains_key(&room) {
            kept.drop_if(|entry| entry.room == room);
        }
    }

    /// From now on, no answer that was found before is given.
    pub(crate) fn all_outdated(&self) {
        self.lock().drop_if(|_| true);
    }

    /// Drops the answers that are too old or too many.
    pub(crate) fn tidy(&self) {
        self.lock().bound(Instant::now());
    }

    /// How many answers were looked for in the database.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Kept<V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that was given, with which the caller can have it looked for anew.
pub(crate) struct Found<'a, V> {
    together: &'a Together<V>,
    answer: Answer<V>,
    pub(crate) value: Arc<V>,
}

impl<V> Found<'_, V> {
    /// Drops the answer: the next caller that asks the same has it looked for anew.
    pub(crate) fn forget(&self) {
        self.together.lock().drop_if(|entry| Arc::ptr_eq(&entry.answer, &self.answer));
    }
}

impl<V> Kept<V> {
    fn answer(
        &mut self,
        room: RoomId,
        choose: impl FnOnce(&Answers<V>) -> u64,
        now: Instant,
    ) -> (u64, Answer<V>) {
        self.bound(now);
        let answers = self.rooms.entry(room).or_default();
        let number = choose(answers);
        if let Some(answer) = answers.get(&number) {
            return (number, Arc::clone(answer));
        }
        let answer = Answer::default();
        answers.insert(number, Arc::clone(&answer));
        self.order.push_back(Entry { room, number, answer: Arc::clone(&answer), since: now, bytes: 0 });
        (number, answer)
    }

    /// Counts what an answer weighs, unless it is outdated already.
    fn found(&mut self, answer: &Answer<V>, bytes: usize) {
        let entry = self.order.iter_mut().rev().find(|entry| Arc::ptr_eq(&entry.answer, answer));
        if let Some(entry) = entry {
            self.bytes += bytes;
            entry.bytes = bytes;
        }
    }

    fn bound(&mut self, now: Instant) {
        while let Some(oldest) = self.order.front()
            && (now.duration_since(oldest.since) > KEPT || self.order.len() > ANSWERS || self.bytes > BYTES)
        {
            if let Some(oldest) = self.order.pop_front() {
                self.bytes -= oldest.bytes;
                let_go(&mut self.rooms, &oldest);
            }
        }
    }

    fn drop_if(&mut self, is_over: impl Fn(&Entry<V>) -> bool) {
        let Self { rooms, order, bytes } = self;
        order.retain(|entry| {
            let is_over = is_over(entry);
            if is_over {
                *bytes -= entry.bytes;
                let_go(rooms, entry);
            }
            !is_over
        });
    }
}

fn let_go<V>(rooms: &mut HashMap<RoomId, Answers<V>>, entry: &Entry<V>) {
    if let Some(answers) = rooms.get_mut(&entry.room) {
        answers.remove(&entry.number);
        if answers.is_empty() {
            rooms.remove(&entry.room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::Notify;
    use uuid::Uuid;

    const LOBBY: RoomId = RoomId::new(Uuid::from_u128(1));
    const GARDEN: RoomId = RoomId::new(Uuid::from_u128(2));

    type Found = Together<u32>;

    fn found() -> Found {
        Found::new(|weight| *weight as usize)
    }

    async fn told(found: &Found, room: RoomId, number: u64, value: u32) -> u32 {
        *found.ask(room, |_| number, |_| async move { Ok(value) }).await.unwrap().value
    }

    /// Looks once `go` says so, and counts.
    async fn look(looks: &AtomicU32, go: &Notify) -> Result<u32> {
        go.notified().await;
        Ok(looks.fetch_add(1, Ordering::Relaxed) + 1)
    }

    #[tokio::test]
    async fn what_one_found_is_told_to_all_until_it_is_outdated() {
        let (found, looks, go) = (found(), AtomicU32::new(0), Notify::new());
        let (found, looks, go) = (&found, &looks, &go);
        let ask = async || *found.ask(LOBBY, |_| 7, |_| look(looks, go)).await.unwrap().value;
        let (one, other, ()) = tokio::join!(ask(), ask(), async { go.notify_one() });
        assert_eq!((one, other, ask().await), (1, 1, 1));
        assert_eq!(told(found, GARDEN, 7, 5).await, 5);
        found.outdated(LOBBY);
        go.notify_one();
        assert_eq!(ask().await, 2);
        assert_eq!(told(found, GARDEN, 7, 6).await, 5, "another room is another matter");
        assert_eq!(found.looks(), 3);
        found.all_outdated();
        assert_eq!(told(found, GARDEN, 7, 6).await, 6);
    }

    #[tokio::test]
    async fn who_asks_after_a_change_is_not_told_what_was_looked_for_before_it() {
        let (found, looks, go) = (found(), AtomicU32::new(0), Notify::new());
        let before = found.ask(LOBBY, |_| 7, |_| look(&looks, &go));
        let (before, ()) = tokio::join!(before, async {
            found.outdated(LOBBY);
            assert_eq!(told(&found, LOBBY, 7, 9).await, 9);
            go.notify_one();
        });
        assert_eq!(*before.unwrap().value, 1);
        assert_eq!(told(&found, LOBBY, 7, 10).await, 9);
    }

    #[tokio::test]
    async fn whoever_gives_up_or_fails_leaves_the_others_their_answer() {
        let (found, looks, go) = (found(), AtomicU32::new(0), Notify::new());
        let fails = found.ask(LOBBY, |_| 7, |_| async { Err(Error::Stopping) });
        let (failed, told_then) = tokio::join!(fails, async {
            go.notify_one();
            found.ask(LOBBY, |_| 7, |_| look(&looks, &go)).await
        });
        assert!(failed.is_err());
        assert_eq!(*told_then.unwrap().value, 1);
        {
            let mut gives_up = std::pin::pin!(found.ask(LOBBY, |_| 8, |_| look(&looks, &go)));
            tokio::select! {
                biased;
                _ = &mut gives_up => unreachable!("nobody lets it go on"),
                () = std::future::ready(()) => {}
            }
        }
        assert_eq!(told(&found, LOBBY, 8, 3).await, 3);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_in_number_bytes_and_time() {
        let found = found();
        let sizes = |kept: &Kept<u32>| (kept.order.len(), kept.rooms.len(), kept.bytes);
        for number in 0..2 * ANSWERS as u64 {
            told(&found, LOBBY, number, 1).await;
        }
        found.tidy();
        assert_eq!(sizes(&found.lock()), (ANSWERS, 1, ANSWERS));
        for number in 0..20 {
            told(&found, GARDEN, number, 1 << 20).await;
        }
        found.tidy();
        assert_eq!(sizes(&found.lock()), (16, 1, 16 << 20), "the oldest went first");
        let mut kept = found.lock();
        let later = Instant::now() + KEPT;
        kept.bound(later - KEPT / 2);
        assert_eq!(kept.order.len(), 16);
        kept.bound(later + KEPT / 2);
        assert_eq!(sizes(&kept), (0, 0, 0));
    }
}
