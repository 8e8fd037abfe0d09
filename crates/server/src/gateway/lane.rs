//! The order of one connection's commands: posts go on beside each other, everything else waits its turn.

use delivery::{ConnId, Delivery, Frame};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Bytes of replies handed over after which a command waits until all were taken: who does not read costs these, and the
/// one reply that passes them.
const OWED: usize = 64 * 1024;

/// Ends with the reply, where there is one to hand over.
pub(super) type Work = Pin<Box<dyn Future<Output = Option<Frame>> + Send>>;
type Held = Pin<Box<dyn Future<Output = Work> + Send>>;
type Start = Box<dyn FnOnce() -> Started + Send>;

/// What comes of starting work.
pub(super) enum Started {
    /// It is under way.
    Now(Work),
    /// It has to wait before it is, and so has whatever is behind it.
    Held(Held),
}

/// When a command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// As soon as all before it that have a turn of their own are done: beside the others.
    Beside,
    /// In a turn of its own: when all before it are done, and nothing behind it starts until it is.
    Own,
}

/// What a lane has for its connection.
enum Word {
    /// Replies that are ready together.
    Replies(Vec<Frame>),
    /// The question whether all has been taken, answered by [`Lane::taken`].
    Ask,
}

/// A queue of work for one connection. Work is finished, and so answered, in the order it came; nothing but the queue
/// is kept while there is none.
pub(super) struct Lane {
    runtime: Handle,
    inner: Mutex<Inner>,
    say: Box<dyn Fn(Word) + Send + Sync>,
    /// Bytes handed over of which nobody knows yet whether they were taken.
    owed: AtomicUsize,
    taken: Notify,
    closed: Notify,
}

#[derive(Default)]
struct Inner {
    /// All of it came before all that waits.
    started: VecDeque<Started>,
    waiting: VecDeque<(Turn, Start)>,
    /// Whether something is held or has a turn of its own: until that is over nothing else starts.
    turn: bool,
    running: bool,
    closed: bool,
}

enum Step {
    Started(Started),
    /// Its turn has come.
    Start(Start),
}

impl Lane {
    /// The lane of a connection, which has to pass [`on_taken`](delivery::Gateway::on_taken) on to it.
    pub(super) fn of(runtime: Handle, delivery: Delivery, conn: ConnId) -> Self {
        Self::new(runtime, move |word| match word {
            Word::Replies(frames) => delivery.reply(conn, frames),
            Word::Ask => delivery.ask_taken(conn),
        })
    }

    fn new(runtime: Handle, say: impl Fn(Word) + Send + Sync + 'static) -> Self {
        Self {
            runtime,
            inner: Mutex::default(),
            say: Box::new(say),
            owed: AtomicUsize::new(0),
            taken: Notify::new(),
            closed: Notify::new(),
        }
    }

    /// Adds work. Called by one thread, the shard's; `start` must not block.
    pub(super) fn push(self: &Arc<Self>, turn: Turn, start: impl FnOnce() -> Started + Send + 'static) {
        let mut inner = self.lock();
        if turn == Turn::Beside && !inner.turn && inner.waiting.is_empty() {
            drop(inner);
            // Started outside the lock: starting a post takes the writer's. Nobody else starts anything meanwhile.
            let started = start();
            inner = self.lock();
            inner.turn = started.is_held();
            inner.started.push_back(started);
        } else {
            inner.waiting.push_back((turn, Box::new(start)));
        }
        if !std::mem::replace(&mut inner.running, true) {
            drop(inner);
            self.runtime.spawn(Arc::clone(self).run());
        }
    }

    /// Something was told on another way than by a reply.
    pub(super) fn owes(&self, bytes: usize) {
        self.owed.fetch_add(bytes, Ordering::AcqRel);
    }

    /// The connection has taken all that it was told.
    pub(super) fn taken(&self) {
        self.taken.notify_one();
    }

    /// The connection is over: what has started is finished, for its commit is its own; what waits or is held is let go,
    /// with whatever it holds of the connection and of a room's queue.
    pub(super) fn close(&self) {
        let waiting = {
            let mut inner = self.lock();
            inner.closed = true;
            std::mem::take(&mut inner.waiting)
        };
        self.closed.notify_waiters();
        drop(waiting);
    }

    async fn run(self: Arc<Self>) {
        let mut ready = Vec::new();
        loop {
            while let Some(step) = self.next() {
                match step {
                    Step::Started(Started::Now(work)) => self.finish(work, &mut ready).await,
                    Step::Started(Started::Held(held)) => {
                        if let Some(work) = self.begin(held, &mut ready).await {
                            self.turn_over();
                            self.finish(work, &mut ready).await;
                        }
                    }
                    Step::Start(start) => self.take_turn(start, &mut ready).await,
                }
            }
            self.hand_over(&mut ready);
            if self.is_done() {
                return;
            }
        }
    }

    async fn take_turn(&self, start: Start, ready: &mut Vec<Frame>) {
        // Before it starts: what is held meanwhile would keep a room waiting for a reader who does not read.
        if self.owed.load(Ordering::Acquire) + bytes(ready) > OWED && !self.until_taken(ready).await {
            return;
        }
        let work = match start() {
            Started::Now(work) => Some(work),
            Started::Held(held) => self.begin(held, ready).await,
        };
        if let Some(work) = work {
            self.finish(work, ready).await;
            self.turn_over();
        }
    }

