//! A client that stays connected.

use crate::address::Address;
use crate::backoff::Backoff;
use crate::connection::{ConnectError, Connection};
use crate::run::{Ask, Runner, Shared};
use crate::state::{Link, State};
use crate::timeline::Timeline;
use protocol::frame::{Posted, Reset};
use protocol::{Command, Error, Event, Message, Nonce, RoomId, User};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// Asks that may wait for the connection's task.
const ASKS: usize = 64;

/// One user on one device. The client stays connected as long as it lives, and resumes every room where it stopped.
///
/// Clones are the same client. It disconnects when the last of them is dropped.
#[derive(Clone)]
pub struct Client {
    me: User,
    patience: Duration,
    asks: mpsc::Sender<Ask>,
    pub(crate) shared: Arc<Shared>,
}

/// How a client behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether to come back after a lost connection.
    pub reconnect: bool,
    /// How long to wait before coming back.
    pub backoff: Backoff,
    /// How long answers and [`Client::wait_until`] may take.
    pub patience: Duration,
    /// Whether to keep every text received, for [`Client::recorded`]. It grows without bound: for tests.
    pub record: bool,
}

impl Default for Options {
    /// Comes back, with waits up to 0.5 s that double up to 30 s; patience of 10 s; records nothing.
    fn default() -> Self {
        Self {
            reconnect: true,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            patience: Duration::from_secs(10),
            record: false,
        }
    }
}

/// Why a command brought no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The server refused it.
    #[error("refused with {code:?}: {0}", code = .0.code)]
    Refused(Error),
    /// The connection broke before the answer: the command may have been done.
    #[error("the connection broke before the answer")]
    Lost,
    /// No answer within [`Options::patience`]: the command may have been done.
    #[error("no answer in time")]
    Late,
    /// The client has ended for good and sent nothing.
    #[error("the client has ended")]
    Ended,
    /// The answer is none that belongs to the command.
    #[error("cannot read the answer: {0}")]
    Unreadable(String),
}

/// The client waited for something, and it did not come.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{who} waited in vain for {what}; {saw}")]
pub struct Late {
    who: String,
    what: String,
    saw: String,
}

/// Something that happened in a room of the user.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The next event of a room, each once and in order.
    Event(Event),
    /// Too much was missed: the events up to `as_of` are not told one by one.
    Reset(Reset),
}

/// Everything that happens from now on in the user's rooms.
pub struct Events {
    news: mpsc::Receiver<News>,
}

impl Events {
    /// The next thing that happens. None when the client has ended, or when more than 65,536 things waited here.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// The next message that is posted, with its room. Other events and resets are passed over.
    pub async fn next_message(&mut self) -> Option<(RoomId, Message)> {
        loop {
            match self.next().await? {
                News::Event(event) => {
                    if let Some(message) = event.message() {
                        return Some((event.room, message));
                    }
                }
                News::Reset(_) => {}
            }
        }
    }
}

impl Client {
    /// Connects to `address` as the owner of a bearer token and waits for the hello.
    ///
    /// # Errors
    /// [`ConnectError`] when the first attempt fails; only later ones are repeated.
    pub async fn connect(
        address: impl Into<Address>,
        token: impl Into<String>,
    ) -> Result<Self, ConnectError> {
        Self::connect_with(address, token, Options::default()).await
    }

