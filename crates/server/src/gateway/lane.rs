//! The order of one connection's commands: posts go on beside each other, everything else waits its turn.

use delivery::Frame;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::runtime::Handle;

/// Ends with the reply, where there is one to hand over.
pub(super) type Work = Pin<Box<dyn Future<Output = Option<Frame>> + Send>>;
type Start = Box<dyn FnOnce() -> Started + Send>;

/// What comes of starting work.
pub(super) enum Started {
    /// It is under way.
    Now(Work),
    /// It has to wait before it is, and so has whatever is behind it.
    Held(Pin<Box<dyn Future<Output = Work> + Send>>),
}

/// How a command stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Starts as soon as all before it that are [`Pace::InTurn`] are done.
    Beside,
    /// Starts when all before it are done.
    InTurn,
}

/// A queue of work for one connection. Work is finished, and so answered, in the order it came; nothing but the queue
/// is kept while there is none.
pub(super) struct Lane {
    runtime: Handle,
    inner: Mutex<Inner>,
    reply: Box<dyn Fn(Vec<Frame>) + Send + Sync>,
}

#[derive(Default)]
struct Inner {
    steps: VecDeque<Step>,
    /// Steps in turn that are not done, and the step that is held.
    turns: usize,
    running: bool,
}

enum Step {
    Started(Started),
    Waiting(Pace, Start),
}

impl Lane {
    /// Replies that are ready together are handed to `reply` together.
    pub(super) fn new(runtime: Handle, reply: impl Fn(Vec<Frame>) + Send + Sync + 'static) -> Self {
        Self { runtime, inner: Mutex::default(), reply: Box::new(reply) }
    }

    /// Adds work. Called by one thread, the shard's; `start` must not block.
    pub(super) fn push(self: &Arc<Self>, pace: Pace, start: impl FnOnce() -> Started + Send + 'static) {
        let mut inner = self.lock();
        if pace == Pace::Beside && inner.turns == 0 {
            drop(inner);
            // Started outside the lock: starting a post takes the writer's. Nobody else adds a turn meanwhile.
            let started = start();
            inner = self.lock();
            inner.turns += usize::from(started.is_held());
            inner.steps.push_back(Step::Started(started));
        } else {
            inner.turns += usize::from(pace == Pace::InTurn);
            // Under the same lock as the look at the turns: the last of them starts whatever waits for it.
            inner.steps.push_back(Step::Waiting(pace, Box::new(start)));
        }
        if !std::mem::replace(&mut inner.running, true) {
            drop(inner);
            self.runtime.spawn(Arc::clone(self).run());
        }
    }

    async fn run(self: Arc<Self>) {
        let mut ready = Vec::new();
        loop {
            while let Some(step) = self.next() {
                match step {
                    Step::Started(Started::Now(work)) => self.finish(work, &mut ready).await,
                    Step::Started(Started::Held(held)) => {
                        let work = self.begin(held, &mut ready).await;
                        self.turn_done();
                        self.finish(work, &mut ready).await;
                    }
                    Step::Waiting(pace, start) => {
                        let work = match start() {
                            Started::Now(work) => work,
                            Started::Held(held) => self.begin(held, &mut ready).await,
                        };
                        self.finish(work, &mut ready).await;
                        if pace == Pace::InTurn {
                            self.turn_done();
                        }
                    }
                }
            }
            self.hand_over(&mut ready);
            if self.is_done() {
                return;
            }
        }
    }

    /// Waits until work that is held may begin; what is ready leaves before that.
    async fn begin(&self, held: Pin<Box<dyn Future<Output = Work> + Send>>, ready: &mut Vec<Frame>) -> Work {
        self.hand_over(ready);
        held.await
    }

    /// Waits for work; what is ready leaves before that.
    async fn finish(&self, mut work: Work, ready: &mut Vec<Frame>) {
        let at_once = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
        let reply = match at_once {
            Poll::Ready(reply) => reply,
            Poll::Pending => {
                self.hand_over(ready);
                work.await
            }
        };
        ready.extend(reply);
    }

    fn hand_over(&self, ready: &mut Vec<Frame>) {
        if !ready.is_empty() {
            (self.reply)(std::mem::take(ready));
        }
    }

    fn next(&self) -> Option<Step> {
        self.lock().steps.pop_front()
    }

    /// Whether nothing came meanwhile: what comes from here on starts the lane again.
    fn is_done(&self) -> bool {
        let mut inner = self.lock();
        inner.running = !inner.steps.is_empty();
        !inner.running
    }

