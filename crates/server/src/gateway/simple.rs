//! The simple protocol: join, chat, leave.

use super::lane::{Lane, Pace};
use crate::app::App;
use crate::live::{Entered, Entering, plain};
use chat::{Caller, Name, RoomRef, Visitor};
use delivery::{Closed, ConnId, Frame, Gateway, Key};
use protocol::simple::{SimpleCommand, SimpleFrame};
use protocol::{CloseCode, Nonce};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Messages in a `welcome`.
const HISTORY: u32 = 50;
/// How often the history is read again when more was said meanwhile, before the visitor is asked to try again.
const TRIES: usize = 50;

/// One simple connection.
pub(super) struct Connection {
    app: Arc<App>,
    conn: ConnId,
    lane: Arc<Lane>,
    /// Who came with a token is that user, whatever name they give.
    caller: Option<Caller>,
    place: Mutex<Place>,
}

/// Where a connection is, and as whom.
#[derive(Clone, Default)]
struct Place {
    room: Option<RoomRef>,
    visitor: Option<Visitor>,
}

impl Connection {
    pub(super) fn new(app: Arc<App>, conn: ConnId, caller: Option<Caller>) -> Arc<Self> {
        let lane = Arc::new(Lane::new(tokio::runtime::Handle::current()));
        Arc::new(Self { app, conn, lane, caller, place: Mutex::default() })
    }

    /// Joins before anything the client says, once the connection is attached: before that nothing reaches it.
    pub(super) fn join_first(self: &Arc<Self>, room: String, username: String, attached: oneshot::Receiver<()>) {
        let connection = Arc::clone(self);
        self.lane.push(Pace::InTurn, move || {
            Box::pin(async move {
                if attached.await.is_err() {
                    return;
                }
                if let Err(message) = connection.join(&room, &username).await {
                    connection.say(&SimpleFrame::Error { message });
                }
            })
        });
    }

    async fn join(&self, room: &str, username: &str) -> Result<(), String> {
        let visitor = self.visitor(username).map_err(|error| error.to_string())?;
        let name = match &visitor {
            Visitor::Passing(name) => name.clone(),
            Visitor::Known(caller) => Name::new("username", &caller.user().name).map_err(|error| error.to_string())?,
        };
        let reserved = self.app.chat.is_reserved(&name, &visitor).await.map_err(|error| refusal(&error))?;
        if reserved {
            return Err(taken(&name));
        }
        for _ in 0..TRIES {
            match self.try_join(room, &visitor, &name).await? {
                Entered::In => return Ok(()),
                Entered::NameTaken => return Err(taken(&name)),
                Entered::Stale => tokio::task::yield_now().await,
            }
        }
        Err("this room is too busy to enter right now, try again".to_owned())
    }

    async fn try_join(&self, room: &str, visitor: &Visitor, name: &Name) -> Result<Entered, String> {
        let chat = &self.app.chat;
        let may_open = self.app.settings.guests_open_rooms;
        let room = chat.room_named(visitor, room, may_open).await.map_err(|error| refusal(&error))?;
        let history = match chat.history(visitor, room.key, HISTORY).await {
            Ok(history) => history,
            // It was provisional and has just been removed: the next try opens it again.
            Err(chat::Error::NotFound(_)) => return Ok(Entered::Stale),
            Err(error) => return Err(refusal(&error)),
        };
        let entering = Entering {
            conn: self.conn,
            room: room.clone(),
            visitor: visitor.clone(),
            name: name.clone(),
            history,
        };
        let entered = self.app.live.enter(entering).await.ok_or("the server is stopping")?;
        if entered == Entered::In {
            *self.place() = Place { room: Some(room), visitor: Some(visitor.clone()) };
        }
        Ok(entered)
    }

    /// Who speaks under this name: the token's user, the guest they became by chatting, or somebody passing.
    fn visitor(&self, username: &str) -> chat::Result<Visitor> {
        if let Some(caller) = &self.caller {
            return Ok(Visitor::Known(caller.clone()));
        }
        let name = Name::new("username", username)?;
        let before = self.place().visitor.clone();
        Ok(match before {
            Some(Visitor::Known(caller)) if caller.user().name == name.shown() => Visitor::Known(caller),
            Some(_) | None => Visitor::Passing(name),
        })
    }

    async fn leave(&self) {
        let was_in = self.place().room.take();
        if was_in.is_some() {
            self.app.live.leave(self.conn).await;
        }
    }

    /// The pace of a chat: the first one makes the user, so those behind it wait for it.
    fn pace(&self) -> Pace {
        match self.place().visitor {
            Some(Visitor::Known(_)) => Pace::Beside,
            Some(Visitor::Passing(_)) | None => Pace::InTurn,
        }
    }