    /// As [`Client::connect`], with options.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn connect_with(
        address: impl Into<Address>,
        token: impl Into<String>,
        options: Options,
    ) -> Result<Self, ConnectError> {
        let (address, token) = (address.into(), token.into());
        let connection = Connection::open(&address, Some(&token)).await?;
        let (asks, incoming) = mpsc::channel(ASKS);
        let shared = Arc::new(Shared::new(options.record));
        let (me, patience) = (connection.hello().user.clone(), options.patience);
        // A state that knows nothing has nothing to resume.
        shared.hear_hello(&connection);
        let runner = Runner::new(address, token, options, Arc::clone(&shared), incoming);
        tokio::spawn(runner.run(connection));
        Ok(Self { me, patience, asks, shared })
    }

    /// The user of this client.
    pub const fn me(&self) -> &User {
        &self.me
    }

    /// A copy of the present state.
    pub fn state(&self) -> State {
        self.shared.state.borrow().clone()
    }

    /// Looks at the present state without copying it. `look` must be short, because the connection waits meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.state.borrow())
    }

    /// The id of the user's room of this name.
    pub fn room(&self, name: &str) -> Option<RoomId> {
        self.read(|state| state.room_named(name).map(|room| room.id))
    }

    /// The rows of a room's timeline, oldest first; empty for a room that the user is not in.
    pub fn messages(&self, room: RoomId) -> Vec<Message> {
        self.read(|state| {
            let timeline = state.timelines.get(&room);
            timeline.map(|timeline| timeline.messages().cloned().collect()).unwrap_or_default()
        })
    }

    /// Waits until the state fits; returns at once if it does. `what` ends the sentence "Ana waited in vain for …".
    ///
    /// # Errors
    /// [`Late`] after [`Options::patience`].
    pub async fn wait_until(&self, what: &str, mut fits: impl FnMut(&State) -> bool) -> Result<(), Late> {
        let mut state = self.shared.state.subscribe();
        let waited = tokio::time::timeout(self.patience, state.wait_for(|state| fits(state)));
        match waited.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(self.late(what)),
        }
    }

    /// Waits until a message with exactly this text is in a timeline.
    ///
    /// # Errors
    /// [`Late`] after [`Options::patience`].
    pub async fn hears(&self, text: &str) -> Result<Message, Late> {
        let mut heard = None;
        self.wait_until(&format!("{text:?}"), |state| {
            heard = state.message_saying(text).map(|(_, message)| message.clone());
            heard.is_some()
        })
        .await?;
        heard.ok_or_else(|| self.late(text))
    }

    /// Everything that happens from now on, each thing once and in order.
    pub fn events(&self) -> Events {
        Events { news: self.shared.subscribe() }
    }

    /// Every text received so far on every connection, in order. Empty without [`Options::record`].
    pub fn recorded(&self) -> Vec<String> {
        self.shared.recorded()
    }

    /// Ends the connection without a close frame and stays away until [`Client::reconnect`]; posts wait in the
    /// outbox.
    pub async fn disconnect(&self) {
        if self.asks.send(Ask::Disconnect).await.is_ok() {
            // A client that ended meanwhile is disconnected, too.
            let _ = self.wait_until("the disconnection", |state| state.link != Link::Open).await;
        }
    }

    /// Connects at once instead of after the wait, and waits for the hello. Does nothing when connected.
    ///
    /// # Errors
    /// [`Late`] after [`Options::patience`].
    pub async fn reconnect(&self) -> Result<(), Late> {
        // A client that has ended takes no asks; the wait below says so.
        let _ = self.asks.send(Ask::Reconnect).await;
        self.wait_until("the hello", |state| state.link == Link::Open).await
    }

    /// Says goodbye and ends, for all clones.
    pub async fn close(self) {
        if self.asks.send(Ask::Close).await.is_ok() {
            // When the client cannot say goodbye, there is nothing left to do.
            let _ = self.wait_until("the end", |state| matches!(state.link, Link::Ended(_))).await;
        }
    }

    /// Posts a message and waits until it is durable. After a lost connection or a passing refusal the client sends
    /// it again under the same nonce. It does so for as long as the client lives, even when this call is dropped or
    /// gives up.
    ///
    /// # Errors
    /// `Refused`, and the draft stays in [`State::outbox`] as failed; `Late`: it is still being tried.
    pub async fn post(&self, room: RoomId, text: &str) -> Result<Posted, Failure> {
        self.post_as(room, text, &new_nonce()).await
    }

    /// As [`Client::post`], under a nonce of the caller's.
    ///
    /// # Errors
    /// As [`Client::post`].
    pub async fn post_as(&self, room: RoomId, text: &str, nonce: &Nonce) -> Result<Posted, Failure> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask::Post { room, text: text.to_owned(), nonce: nonce.clone(), answer: Some(answer) };
        self.ask(ask, answered).await
    }

    /// Puts a message into the outbox and returns its nonce without waiting for the answer.
    ///
    /// # Errors
    /// `Ended`.
    pub async fn enqueue(&self, room: RoomId, text: &str) -> Result<Nonce, Failure> {
        let nonce = new_nonce();
        let ask = Ask::Post { room, text: text.to_owned(), nonce: nonce.clone(), answer: None };
        self.asks.send(ask).await.map_err(|_| Failure::Ended)?;
        Ok(nonce)
    }

    /// Gives a draft up and returns its text; none when it is posted already or unknown.
    pub fn discard(&self, nonce: &Nonce) -> Option<String> {
        let mut draft = None;
        self.shared.state.send_modify(|state| draft = state.outbox.take(nonce));
        draft.map(|draft| draft.text)
    }

    /// Asks anything and returns the reply's body.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn command(&self, command: Command) -> Result<Value, Failure> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Command { command, answer }, answered).await
    }

    async fn ask<T>(&self, ask: Ask, answered: oneshot::Receiver<Result<T, Failure>>) -> Result<T, Failure> {
        let asked = tokio::time::timeout(self.patience, async {
            self.asks.send(ask).await.map_err(|_| Failure::Ended)?;
            answered.await.unwrap_or(Err(Failure::Ended))
        });
        asked.await.unwrap_or(Err(Failure::Late))
    }

    pub(crate) async fn command_for<T: DeserializeOwned>(&self, command: Command) -> Result<T, Failure> {
        let body = self.command(command).await?;
        serde_json::from_value(body).map_err(|error| Failure::Unreadable(error.to_string()))
    }

    fn late(&self, what: &str) -> Late {
        let saw = self.read(|state| {
            let rooms = state.rooms.values().map(|room| {
                let timeline = state.timelines.get(&room.id);
                let texts: Vec<&str> = timeline
                    .map(|timeline| {
                        timeline.messages().rev().take(5).map(|message| message.body.text.as_str()).collect()
                    })
                    .unwrap_or_default();
                let last = timeline.map_or(0, Timeline::last);
                format!("{} at {last} of {}, newest first {texts:?}", room.name, room.head)
            });
            let rooms: Vec<String> = rooms.collect();
            format!("{:?}, {} unsent, rooms: {}", state.link, state.outbox.pending().len(), rooms.join("; "))
        });
        Late { who: self.me.name.clone(), what: what.to_owned(), saw }
    }
}

pub(crate) fn new_nonce() -> Nonce {
    // A hyphenated UUID is 36 visible ASCII characters, which is a nonce.
    match Nonce::new(Uuid::now_v7().to_string()) {
        Ok(nonce) => nonce,
        Err(_) => unreachable!("a UUID is a nonce"),
    }
}
