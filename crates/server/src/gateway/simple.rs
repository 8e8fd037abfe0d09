//! The simple protocol: join, chat, leave.

use super::admission::Admission;
use super::lane::{Lane, Started, Turn, Work};
use crate::app::App;
use crate::complaint::complaint;
use crate::live::{Entered, Entering, plain};
use crate::pacing::{Verdict, keeping};
use chat::{Caller, Chat, Name, RoomRef, Visitor};
use delivery::{Closed, ConnId, Frame, Gateway, Key, Shortfall};
use protocol::simple::{SimpleCommand, SimpleFrame};
use protocol::{CloseCode, Nonce, RoomId, RoomKind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Messages in a `welcome`.
const HISTORY: u32 = 50;
/// How often the history is read again when more was said meanwhile, before the visitor is asked to try again.
const TRIES: usize = 50;
/// Between two tries: what is in the way is a commit or two.
const TRY_AGAIN: Duration = Duration::from_millis(5);
const JOIN_FIRST: &str = "join a room before chatting";
const STOPPING: &str = "the server is stopping";

/// A post on its way to the disk; answers with who its author is from now on.
type Posting = Pin<Box<dyn Future<Output = chat::Result<Caller>> + Send>>;

/// One simple connection.
pub(super) struct Connection {
    app: Arc<App>,
    conn: ConnId,
    _admission: Admission,
    lane: Arc<Lane>,
    /// Who came with a token is that user, whatever name they give.
    caller: Option<Caller>,
    whereabouts: Mutex<Whereabouts>,
    /// Joins and leaves that were asked for and are not done: until then nobody knows who speaks where.
    moves: AtomicUsize,
}

/// Where a connection is, and as whom.
#[derive(Clone, Default)]
struct Whereabouts {
    room: Option<RoomRef>,
    visitor: Option<Visitor>,
    /// Whether they are a member of the room, as far as is known here.
    member: bool,
}

impl Connection {
    pub(super) fn new(
        app: Arc<App>,
        conn: ConnId,
        admission: Admission,
        caller: Option<Caller>,
    ) -> Arc<Self> {
        let lane = Arc::new(Lane::of(app.runtime.clone(), app.delivery.clone(), conn));
        let (whereabouts, moves) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { app, conn, _admission: admission, lane, caller, whereabouts, moves })
    }

    /// Joins before anything the client says, once the connection is attached: before that nothing reaches it.
    pub(super) fn join_first(
        self: &Arc<Self>,
        room: String,
        username: String,
        attached: oneshot::Receiver<()>,
    ) {
        let connection = Arc::clone(self);
        self.lane.push(Turn::Own, move || {
            Started::now(async move {
                if attached.await.is_err() {
                    return None;
                }
                if let Err(message) = connection.join(&room, &username).await {
                    connection.say(&SimpleFrame::Error { message });
                    let code = CloseCode::NotAllowed.number();
                    connection.app.delivery.close(connection.conn, code, "not allowed");
                }
                None
            })
        });
    }

    async fn join(&self, room: &str, username: &str) -> Result<(), String> {
        let visitor = self.visitor(username).map_err(|error| error.to_string())?;
        let name = match &visitor {
            Visitor::Passing(name) => name.clone(),
            Visitor::Known(caller) => {
                Name::new("username", &caller.user().name).map_err(|error| error.to_string())?
            }
        };
        let reserved = self.app.chat.is_reserved(&name, &visitor).await.map_err(|error| refusal(&error))?;
        if reserved {
            return Err(taken(&name));
        }
        for _ in 0..TRIES {
            match self.try_join(room, &visitor, &name).await? {
                Entered::In => return Ok(()),
                Entered::NameTaken => return Err(taken(&name)),
                Entered::Stale => tokio::time::sleep(TRY_AGAIN).await,
            }
        }
        Err("this room is too busy to enter right now, try again".to_owned())
    }

    async fn try_join(&self, room: &str, visitor: &Visitor, name: &Name) -> Result<Entered, String> {
        let chat = &self.app.chat;
        let _arrival = self.app.live.arrive().await.ok_or(STOPPING)?;
        let may_open = self.app.settings.guests_open_rooms;
        let room = chat.room_named(visitor, room, may_open).await.map_err(|error| refusal(&error))?;
        let history = match chat.history(visitor, room.key, HISTORY).await {
            Ok(history) => history,
            // It was provisional and has just been removed: the next try opens it again.
            Err(chat::Error::NotFound(_)) => return Ok(Entered::Stale),
            Err(error) => return Err(refusal(&error)),
        };
        let member = history.member;
        self.lane.owes(history.messages.iter().map(|message| message.text.len()).sum());
        let entering = Entering {
            conn: self.conn,
            room: room.clone(),
            visitor: visitor.clone(),
            name: name.clone(),
            history,
        };
        let entered = self.app.live.enter(entering).await.ok_or(STOPPING)?;
        if entered == Entered::In {
            *self.whereabouts() = Whereabouts { room: Some(room), visitor: Some(visitor.clone()), member };
        }
        Ok(entered)
    }

    /// Who speaks under this name: the token's user, the guest they became by chatting, or somebody passing.
    fn visitor(&self, username: &str) -> chat::Result<Visitor> {
        if let Some(caller) = &self.caller {
            return Ok(Visitor::Known(caller.clone()));
        }
        let name = Name::new("username", username)?;
        let before = self.whereabouts().visitor.clone();
        Ok(match before {
            Some(Visitor::Known(caller)) if caller.user().name == name.shown() => Visitor::Known(caller),
            Some(_) | None => Visitor::Passing(name),
        })
    }

    async fn leave(&self) {
        let was_in = self.whereabouts().room.take();
        if was_in.is_some() {
            self.app.live.leave(self.conn).await;
        }
    }

    /// The turn of a chat: the first one in a room makes the user and the membership, so those behind it wait for it.
    fn turn(&self) -> Turn {
        let settled = self.moves.load(Ordering::Acquire) == 0;
        if settled && self.whereabouts().member { Turn::Beside } else { Turn::Own }
    }

    /// Joins or leaves, in turn.
    fn moves(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        self.moves.fetch_add(1, Ordering::AcqRel);
        let connection = Arc::clone(self);
        self.lane.push(Turn::Own, move || {
            Started::now(async move {
                work.await;
                connection.moves.fetch_sub(1, Ordering::AcqRel);
                connection.app.delivery.answered(connection.conn);
                None
            })
        });
    }

    /// Posts when the room's readers can follow.
    fn chat(self: Arc<Self>, text: String) -> Started {
        let Whereabouts { room, visitor, .. } = self.whereabouts().clone();
        let (Some(room), Some(visitor)) = (room, visitor) else {
            return Started::Now(self.write(&text, &self.app.chat));
        };
        match (self.app.pacing.ask(room.id, text.len()), visitor.caller()) {
            (Verdict::Admitted(under_way), _) => {
                Started::Now(self.write(&text, &keeping(&self.app.chat, Some(under_way))))
            }
            // Who was removed may not have noticed: they neither wait in a closed room nor learn that others do.
            (Verdict::Waits(_) | Verdict::Refused(_), Some(caller)) if room.kind != RoomKind::Open => {
                self.chat_as_member(caller.clone(), room.id, text)
            }
            (Verdict::Waits(admitted), _) => Started::held(admitted, move |admitted| {
                self.write(&text, &keeping(&self.app.chat, admitted.ok()))
            }),
            (Verdict::Refused(error), _) => Started::Now(self.refusing(error.message)),
        }
    }

    fn chat_as_member(self: Arc<Self>, caller: Caller, room: RoomId, text: String) -> Started {
        let (app, len) = (Arc::clone(&self.app), text.len());
        let admitting = async move { app.pacing.member(&app.chat, &caller, room, len).await };
        Started::held(admitting, move |admitted| match admitted {
            Ok(chat) => self.write(&text, &chat),
            Err(error) => self.refusing(error.message),
        })
    }

    fn write(self: &Arc<Self>, text: &str, chat: &Chat) -> Work {
        let posting = self.posting(text, chat);
        let connection = Arc::clone(self);
        Box::pin(async move {
            let refused = match posting {
                None => Some(JOIN_FIRST.to_owned()),
                Some((room, posting)) => match posting.await {
                    Ok(caller) => {
                        connection.became_member(room, caller);
                        None
                    }
                    // Removed meanwhile: they are in no room any more.
                    Err(chat::Error::NotFound(_)) => {
                        connection.is_out_of(room).await;
                        Some(JOIN_FIRST.to_owned())
                    }
                    Err(error) => Some(refusal(&error)),
                },
            };
            if let Some(message) = refused {
                connection.say(&SimpleFrame::Error { message });
            }
            connection.app.delivery.answered(connection.conn);
            None
        })
    }

    /// Queues a post in the room one is in. The first one makes the membership, those after it need it: whoever was
    /// removed would be back with the next word.
    fn posting(&self, text: &str, chat: &Chat) -> Option<(RoomId, Posting)> {
        let Whereabouts { room, visitor, member } = self.whereabouts().clone();
        let (room, visitor) = (room?.id, visitor?);
        let posting: Posting = match visitor {
            Visitor::Known(caller) if member => {
                let posting = chat.post(&caller, room, text, nonce());
                Box::pin(async move { posting.await.map(|_| caller) })
            }
            Visitor::Known(_) | Visitor::Passing(_) => {
                let posting = chat.chat(&visitor, room, text, nonce());
                Box::pin(async move { posting.await.map(|(caller, _)| caller) })
            }
        };
        Some((room, posting))
    }

    fn became_member(&self, room: RoomId, caller: Caller) {
        let mut whereabouts = self.whereabouts();
        if whereabouts.member || whereabouts.room.as_ref().is_none_or(|here| here.id != room) {
            return;
        }
        if let Some(Visitor::Passing(_)) = whereabouts.visitor {
            self.app.live.known(self.conn, caller.clone());
        }
        whereabouts.visitor = Some(Visitor::Known(caller));
        whereabouts.member = true;
    }

    async fn is_out_of(&self, room: RoomId) {
        let was_in = self.whereabouts().room.take_if(|here| here.id == room);
        if was_in.is_some() {
            self.app.live.leave(self.conn).await;
        }
    }

    fn say(&self, frame: &SimpleFrame) {
        self.app.delivery.unicast(self.conn, plain(frame));
    }

    fn whereabouts(&self) -> MutexGuard<'_, Whereabouts> {
        self.whereabouts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(self: &Arc<Self>, message: String) {
        let connection = Arc::clone(self);
        self.lane.push(Turn::Beside, move || Started::Now(connection.refusing(message)));
    }

    fn refusing(self: &Arc<Self>, message: String) -> Work {
        let connection = Arc::clone(self);
        Box::pin(async move {
            connection.say(&SimpleFrame::Error { message });
            connection.app.delivery.answered(connection.conn);
            None
        })
    }
}

