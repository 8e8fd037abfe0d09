//! The order of one connection's commands: posts go on beside each other, and every other command waits for its turn.

#[cfg(test)]
mod turn_tests;
mod work;

pub(super) use work::{Started, Turn, Work};

use delivery::{ConnId, Delivery, Frame};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use work::{Held, Start};

/// After so many bytes of replies handed over, a command waits until the client has taken all of them. So a client that does
/// not read costs these bytes, and the one reply that exceeds them.
const OWED: usize = 64 * 1024;

/// What a lane has for its connection.
enum Word {
    /// Replies that are ready together.
    Replies(Vec<Frame>),
    /// The question whether all has been taken, answered by [`Lane::taken`].
    Ask,
}

/// A queue of work for one connection. Work is finished in the order it came, and answered in that order. A task runs only
/// while there is work.
pub(super) struct Lane {
    runtime: Handle,
    inner: Mutex<Inner>,
    say: Box<dyn Fn(Word) + Send + Sync>,
    /// Bytes that were handed over since the lane last asked whether all were taken.
    owed: AtomicUsize,
    taken: Notify,
    closed: Notify,
}

#[derive(Default)]
struct Inner {
    /// Work that has started, or is held. All of it came before all that is waiting.
    started: VecDeque<Started>,
    waiting: VecDeque<(Turn, Start)>,
    /// Whether some work is held or has a turn of its own. Until that is over, nothing else starts.
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
    /// The lane of a connection. The connection has to pass [`on_taken`](delivery::Gateway::on_taken) on to
    /// [`taken`](Self::taken).
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
            // Started outside the lock, since starting a post takes the lock of the writer. No other thread starts anything
            // meanwhile.
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

    /// Counts bytes that the connection is told by another way than a reply.
    pub(super) fn owes(&self, bytes: usize) {
        self.owed.fetch_add(bytes, Ordering::AcqRel);
    }

    /// The connection has taken all that it was told.
    pub(super) fn taken(&self) {
        self.taken.notify_one();
    }

    /// The connection is over. Work that has started is finished, since it may be committed by now. Work that waits or is
    /// held is dropped, and with it what it holds of the connection and its place in a room's queue.
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
        // The lane waits before the work starts: work that was admitted to a room would keep its place there, and so a client
        // that does not read would keep the room waiting.
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

    /// Waits until the client has taken all that was handed over. Answers false once the connection is over.
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

    /// Waits until work that is held may begin. Nothing begins once the connection is over.
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

    /// Waits for something. If it is not there at once, the replies that are ready leave first.
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

    /// Whether no work came meanwhile. Work that comes after this starts the task again.
    fn is_done(&self) -> bool {
        let mut inner = self.lock();
        inner.running = !inner.started.is_empty() || !inner.waiting.is_empty();
        !inner.running
    }

    /// The turn is over: starts the work that waited for nothing else. If some of it is held, the turn passes to that.
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

    /// Work that may start beside what has started. Without any, nobody has the turn.
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
