//! One simple connection: who it is, and which room it is in.

use crate::app::App;
use crate::gateway::admission::Admission;
use crate::gateway::lane::{Lane, Started, Turn, Work};
use crate::live::{Entered, Entering, plain};
use crate::refusal::refusal;
use chat::{Caller, Name, RoomRef, Visitor};
use delivery::ConnId;
use protocol::simple::SimpleFrame;
use protocol::{CloseCode, RoomId};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Messages in a `welcome`.
const HISTORY: u32 = 50;
/// How often the history is read again, when more was said in the room meanwhile. After that the client is asked to try
/// again.
const TRIES: usize = 50;
/// How long to wait between two tries: what was in the way is done after a commit or two.
const TRY_AGAIN: Duration = Duration::from_millis(5);
const STOPPING: &str = "the server is stopping";

/// One simple connection.
pub(crate) struct Connection {
    pub(super) app: Arc<App>,
    pub(super) conn: ConnId,
    _admission: Admission,
    pub(super) lane: Arc<Lane>,
    /// The user of the token that the connection came with: it speaks as that user, whatever name the client gives.
    caller: Option<Caller>,
    whereabouts: Mutex<Whereabouts>,
    /// How many joins and leaves were asked for and are not done yet. Until they are, it is open which room the next chat
    /// goes to, and as whose.
    pub(super) moves: AtomicUsize,
}

/// Where a connection is, and as whom.
#[derive(Clone, Default)]
pub(super) struct Whereabouts {
    pub(super) room: Option<RoomRef>,
    pub(super) visitor: Option<Visitor>,
    /// Whether the visitor is a member of the room, as far as the connection knows.
    pub(super) member: bool,
}

impl Connection {
    pub(crate) fn new(
        app: Arc<App>,
        conn: ConnId,
        admission: Admission,
        caller: Option<Caller>,
    ) -> Arc<Self> {
        let lane = Arc::new(Lane::of(app.runtime.clone(), app.delivery.clone(), conn));
        let (whereabouts, moves) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { app, conn, _admission: admission, lane, caller, whereabouts, moves })
    }

    /// Joins a room before the client can say anything. It waits until the connection is attached, since nothing reaches the
    /// client before that.
    pub(crate) fn join_first(
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

    pub(super) async fn join(&self, room: &str, username: &str) -> Result<(), String> {
        let visitor = self.visitor(username).map_err(|error| error.to_string())?;
        let name = match &visitor {
            Visitor::Passing(name) => name.clone(),
            Visitor::Known(caller) => {
                Name::new("username", &caller.user().name).map_err(|error| error.to_string())?
            }
        };
        let reserved =
            self.app.chat.is_reserved(&name, &visitor).await.map_err(|error| refusal(&error).message)?;
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
        let room = chat.room_named(visitor, room, may_open).await.map_err(|error| refusal(&error).message)?;
        let history = match chat.history(visitor, room.key, HISTORY).await {
            Ok(history) => history,
            // The room was provisional and has just been removed. The next try opens it again.
            Err(chat::Error::NotFound(_)) => return Ok(Entered::Stale),
            Err(error) => return Err(refusal(&error).message),
        };
        let member = history.member;
        self.lane.owes(history.messages.iter().map(|message| message.body.text.len()).sum());
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

    /// The visitor that goes by this name: the user of the token, or the guest that the visitor became by chatting, or
    /// somebody who is only passing.
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

    pub(super) async fn leave(&self) {
        let was_in = self.whereabouts().room.take();
        if was_in.is_some() {
            self.app.live.leave(self.conn).await;
        }
    }

    /// Joins or leaves a room, in its turn.
    pub(super) fn moves(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
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

    pub(super) async fn is_out_of(&self, room: RoomId) {
        let was_in = self.whereabouts().room.take_if(|here| here.id == room);
        if was_in.is_some() {
            self.app.live.leave(self.conn).await;
        }
    }

    pub(super) fn say(&self, frame: &SimpleFrame) {
        self.app.delivery.unicast(self.conn, plain(frame));
    }

    pub(super) fn whereabouts(&self) -> MutexGuard<'_, Whereabouts> {
        self.whereabouts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn refuse(self: &Arc<Self>, message: String) {
        let connection = Arc::clone(self);
        self.lane.push(Turn::Beside, move || Started::Now(connection.refusing(message)));
    }

    pub(super) fn refusing(self: &Arc<Self>, message: String) -> Work {
        let connection = Arc::clone(self);
        Box::pin(async move {
            connection.say(&SimpleFrame::Error { message });
            connection.app.delivery.answered(connection.conn);
            None
        })
    }
}

fn taken(name: &Name) -> String {
    chat::Error::NameTaken(name.shown().to_owned()).to_string()
}
