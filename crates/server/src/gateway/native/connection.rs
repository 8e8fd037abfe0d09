//! One native connection: its greeting, and its commands in order.

use super::missed::Behind;
use super::replies::{refused, reply};
use crate::app::App;
use crate::door;
use crate::gateway::admission::Admission;
use crate::gateway::lane::{Lane, Started, Turn, Work};
use crate::live::{Beaten, Greeting, Rooms};
use crate::pacing::{UnderWay, Verdict, keeping};
use crate::refusal::refusal;
use chat::Caller;
use delivery::{ConnId, Frame};
use protocol::frame::Hello;
use protocol::{Body, ClientFrame, CloseCode, Command, Error, Nonce, RoomId};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;

/// One native connection.
pub(crate) struct Connection {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    pub(super) conn: ConnId,
    _admission: Admission,
    /// Made when the client first says something: very many clients only listen.
    pub(super) lane: OnceLock<Arc<Lane>>,
    pub(super) rooms: Arc<Rooms>,
    pub(super) beaten: Beaten,
    /// The connection catches up with one room at a time: otherwise the end of one room's page would be taken for the end
    /// of another's.
    pub(super) behind: Mutex<Behind>,
    pub(super) drained: Notify,
    pub(super) over: AtomicBool,
}

/// A post on its way to be written.
struct Post {
    id: u64,
    room: RoomId,
    body: Body,
    nonce: Nonce,
}

impl Connection {
    pub(crate) fn new(
        app: Arc<App>,
        caller: Caller,
        conn: ConnId,
        admission: Admission,
        rooms: Arc<Rooms>,
    ) -> Arc<Self> {
        Arc::new(Self {
            app,
            caller,
            conn,
            _admission: admission,
            lane: OnceLock::new(),
            rooms,
            beaten: Beaten::default(),
            behind: Mutex::default(),
            drained: Notify::new(),
            over: AtomicBool::new(false),
        })
    }

    /// Says hello, once the connection is attached. The session and the rooms are read after the connection was registered:
    /// a change before that is in what is read, and a change after it is told by `live`.
    pub(crate) async fn greet(&self) {
        let (app, caller) = (&self.app, &self.caller);
        match app.chat.rooms_while_signed_in(caller).await {
            Ok(Some(rooms)) => {
                let hello = Hello {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    build: app.settings.build.to_owned(),
                    features: Vec::new(),
                    epoch: app.chat.epoch().to_owned(),
                    user: caller.user().clone(),
                    role: caller.role(),
                    may: caller.may(app.settings.guests_open_rooms),
                    limits: app.limits(),
                    heartbeat_ms: u64::try_from(app.settings.heartbeat.as_millis()).unwrap_or(u64::MAX),
                    rooms: Vec::new(),
                };
                app.live.greet(self.conn, Greeting { hello, rooms });
            }
            Ok(None) => app.delivery.close(self.conn, CloseCode::SessionEnded.number(), "session ended"),
            Err(error) => {
                tracing::error!(%error, "a connection could not be greeted");
                app.delivery.close(self.conn, CloseCode::Lagging.number(), "try again");
            }
        }
    }

    /// Takes a command, which is done and answered in its turn. Posts go on beside each other.
    pub(super) fn take(self: &Arc<Self>, ClientFrame { id, command }: ClientFrame) {
        let connection = Arc::clone(self);
        match command {
            Command::PostMessage { room, body, nonce } => {
                let post = Post { id, room, body, nonce };
                self.lane().push(Turn::Beside, move || connection.post(post));
            }
            Command::Resume { room, after } => self.lane().push(Turn::Own, move || {
                Started::now(async move { Some(reply(id, connection.resume(room, after).await)) })
            }),
            command => self.lane().push(Turn::Own, move || connection.command(id, command)),
        }
    }

    /// Refuses what was no command.
    pub(super) fn refuse(&self, id: Option<u64>, error: Error) {
        let refusing = async move { Some(refused(id, error)) };
        self.lane().push(Turn::Beside, move || Started::now(refusing));
    }

    /// Posts when the room's readers can follow. The post of somebody who is no member waits for nothing: it is refused in
    /// its turn.
    fn post(self: Arc<Self>, post: Post) -> Started {
        if self.rooms.find(post.room).is_none() {
            return Started::Now(self.write(post, None));
        }
        match self.app.pacing.ask(post.room, post.body.text.len()) {
            Verdict::Admitted(under_way) => Started::Now(self.write(post, Some(under_way))),
            Verdict::Waits(admitted) => {
                Started::held(admitted, move |admitted| self.write(post, admitted.ok()))
            }
            Verdict::Refused(error) => Started::now(async move { Some(refused(Some(post.id), error)) }),
        }
    }

    fn write(&self, Post { id, room, body, nonce }: Post, under_way: Option<UnderWay>) -> Work {
        let posting = keeping(&self.app.chat, under_way).post(&self.caller, room, body, nonce);
        Box::pin(async move { Some(reply(id, posting.await.map_err(|error| refusal(&error)))) })
    }

    /// Does any other command, once it may be done.
    fn command(self: Arc<Self>, id: u64, command: Command) -> Started {
        let connection = Arc::clone(&self);
        let admitting = async move { door::admit(&connection.app, &connection.caller, command).await };
        Started::held(admitting, move |admitted| {
            Box::pin(async move {
                let came = match admitted {
                    Ok(admitted) => admitted.run(&self.app, &self.caller).await,
                    Err(error) => Err(error),
                };
                Some(reply(id, came))
            })
        })
    }

    fn lane(&self) -> &Arc<Lane> {
        let lane = || Arc::new(Lane::of(self.app.runtime.clone(), self.app.delivery.clone(), self.conn));
        self.lane.get_or_init(lane)
    }

    /// A frame that is for this connection alone.
    pub(super) fn say(&self, frame: Frame) {
        self.app.delivery.unicast(self.conn, frame);
    }
}