    /// Waits until all that was handed over has been taken; false once the connection is over.
    async fn until_taken(&self, ready: &mut Vec<Frame>) -> bool {
        let mut closed = pin!(self.closed.notified());
        closed.as_mut().enable();
        if self.lock().closed {
            return false;
        }
        self.hand_over(ready);
        self.owed.store(0, Ordering::Release);
        (self.say)(Word::Ask);
        tokio::select! {
            biased;
            () = closed => false,
            () = self.taken.notified() => true,
        }
    }

    /// Waits until work that is held may begin; nothing begins once the connection is over.
    async fn begin(&self, held: Held, ready: &mut Vec<Frame>) -> Option<Work> {
        let mut closed = pin!(self.closed.notified());
        closed.as_mut().enable();
        if self.lock().closed {
            return None;
        }
        let begun = pin!(async {
            tokio::select! {
                biased;
                () = closed => None,
                work = held => Some(work),
            }
        });
        self.wait(begun, ready).await
    }

    async fn finish(&self, work: Work, ready: &mut Vec<Frame>) {
        let reply = self.wait(work, ready).await;
        ready.extend(reply);
    }

    /// Waits for something; what is ready leaves before that.
    async fn wait<T>(&self, mut awaited: impl Future<Output = T> + Unpin, ready: &mut Vec<Frame>) -> T {
        let at_once = poll_fn(|context| Poll::Ready(Pin::new(&mut awaited).poll(context))).await;
        match at_once {
            Poll::Ready(came) => came,
            Poll::Pending => {
                self.hand_over(ready);
                awaited.await
            }
        }
    }

    fn hand_over(&self, ready: &mut Vec<Frame>) {
        if !ready.is_empty() {
            self.owes(bytes(ready));
            (self.say)(Word::Replies(std::mem::take(ready)));
        }
    }

    fn next(&self) -> Option<Step> {
        let mut inner = self.lock();
        if let Some(started) = inner.started.pop_front() {
            return Some(Step::Started(started));
        }
        let (_, start) = inner.waiting.pop_front()?;
        inner.turn = true;
        Some(Step::Start(start))
    }

    /// Whether nothing came meanwhile: what comes from here on starts the lane again.
    fn is_done(&self) -> bool {
        let mut inner = self.lock();
        inner.running = !inner.started.is_empty() || !inner.waiting.is_empty();
        !inner.running
    }

    /// Starts what waited for this turn alone. Should one of those be held, the turn is now its own.
    fn turn_over(&self) {
        while let Some(start) = self.next_beside() {
            let started = start();
            let held = started.is_held();
            self.lock().started.push_back(started);
            if held {
                return;
            }
        }
    }

    /// What may start beside what has started; without any, the turn is over.
    fn next_beside(&self) -> Option<Start> {
        let mut inner = self.lock();
        let next = inner.waiting.pop_front_if(|(turn, _)| *turn == Turn::Beside);
        inner.turn = next.is_some();
        next.map(|(_, start)| start)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(frames: &[Frame]) -> usize {
    frames.iter().map(Frame::len).sum()
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
            lane.push(Turn::Beside, move || {
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
        lane.push(Turn::Own, move || {
            Started::now(async move {
                let _ = opened.await;
                let _ = started.send("turn done");
                None
            })
        });
        for _ in 0..2 {
            let note = note.clone();
            lane.push(Turn::Beside, move || {
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
            lane.push(Turn::Beside, move || {
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

    #[tokio::test]
    async fn when_the_connection_is_over_what_has_started_is_finished_and_the_rest_is_let_go() {
        let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
        let (note, mut noted) = mpsc::unbounded_channel();
        let (gate, opened) = oneshot::channel::<()>();
        let started = note.clone();
        lane.push(Turn::Beside, move || {
            Started::now(async move {
                let _ = opened.await;
                let _ = started.send("started");
                None
            })
        });
        let (mut admit, admitted) = oneshot::channel::<()>();
        let held = note.clone();
        lane.push(Turn::Beside, move || {
            Started::held(admitted, move |_| {
                let _ = held.send("held");
                Box::pin(async { None })
            })
        });
        for turn in [Turn::Own, Turn::Beside] {
            let waiting = note.clone();
            lane.push(turn, move || {
                let _ = waiting.send("waiting");
                Started::now(async { None })
            });
        }
        drop(note);

        lane.close();
        gate.send(()).unwrap();
        assert_eq!(noted.recv().await, Some("started"));
        assert_eq!(noted.recv().await, None, "what was never started holds nothing any more");
        admit.closed().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_starts_in_the_order_it_came_however_turns_end_meanwhile() {
        let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
        let (note, mut started) = mpsc::unbounded_channel();
        let pushing = std::thread::spawn(move || {
            for number in 0..20_000 {
                let note = note.clone();
                let turn = if number % 3 == 0 { Turn::Own } else { Turn::Beside };
                lane.push(turn, move || {
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