    fn chat(self: &Arc<Self>, text: &str) -> impl Future<Output = ()> + Send + use<> {
        let Place { room, visitor } = self.place().clone();
        let posting = match (room, visitor) {
            (Some(room), Some(visitor)) => {
                let known = visitor.caller().is_some();
                Ok((known, self.app.chat.chat(&visitor, room.id, text, nonce())))
            }
            _ => Err("join a room before chatting".to_owned()),
        };
        let connection = Arc::clone(self);
        async move {
            let refused = match posting {
                Err(message) => Some(message),
                Ok((known, posting)) => match posting.await {
                    Ok((caller, _)) => {
                        if !known {
                            connection.became_known(caller);
                        }
                        None
                    }
                    Err(error) => Some(refusal(&error)),
                },
            };
            if let Some(message) = refused {
                connection.say(&SimpleFrame::Error { message });
            }
        }
    }

    fn became_known(&self, caller: Caller) {
        self.app.live.known(self.conn, caller.clone());
        self.place().visitor = Some(Visitor::Known(caller));
    }

    fn say(&self, frame: &SimpleFrame) {
        self.app.delivery.unicast(self.conn, plain(frame));
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(self: &Arc<Self>, message: String) {
        let connection = Arc::clone(self);
        self.lane.push(Pace::Beside, move || {
            Box::pin(async move {
                connection.say(&SimpleFrame::Error { message });
                connection.app.delivery.answered(connection.conn);
            })
        });
    }
}

/// A [`Connection`] as delivery holds it.
pub(super) struct Simple(pub(super) Arc<Connection>);

impl Gateway for Simple {
    fn on_text(&self, conn: ConnId, text: &str) {
        let connection = Arc::clone(&self.0);
        let answered = move |connection: &Connection| connection.app.delivery.answered(conn);
        match serde_json::from_str(text) {
            Ok(SimpleCommand::Join { room, username }) => self.0.lane.push(Pace::InTurn, move || {
                Box::pin(async move {
                    if let Err(message) = connection.join(&room, &username).await {
                        connection.say(&SimpleFrame::Error { message });
                    }
                    answered(&connection);
                })
            }),
            Ok(SimpleCommand::Chat { text }) => self.0.lane.push(self.0.pace(), move || {
                let chatting = connection.chat(&text);
                Box::pin(async move {
                    chatting.await;
                    answered(&connection);
                })
            }),
            Ok(SimpleCommand::Leave {}) => self.0.lane.push(Pace::InTurn, move || {
                Box::pin(async move {
                    connection.leave().await;
                    answered(&connection);
                })
            }),
            Err(wrong) => self.0.refuse(format!("invalid message: {wrong}")),
        }
    }

    fn on_binary(&self, _: ConnId, _: &[u8]) {
        self.0.refuse("invalid message: binary frames are not understood, send JSON as text".to_owned());
    }

    fn on_too_old(&self, conn: ConnId, _: Key, _: u64) {
        self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
    }

    fn on_lagged(&self, conn: ConnId, _: Key, _: u64) {
        self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
    }

    fn on_drained(&self, _: ConnId) {}

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }

    fn on_closed(&self, conn: ConnId, closed: Closed) {
        tracing::debug!(?closed, "a simple connection ended");
        self.0.app.live.closed(conn);
    }
}

/// A connection that is told why it is refused, and closed: nothing it says is heard.
pub(super) struct Refused;

impl Gateway for Refused {
    fn on_text(&self, _: ConnId, _: &str) {}

    fn on_binary(&self, _: ConnId, _: &[u8]) {}

    fn on_too_old(&self, _: ConnId, _: Key, _: u64) {}

    fn on_lagged(&self, _: ConnId, _: Key, _: u64) {}

    fn on_drained(&self, _: ConnId) {}

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }

    fn on_closed(&self, _: ConnId, _: Closed) {}
}

fn taken(name: &Name) -> String {
    chat::Error::NameTaken(name.shown().to_owned()).to_string()
}

fn refusal(error: &chat::Error) -> String {
    let refusal = error.wire();
    if refusal.code == protocol::ErrorCode::Internal {
        tracing::error!(%error, "a chat failed");
    }
    refusal.message
}

/// The simple protocol names no message: each is one.
fn nonce() -> Nonce {
    let text = uuid::Uuid::now_v7().simple().to_string();
    // proof: 32 hexadecimal digits are visible ASCII.
    Nonce::new(text).expect("hexadecimal digits")
}
