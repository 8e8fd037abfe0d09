//! The task behind a client. It has one connection after the other, and every request of the client goes through it.

use crate::address::Address;
use crate::client::{Failure, News, Options};
use crate::connection::{Closing, ConnectError, Connection, Received};
use crate::state::{Ended, Link, State};
use protocol::frame::{Posted, Reply, Resumed};
use protocol::{CloseCode, Command, Event, Message, Nonce, RoomId, ServerFrame};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// News that may wait for one subscriber before it is cut off.
const NEWS: usize = 65_536;

/// When to send a post again after a passing refusal that does not say for how long.
const RETRY: Duration = Duration::from_millis(500);

/// A request of a client to its task.
pub(crate) enum Ask {
    Command { command: Command, answer: Answer<Value> },
    Post { room: RoomId, text: String, nonce: Nonce, answer: Option<Answer<Posted>> },
    Disconnect,
    Reconnect,
    Close,
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, Failure>>;

/// Shared by a client and its task.
pub(crate) struct Shared {
    pub(crate) state: watch::Sender<State>,
    recorded: Option<Mutex<Vec<String>>>,
    /// None once the client has ended.
    subscribers: Mutex<Option<Vec<mpsc::Sender<News>>>>,
}

impl Shared {
    pub(crate) fn new(record: bool) -> Self {
        Self {
            state: watch::Sender::new(State::default()),
            recorded: record.then(Mutex::default),
            subscribers: Mutex::new(Some(Vec::new())),
        }
    }

    pub(crate) fn recorded(&self) -> Vec<String> {
        self.recorded.as_ref().map(|recorded| lock(recorded).clone()).unwrap_or_default()
    }

    pub(crate) fn subscribe(&self) -> mpsc::Receiver<News> {
        let (subscriber, news) = mpsc::channel(NEWS);
        if let Some(subscribers) = lock(&self.subscribers).as_mut() {
            subscribers.push(subscriber);
        }
        news
    }

    /// Takes in the hello of a fresh connection. Returns the commands that follow from it.
    pub(crate) fn hear_hello(&self, connection: &Connection) -> Vec<Command> {
        self.record(connection.hello_text());
        self.hear(&ServerFrame::Hello(connection.hello().clone()))
    }

    fn record(&self, text: &str) {
        if let Some(recorded) = &self.recorded {
            lock(recorded).push(text.to_owned());
        }
    }

    fn hear(&self, frame: &ServerFrame) -> Vec<Command> {
        let mut commands = Vec::new();
        let mut is_new = false;
        self.state.send_modify(|state| {
            let last_of = |state: &State, event: &Event| state.timelines.get(&event.room).map(|t| t.last());
            let before = if let ServerFrame::Event(event) = frame { last_of(state, event) } else { None };
            commands = state.hear(frame);
            if let ServerFrame::Event(event) = frame {
                is_new = before < last_of(state, event);
            }
        });
        if let ServerFrame::Reset(reset) = frame {
            self.tell(&News::Reset(reset.clone()));
        } else if let ServerFrame::Event(event) = frame
            && is_new
        {
            self.tell(&News::Event(event.clone()));
        }
        commands
    }

    /// A subscriber that is gone or does not keep up is let go.
    fn tell(&self, news: &News) {
        if let Some(subscribers) = lock(&self.subscribers).as_mut() {
            subscribers.retain(|subscriber| subscriber.try_send(news.clone()).is_ok());
        }
    }
}

/// A poisoned lock here guards a list that is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Owns the connection of a client.
pub(crate) struct Runner {
    address: Address,
    token: String,
    options: Options,
    shared: Arc<Shared>,
    asks: mpsc::Receiver<Ask>,
    /// Commands for the connection that is there or will be.
    queue: VecDeque<Outgoing>,
    posts: HashMap<Nonce, Vec<Answer<Posted>>>,
    held: bool,
}

struct Outgoing {
    command: Command,
    purpose: Purpose,
}

/// Why a command was sent, and who gets the answer.
enum Purpose {
    Asked(Answer<Value>),
    Post(Nonce),
    Resume(RoomId),
}

/// One connection while it lasts.
struct Live {
    connection: Connection,
    unanswered: HashMap<u64, Purpose>,
    limit: usize,
    silence: Duration,
    heard: Instant,
    retries: Vec<(Instant, Nonce)>,
    session_ended: bool,
}

/// Why a connection is no more.
enum End {
    Lost(Closing),
    Held,
    ByUs,
}

/// Why the wait of a live connection ended.
enum Woken {
    Received(Received),
    Asked(Option<Ask>),
    Time,
}

impl Runner {
    pub(crate) fn new(
        address: Address,
        token: String,
        options: Options,
        shared: Arc<Shared>,
        asks: mpsc::Receiver<Ask>,
    ) -> Self {
        let (queue, posts) = (VecDeque::new(), HashMap::new());
        Self { address, token, options, shared, asks, queue, posts, held: false }
    }