    /// Starts what waited for this turn alone, before anything newer can start. Should one of those be held, the turn is
    /// now its own.
    fn turn_done(&self) {
        let mut started = VecDeque::new();
        let mut held = false;
        loop {
            let mut inner = self.lock();
            match inner.steps.pop_front() {
                Some(Step::Waiting(Pace::Beside, start)) if !held => {
                    drop(inner);
                    let start = start();
                    held = start.is_held();
                    started.push_back(Step::Started(start));
                }
                other => {
                    inner.turns -= usize::from(!held);
                    if let Some(step) = other {
                        inner.steps.push_front(step);
                    }
                    for step in started.into_iter().rev() {
                        inner.steps.push_front(step);
                    }
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    /// Work that need not wait.
    pub(super) fn now(work: impl Future<Output = Option<Frame>> + Send + 'static) -> Self {
        Self::Now(Box::pin(work))
    }

    /// Work that starts with what `until` ends with.
    #[allow(
        clippy::async_yields_async,
        reason = "the lane awaits the work later, after starting what is behind it"
    )]
    pub(super) fn held<T>(
        until: impl Future<Output = T> + Send + 'static,
        start: impl FnOnce(T) -> Work + Send + 'static,
    ) -> Self
    where
        T: Send,
    {
        Self::Held(Box::pin(async move { start(until.await) }))
    }

    const fn is_held(&self) -> bool {
        match self {
            Self::Now(_) => false,
            Self::Held(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::{mpsc, oneshot};

    #[tokio::test]
    async fn posts_start_beside_each_other_and_finish_in_order() {
        let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
        let (done, mut finished) = mpsc::unbounded_channel();
        let mut gates = Vec::new();
        for number in 0..3 {
            let (gate, opened) = oneshot::channel::<()>();
            gates.push(gate);
            let done = done.clone();
            lane.push(Pace::Beside, move || {
                Started::now(async move {
                    let _ = opened.await;
                    let _ = done.send(number);
                    None
                })
            });
        }
        for gate in gates.into_iter().rev() {
            gate.send(()).unwrap();
        }
        for number in 0..3 {
            assert_eq!(finished.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn a_command_waits_for_those_before_it_and_posts_behind_it_start_together() {
        let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
        let (note, mut noted) = mpsc::unbounded_channel();
        let (gate, opened) = oneshot::channel::<()>();
        let started = note.clone();
        lane.push(Pace::InTurn, move || {
            Started::now(async move {
                let _ = opened.await;
                let _ = started.send("turn done");
                None
            })
        });
        for _ in 0..2 {
            let note = note.clone();
            lane.push(Pace::Beside, move || {
                let _ = note.send("post started");
                Started::now(async move {
                    let _ = note.send("post done");
                    None
                })
            });
        }
        gate.send(()).unwrap();
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(noted.recv().await.unwrap());
        }
        assert_eq!(seen, ["turn done", "post started", "post started", "post done", "post done"]);
    }

    #[tokio::test]
    async fn work_that_is_held_holds_what_is_behind_it_and_no_longer_than_it_is_held() {
        let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
        let (note, mut noted) = mpsc::unbounded_channel();
        let mut gates = Vec::new();
        for number in 0..4 {
            let (gate, opened) = oneshot::channel::<()>();
            gates.push(gate);
            let note = note.clone();
            lane.push(Pace::Beside, move || {
                // The first two are held, one after the other.
                let begun = note.clone();
                let work = move || -> Work {
                    let _ = begun.send(("begun", number));
                    Box::pin(async move {
                        let _ = begun.send(("done", number));
                        None
                    })
                };
                if number > 1 {
                    return Started::Now(work());
                }
                let _ = note.send(("held", number));
                Started::held(opened, |_| work())
            });
        }
        let mut seen = Vec::new();
        for gate in gates {
            let _ = gate.send(());
        }
        for _ in 0..10 {
            seen.push(noted.recv().await.unwrap());
        }
        let begun: Vec<_> = seen.iter().filter(|(what, _)| *what == "begun").map(|(_, n)| *n).collect();
        assert_eq!(begun, [0, 1, 2, 3], "{seen:?}");
        let at = |what| seen.iter().position(|seen| *seen == what).unwrap();
        assert!(at(("held", 1)) > at(("begun", 0)), "held only when it is its turn: {seen:?}");
        assert!(at(("begun", 3)) < at(("done", 1)), "not until it is answered: {seen:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_starts_in_the_order_it_came_however_turns_end_meanwhile() {
        let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
        let (note, mut started) = mpsc::unbounded_channel();
        let pushing = std::thread::spawn(move || {
            for number in 0..20_000 {
                let note = note.clone();
                let pace = if number % 3 == 0 { Pace::InTurn } else { Pace::Beside };
                lane.push(pace, move || {
                    let _ = note.send(number);
                    Started::now(async { None })
                });
            }
        });
        for number in 0..20_000 {
            assert_eq!(started.recv().await, Some(number));
        }
        pushing.join().unwrap();
    }
}