/// A [`Connection`] as delivery holds it.
pub(super) struct Simple(pub(super) Arc<Connection>);

impl Gateway for Simple {
    fn on_text(&self, _: ConnId, text: &str) {
        let connection = Arc::clone(&self.0);
        match serde_json::from_str(text) {
            Ok(SimpleCommand::Join { room, username }) => self.0.moves(async move {
                if let Err(message) = connection.join(&room, &username).await {
                    connection.say(&SimpleFrame::Error { message });
                }
            }),
            Ok(SimpleCommand::Chat { text }) => {
                self.0.lane.push(self.0.turn(), move || connection.chat(text));
            }
            Ok(SimpleCommand::Leave {}) => self.0.moves(async move { connection.leave().await }),
            Err(wrong) => self.0.refuse(format!("invalid message: {}", complaint(&wrong))),
        }
    }

    fn on_binary(&self, _: ConnId, _: &[u8]) {
        self.0.refuse("invalid message: binary frames are not understood, send JSON as text".to_owned());
    }

    fn on_too_old(&self, conn: ConnId, _: Key, _: u64, _: Shortfall) {
        self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
    }

    fn on_lagged(&self, conn: ConnId, _: Key, _: u64) {
        self.0.app.delivery.close(conn, CloseCode::Lagging.number(), "lagging");
    }

    fn on_drained(&self, _: ConnId) {}

    fn on_taken(&self, _: ConnId) {
        self.0.lane.taken();
    }

    fn on_beat(&self, _: ConnId) -> Option<Frame> {
        None
    }

    fn on_closed(&self, conn: ConnId, closed: Closed) {
        tracing::debug!(?closed, "a simple connection ended");
        self.0.lane.close();
        self.0.app.live.closed(conn);
    }
}

/// A connection that is told why it is refused, and closed: nothing it says is heard.
pub(super) struct Refused {
    pub(super) _admission: Admission,
}

impl Gateway for Refused {
    fn on_text(&self, _: ConnId, _: &str) {}

    fn on_binary(&self, _: ConnId, _: &[u8]) {}

    fn on_too_old(&self, _: ConnId, _: Key, _: u64, _: Shortfall) {}

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