    /// Runs until the client ends, starting with a connection whose hello was heard.
    pub(crate) async fn run(mut self, first: Connection) {
        let mut connection = first;
        let ended = loop {
            let (end, session_ended) = self.live(connection).await;
            if let Some(ended) = self.is_final(&end, session_ended) {
                break ended;
            }
            self.shared.state.send_modify(State::lost);
            let closing = if let End::Lost(closing) = end { closing } else { Closing::CUT };
            connection = match self.come_back(closing).await {
                Ok(connection) => connection,
                Err(ended) => break ended,
            };
            self.greet(&connection);
        };
        self.shared.state.send_modify(|state| {
            state.lost();
            state.link = Link::Ended(ended);
        });
        *lock(&self.shared.subscribers) = None;
    }

    /// Fills the queue for a connection that has just said hello. The queue of the connection before does not count:
    /// the state knows what to resume, and the outbox what to post, in order. Commands that were never sent stay.
    fn greet(&mut self, connection: &Connection) {
        self.queue.retain(|outgoing| matches!(outgoing.purpose, Purpose::Asked(_)));
        for command in self.shared.hear_hello(connection) {
            self.push_resume(command);
        }
        let unsent: Vec<Nonce> =
            self.shared.state.borrow().outbox.unsent().map(|draft| draft.nonce.clone()).collect();
        unsent.iter().for_each(|nonce| self.push_post(nonce));
    }

    fn is_final(&self, end: &End, session_ended: bool) -> Option<Ended> {
        match end {
            End::ByUs => Some(Ended::ByUs),
            End::Held => None,
            // The close frame is best effort; the frame before it said the same.
            End::Lost(_) if session_ended => Some(Ended::StayAway(CloseCode::SessionEnded.number())),
            End::Lost(Closing { code: Some(code), .. }) if !CloseCode::comes_back(*code) => {
                Some(Ended::StayAway(*code))
            }
            End::Lost(closing) if !self.options.reconnect => Some(Ended::Closed(closing.code)),
            End::Lost(_) => None,
        }
    }

    /// Waits and tries until there is a connection. `closing` is how the last one ended.
    async fn come_back(&mut self, mut closing: Closing) -> Result<Connection, Ended> {
        loop {
            let delay = closing.wait(self.options.backoff.next(fastrand::f64()));
            self.idle(delay).await?;
            closing = match Connection::open(&self.address, Some(&self.token)).await {
                Ok(connection) => {
                    self.options.backoff.reset();
                    return Ok(connection);
                }
                Err(ConnectError::Refused { status: status @ (401 | 403), .. }) => {
                    return Err(Ended::StayAway(status));
                }
                Err(ConnectError::Closed(Closing { code: Some(code), .. }))
                    if !CloseCode::comes_back(code) =>
                {
                    return Err(Ended::StayAway(code));
                }
                Err(ConnectError::Closed(closing)) => closing,
                Err(ConnectError::Refused { error, .. }) => {
                    let wait = error.and_then(|error| error.retry_after_ms);
                    Closing { retry_after: wait.map(Duration::from_millis), ..Closing::CUT }
                }
                Err(ConnectError::Unreachable(_) | ConnectError::Handshake(_) | ConnectError::Silent) => {
                    Closing::CUT
                }
            };
        }
    }

    /// Takes asks for as long as `delay` lasts, or until told to reconnect.
    async fn idle(&mut self, delay: Duration) -> Result<(), Ended> {
        let until = Instant::now() + delay;
        loop {
            let ask = tokio::select! {
                ask = self.asks.recv() => ask,
                () = tokio::time::sleep_until(until), if !self.held => return Ok(()),
            };
            match ask {
                None | Some(Ask::Close) => return Err(Ended::ByUs),
                Some(Ask::Reconnect) => {
                    self.held = false;
                    return Ok(());
                }
                Some(Ask::Disconnect) => self.held = true,
                Some(ask @ (Ask::Command { .. } | Ask::Post { .. })) => self.take(ask),
            }
        }
    }

