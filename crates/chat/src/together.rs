//! One answer for all who ask the same at the same time.

use crate::error::Result;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::OnceCell;

type Answer<V> = Arc<OnceCell<Arc<V>>>;

/// Questions that were asked and that nobody has begun to look into.
pub(crate) struct Together<K: Eq + Hash, V> {
    asked: Mutex<HashMap<K, Answer<V>>>,
    /// How often somebody looked.
    looks: AtomicU64,
}

/// Somebody who waits for an answer. When the last one gives up, nobody has asked.
struct Asker<'a, K: Eq + Hash, V> {
    together: &'a Together<K, V>,
    question: K,
    answer: Answer<V>,
}

impl<K: Eq + Hash + Clone, V> Together<K, V> {
    pub(crate) fn new() -> Self {
        Self { asked: Mutex::default(), looks: AtomicU64::new(0) }
    }

    /// The answer to `question`: that of whoever asked the same before, or of `look`, which calls [`Together::begin`]
    /// before it looks at anything.
    pub(crate) async fn ask<F: Future<Output = Result<V>>>(
        &self,
        question: K,
        look: impl FnOnce() -> F,
    ) -> Result<Arc<V>> {
        let answer = Arc::clone(self.lock().entry(question.clone()).or_default());
        let asker = Asker { together: self, question, answer };
        let look = async || Ok(Arc::new(look().await?));
        asker.answer.get_or_try_init(look).await.cloned()
    }

    /// Whoever asks from now on is answered anew: what is being looked at is older than their question.
    pub(crate) fn begin(&self, question: &K) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.lock().remove(question);
    }

    /// How often somebody looked.
    pub(crate) fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }
}

impl<K: Eq + Hash, V> Together<K, V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Answer<V>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Drop for Asker<'_, K, V> {
    fn drop(&mut self) {
        let mut asked = self.together.lock();
        // The map's and this one: nobody else waits.
        let last = |answer: &Answer<V>| Arc::ptr_eq(answer, &self.answer) && Arc::strong_count(answer) == 2;
        if asked.get(&self.question).is_some_and(last) {
            asked.remove(&self.question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::atomic::AtomicU32;
    use tokio::sync::Notify;

    type Rooms = Together<&'static str, u32>;

    /// Looks once `go` says so, and counts.
    async fn look(rooms: &Rooms, looks: &AtomicU32, go: &Notify) -> Result<u32> {
        go.notified().await;
        rooms.begin(&"lobby");
        Ok(looks.fetch_add(1, Ordering::Relaxed) + 1)
    }

    #[tokio::test]
    async fn all_who_ask_before_anybody_looks_share_one_look() {
        let (rooms, looks, go) = (Rooms::new(), AtomicU32::new(0), Notify::new());
        let (rooms, looks, go) = (&rooms, &looks, &go);
        let ask = async || rooms.ask("lobby", || look(rooms, looks, go)).await.unwrap();
        let everybody = (ask(), ask(), ask(), async { go.notify_one() });
        let (one, other, third, ()) = tokio::join!(everybody.0, everybody.1, everybody.2, everybody.3);
        assert_eq!((*one, *other, *third), (1, 1, 1));
        go.notify_one();
        assert_eq!(*ask().await, 2, "who comes later is told what is so then");
        assert!(rooms.lock().is_empty());
    }

    #[tokio::test]
    async fn whoever_gives_up_or_fails_leaves_the_others_their_answer() {
        let (rooms, looks, go) = (Rooms::new(), AtomicU32::new(0), Notify::new());
        let fails = rooms.ask("lobby", || async { Err(Error::Stopping) });
        let (failed, told) = tokio::join!(fails, async {
            go.notify_one();
            rooms.ask("lobby", || look(&rooms, &looks, &go)).await
        });
        assert!(failed.is_err());
        assert_eq!(*told.unwrap(), 1);
        {
            let gives_up = rooms.ask("lobby", || look(&rooms, &looks, &go));
            let mut gives_up = std::pin::pin!(gives_up);
            tokio::select! {
                biased;
                _ = &mut gives_up => unreachable!("nobody lets it go on"),
                () = std::future::ready(()) => {}
            }
            assert_eq!(rooms.lock().len(), 1);
        }
        assert!(rooms.lock().is_empty(), "nobody asks any more");
    }
}