    /// Puts an ask into the queue, and a post into the outbox.
    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Command { command, answer } => {
                self.queue.push_back(Outgoing { command, purpose: Purpose::Asked(answer) });
            }
            Ask::Post { room, text, nonce, answer } => {
                self.shared.state.send_modify(|state| state.outbox.add(room, &text, &nonce));
                if let Some(answer) = answer {
                    self.posts.entry(nonce.clone()).or_default().push(answer);
                }
                self.push_post(&nonce);
            }
            Ask::Disconnect | Ask::Reconnect | Ask::Close => {}
        }
    }

    fn push_post(&mut self, nonce: &Nonce) {
        let draft = self.shared.state.borrow().outbox.get(nonce).cloned();
        if let Some(draft) = draft {
            let command = Command::PostMessage {
                room: draft.room,
                body: draft.text.as_str().into(),
                nonce: draft.nonce,
            };
            self.queue.push_back(Outgoing { command, purpose: Purpose::Post(nonce.clone()) });
        }
    }

    fn push_resume(&mut self, command: Command) {
        if let Command::Resume { room, .. } = command {
            self.queue.push_front(Outgoing { command, purpose: Purpose::Resume(room) });
        }
    }

    async fn live(&mut self, connection: Connection) -> (End, bool) {
        let mut live = Live::new(connection);
        let end = self.serve(&mut live).await;
        for (_, purpose) in live.unanswered.drain() {
            if let Purpose::Asked(answer) = purpose {
                // The caller may have stopped waiting.
                let _ = answer.send(Err(Failure::Lost));
            }
        }
        if matches!(end, End::Held) {
            live.connection.sever();
        }
        (end, live.session_ended)
    }

    async fn serve(&mut self, live: &mut Live) -> End {
        let lost = End::Lost(Closing::CUT);
        loop {
            if !self.send_queued(live).await {
                return lost;
            }
            let wake_at = live.wake_at();
            let woken = tokio::select! {
                received = live.connection.next() => Woken::Received(received),
                ask = self.asks.recv() => Woken::Asked(ask),
                () = tokio::time::sleep_until(wake_at) => Woken::Time,
            };
            match woken {
                Woken::Received(Received::Closed(closing)) => return End::Lost(closing),
                Woken::Received(received) => {
                    live.heard = Instant::now();
                    self.receive(live, received);
                }
                Woken::Asked(None | Some(Ask::Close)) => return End::ByUs,
                Woken::Asked(Some(Ask::Disconnect)) => {
                    self.held = true;
                    return End::Held;
                }
                Woken::Asked(Some(Ask::Reconnect)) => {}
                Woken::Asked(Some(ask @ (Ask::Command { .. } | Ask::Post { .. }))) => self.take(ask),
                Woken::Time if live.heard.elapsed() >= live.silence => return lost,
                Woken::Time => live.due().iter().for_each(|nonce| self.push_post(nonce)),
            }
        }
    }

    /// Sends as many commands as may be under way at once; false when the connection is gone.
    async fn send_queued(&mut self, live: &mut Live) -> bool {
        while live.unanswered.len() < live.limit
            && let Some(Outgoing { command, purpose }) = self.queue.pop_front()
        {
            match &purpose {
                Purpose::Asked(answer) if answer.is_closed() => continue,
                Purpose::Post(nonce) if self.shared.state.borrow().outbox.get(nonce).is_none() => continue,
                Purpose::Post(nonce) => self.shared.state.send_modify(|state| state.outbox.sent(nonce)),
                Purpose::Asked(_) | Purpose::Resume(_) => {}
            }
            let Some(id) = live.connection.send(command).await else {
                if let Purpose::Asked(answer) = purpose {
                    // The caller may have stopped waiting.
                    let _ = answer.send(Err(Failure::Lost));
                }
                return false;
            };
            live.unanswered.insert(id, purpose);
        }
        true
    }

    fn receive(&mut self, live: &mut Live, received: Received) {
        let Received::Frame { text, frame } = received else { return };
        self.shared.record(&text);
        for command in self.shared.hear(&frame) {
            self.push_resume(command);
        }
        match *frame {
            ServerFrame::Reply(reply) => self.reply(live, reply),
            ServerFrame::Event(event) => {
                if let Some(message) = event.message() {
                    self.settle(&[message]);
                }
            }
            ServerFrame::Reset(reset) => self.settle(&reset.messages),
            ServerFrame::SessionEnded(_) => live.session_ended = true,
            ServerFrame::Hello(_)
            | ServerFrame::Beat(_)
            | ServerFrame::Presence(_)
            | ServerFrame::Lagged(_)
            | ServerFrame::RoomJoined(_)
            | ServerFrame::RoomLeft(_)
            | ServerFrame::ReadMarked(_)
            | ServerFrame::Unknown(_) => {}
        }
    }

    /// A message of the user that is seen in the room is durable, with or without a reply.
    fn settle(&mut self, messages: &[Message]) {
        if self.posts.is_empty() {
            return;
        }
        let me = self.shared.state.borrow().me.as_ref().map(|me| me.id);
        for Message { seq, n, at, nonce, .. } in messages.iter().filter(|message| Some(message.by.id) == me) {
            self.answer_post(nonce, &Ok(Posted { seq: *seq, n: *n, at: *at, nonce: nonce.clone() }));
        }
    }

    fn answer_post(&mut self, nonce: &Nonce, result: &Result<Posted, Failure>) {
        for answer in self.posts.remove(nonce).unwrap_or_default() {
            // The caller may have stopped waiting.
            let _ = answer.send(result.clone());
        }
    }

    fn reply(&mut self, live: &mut Live, reply: Reply) {
        let Some(purpose) = reply.id.and_then(|id| live.unanswered.remove(&id)) else { return };
        let result = match (reply.ok, reply.error) {
            (_, Some(error)) => Err(Failure::Refused(error)),
            (Some(ok), None) => Ok(ok),
            (None, None) => Err(Failure::Unreadable("a reply with neither `ok` nor `error`".into())),
        };
        match purpose {
            Purpose::Asked(answer) => {
                // The caller may have stopped waiting.
                let _ = answer.send(result);
            }
            Purpose::Resume(room) => {
                let resumed: Option<Resumed> = result.ok().and_then(|ok| serde_json::from_value(ok).ok());
                self.shared
                    .state
                    .send_modify(|state| state.resumed(room, resumed.map(|resumed| resumed.head)));
            }
            Purpose::Post(nonce) => self.post_replied(live, &nonce, result),
        }
    }

    fn post_replied(&mut self, live: &mut Live, nonce: &Nonce, result: Result<Value, Failure>) {
        let posted = result.and_then(|ok| {
            serde_json::from_value::<Posted>(ok).map_err(|error| Failure::Unreadable(error.to_string()))
        });
        match &posted {
            Ok(posted) => self.shared.state.send_modify(|state| state.posted(posted)),
            Err(Failure::Refused(error)) => {
                let mut again = false;
                self.shared.state.send_modify(|state| again = state.outbox.refused(nonce, error));
                if again {
                    let wait = error.retry_after_ms.map_or(RETRY, Duration::from_millis);
                    live.retries.push((Instant::now() + wait, nonce.clone()));
                    return;
                }
            }
            // The draft is unsure now, and the next connection asks again.
            Err(Failure::Lost | Failure::Late | Failure::Ended | Failure::Unreadable(_)) => return,
        }
        self.answer_post(nonce, &posted);
    }
}

impl Live {
    fn new(connection: Connection) -> Self {
        let hello = connection.hello();
        Self {
            limit: usize::try_from(hello.limits.unanswered).unwrap_or(usize::MAX).max(1),
            silence: Duration::from_millis(hello.heartbeat_ms.max(1).saturating_mul(2)),
            connection,
            unanswered: HashMap::new(),
            heard: Instant::now(),
            retries: Vec::new(),
            session_ended: false,
        }
    }

    /// When the task has something to do without a request.
    fn wake_at(&self) -> Instant {
        let retry = self.retries.iter().map(|(at, _)| *at).min();
        let silent = self.heard + self.silence;
        retry.map_or(silent, |retry| retry.min(silent))
    }

    /// The posts whose time has come to be sent again.
    fn due(&mut self) -> Vec<Nonce> {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.retries).into_iter().partition(|(at, _)| *at <= now);
        self.retries = later;
        let due: Vec<(Instant, Nonce)> = due;
        due.into_iter().map(|(_, nonce)| nonce).collect()
    }
}
