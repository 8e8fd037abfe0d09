//! The native protocol: commands in, replies in order, catching up.

use super::admission::Admission;
use super::commands;
use super::lane::{Lane, Started, Turn, Work};
use super::missed::Missed;
use crate::app::App;
use crate::complaint::complaint;
use crate::live::{Beaten, Greeting, Resuming, Rooms, is_room, native};
use crate::pacing::{UnderWay, Verdict, keeping};
use chat::{Caller, RESUME_EVENTS, RoomKey};
use delivery::{Closed, ConnId, Frame, Gateway, Key, Shortfall};
use protocol::frame::{Hello, Lagged, Posted, ReadMarked, Reply};
use protocol::{ClientFrame, CloseCode, Command, ErrorCode, MAX_INTEGER, Nonce, RoomId, ServerFrame};
use sabotage::Bug;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;

/// The commonest command.
const POST: &str = "post_message";

const BAD_ID: &str = "`id` must be a whole number, not below 0 and below 2^53.";

/// One native connection.
pub(super) struct Connection {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    conn: ConnId,
    _admission: Admission,
    /// Made for the first thing that is said: very many only listen.
    lane: OnceLock<Arc<Lane>>,
    rooms: Arc<Rooms>,
    beaten: Beaten,
    /// One at a time: pages of two rooms would answer each other's `on_drained`.
    behind: Mutex<Behind>,
    drained: Notify,
    over: AtomicBool,
}

/// The rooms to catch up with, in turn; each once, or twice where the tail refused it and too much was missed, too.
#[derive(Default)]
struct Behind {
    rooms: VecDeque<(RoomId, Missed)>,
    running: bool,
}

/// A post on its way to be written.
struct Post {
    id: u64,
    room: RoomId,
    text: String,
    nonce: Nonce,
}

impl Connection {
    pub(super) fn new(
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

    /// Says hello, once the connection is attached. The session and the rooms are read here, after it was registered: what
    /// changes from then on is not missed, and what changed before is seen.
    pub(super) async fn greet(&self) {
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

    pub(super) fn room(&self, id: RoomId) -> Option<RoomKey> {
        self.rooms.find(id)
    }

    /// Takes a room up after `after`, whatever else is told of it; with `most` only if no more than that was missed. Answers
    /// with the head.
    pub(super) async fn resume(&self, room: RoomId, after: u64, most: Option<u64>) -> Option<u64> {
        let preface = Vec::new();
        let resuming = Resuming { conn: self.conn, room, after, makes_up_for: None, preface, most };
        self.app.live.resume(resuming).await
    }

    /// Takes a room up again where a catch-up ends.
    async fn make_up(&self, room: RoomId, shortfall: Shortfall, after: u64, preface: Vec<Frame>) {
        let makes_up_for = Some(shortfall);
        self.app
            .live
            .resume(Resuming { conn: self.conn, room, after, makes_up_for, preface, most: None })
            .await;
    }

    /// Brings a room up to date, after whatever else is being caught up with.
    pub(super) fn catch_up(self: &Arc<Self>, room: RoomId, missed: Missed) {
        let mut behind = self.behind();
        match behind.rooms.iter_mut().find(|(other, wish)| *other == room && wish.is_like(missed)) {
            Some(wish) => wish.1 = wish.1.and(missed),
            None => behind.rooms.push_back((room, missed)),
        }
        if !std::mem::replace(&mut behind.running, true) {
            drop(behind);
            let connection = Arc::clone(self);
            self.app.runtime.spawn(async move {
                while let Some((room, missed)) = connection.next_behind() {
                    connection.catch_up_with(room, missed).await;
                    // Of all the rooms that somebody lacks one page at a time waits for who does not read.
                    connection.page(Vec::new()).await;
                }
            });
        }
    }

    fn next_behind(&self) -> Option<(RoomId, Missed)> {
        let mut behind = self.behind();
        let next = behind.rooms.pop_front().filter(|_| !self.over.load(Ordering::Acquire));
        if next.is_none() {
            *behind = Behind::default();
        }
        next
    }

    /// Reads the log and sends it page by page, each when the last has left; then takes the room up again. Where too much
    /// is missing, the newest page stands for all of it.
    async fn catch_up_with(&self, room: RoomId, missed: Missed) {
        let Missed { after: Some(first), shortfall } = missed else {
            return self.start_afresh(room, missed.shortfall).await;
        };
        let mut after = first;
        while !self.over.load(Ordering::Acquire) {
            let page = match self.app.chat.replay(self.caller.key(), room, after).await {
                Ok(page) => page,
                Err(error) => return self.give_up(&error),
            };
            if page.as_of().saturating_sub(first) > RESUME_EVENTS {
                return self.start_afresh(room, shortfall).await;
            }
            after = page.events().last().map_or(after, |event| event.seq);
            let events = page.events().iter().cloned();
            let frames: Vec<Frame> = events.map(|event| native(&ServerFrame::Event(event))).collect();
            if !page.more() {
                return self.make_up(room, shortfall, after, frames).await;
            }
            self.page(frames).await;
        }
    }

    /// Sends a page and waits until it and all before it has left.
    async fn page(&self, frames: Vec<Frame>) {
        let drained = self.drained.notified();
        self.app.delivery.page(self.conn, frames);
        // Closed before the wait began: nobody would end it.
        if !self.over.load(Ordering::Acquire) {
            drained.await;
        }
    }

    async fn start_afresh(&self, room: RoomId, shortfall: Shortfall) {
        match self.app.chat.reset(self.caller.key(), room).await {
            Ok((reset, read)) => {
                let after = reset.as_of;
                let mark = ServerFrame::ReadMarked(ReadMarked { room, read });
                let reset = ServerFrame::Reset(Arc::unwrap_or_clone(reset));
                let preface = vec![native(&reset), native(&mark)];
                self.make_up(room, shortfall, after, preface).await;
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Ends a catch-up that cannot go on. Whose room it no longer is has been told; anybody else would wait for ever for
    /// what is missing, so the connection ends and the next one tries again.
    fn give_up(&self, error: &chat::Error) {
        if matches!(error, chat::Error::NotFound(_)) {
            return tracing::debug!(%error, "no catching up: the room is no longer the user's");
        }
        tracing::warn!(%error, "a connection could not be brought up to date");
        self.app.delivery.close(self.conn, CloseCode::Lagging.number(), "try again");
    }

    /// Posts when the room's readers can follow. Whoever is no member waits for nothing, and is refused in the post's turn.
    fn post(self: Arc<Self>, post: Post) -> Started {
        if self.rooms.find(post.room).is_none() {
            return Started::Now(self.write(post, None));
        }
        match self.app.pacing.ask(post.room, post.text.len()) {
            Verdict::Admitted(under_way) => Started::Now(self.write(post, Some(under_way))),
            Verdict::Waits(admitted) => {
                Started::held(admitted, move |admitted| self.write(post, admitted.ok()))
            }
            Verdict::Refused(error) => Started::now(async move { Some(refused(Some(post.id), error)) }),
        }
    }

    fn write(&self, Post { id, room, text, nonce }: Post, under_way: Option<UnderWay>) -> Work {
        let posting = keeping(&self.app.chat, under_way).post(&self.caller, room, &text, nonce);
        Box::pin(async move { Some(posted(id, posting.await)) })
    }

    /// Does anything but post, once it may.
    fn command(self: Arc<Self>, id: u64, command: Command) -> Started {
        let connection = Arc::clone(&self);
        let admitting = async move { (commands::admit(&connection, &command).await, command) };
        Started::held(admitting, move |(admitted, command)| {
            Box::pin(async move {
                Some(match admitted {
                    Ok(chat) => answered(id, commands::run(&self, &chat, command).await),
                    Err(error) => refused(Some(id), error),
                })
            })
        })
    }

    fn lane(&self) -> &Arc<Lane> {
        let lane = || Arc::new(Lane::of(self.app.runtime.clone(), self.app.delivery.clone(), self.conn));
        self.lane.get_or_init(lane)
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answered(id: u64, answer: chat::Result<Value>) -> Frame {
    match answer {
        Ok(ok) => native(&ServerFrame::Reply(Reply { id: Some(id), ok: Some(ok), error: None })),
        Err(error) => refused(Some(id), refusal(&error)),
    }
}

fn refused(id: Option<u64>, error: protocol::Error) -> Frame {
    native(&ServerFrame::Reply(Reply { id, ok: None, error: Some(error) }))
}

/// The reply to a post, written without the detour by way of a JSON value: the commonest of all.
fn posted(id: u64, posted: chat::Result<Posted>) -> Frame {
    match posted {
        // Numbers and visible ASCII always have a JSON form.
        Ok(ok) => Frame::text(serde_json::to_vec(&PostReply { id, ok: &ok }).unwrap_or_default()),
        Err(error) => refused(Some(id), refusal(&error)),
    }
}

/// What [`Reply`] says to a post. Not made of it: there `ok` is a JSON value, which would be built for every post and written
/// at once.
#[derive(Serialize)]
#[serde(tag = "type", rename = "reply")]
struct PostReply<'a> {
    id: u64,
    ok: &'a Posted,
}

/// What [`ClientFrame`] says of a post. Not made of it: a command is found by its `type`, so all of it is read into JSON
/// values before, which for the commonest of all costs twice as much.
#[derive(Deserialize)]
struct PostFrame<'a> {
    id: u64,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    room: RoomId,
    text: String,
    nonce: Nonce,
}

/// A [`Connection`] as delivery holds it.
pub(super) struct Native(pub(super) Arc<Connection>);

impl Gateway for Native {
    fn on_text(&self, _: ConnId, text: &str) {
        let connection = Arc::clone(&self.0);
        match read(text) {
            Ok(ClientFrame { id, command: Command::PostMessage { room, text, nonce } }) => {
                let post = Post { id, room, text, nonce };
                self.0.lane().push(Turn::Beside, move || connection.post(post));
            }
            Ok(ClientFrame { id, command }) => {
                self.0.lane().push(Turn::Own, move || connection.command(id, command));
            }
            Err(wrong) => self.0.lane().push(Turn::Beside, move || {
                let (id, error) = *wrong;
                Started::now(async move { Some(refused(id, error)) })
            }),
        }
    }

    fn on_binary(&self, _: ConnId, _: &[u8]) {
        let error = bad(ErrorCode::BadRequest, "Binary frames are not understood. Send JSON as text.");
        self.0.lane().push(Turn::Beside, move || Started::now(async move { Some(refused(None, error)) }));
    }

    fn on_too_old(&self, _: ConnId, key: Key, after: u64, shortfall: Shortfall) {
        if let Some(room) = self.0.rooms.named(key) {
            self.0.catch_up(room, Missed { after: Some(after), shortfall });
        }
    }

    fn on_lagged(&self, conn: ConnId, key: Key, _: u64) {
        let delivery = &self.0.app.delivery;
        if !is_room(key) {
            // What is personal is not logged: the next hello restates it.
            return delivery.close(conn, CloseCode::Lagging.number(), "lagging");
        }
        if let Some(room) = self.0.rooms.named(key) {
            if sabotage::has(Bug::BeatFromFollows) {
                unheard().push((conn, room));
            }
            delivery.unicast(conn, native(&ServerFrame::Lagged(Lagged { room })));
        }
    }

    fn on_drained(&self, _: ConnId) {
        self.0.drained.notify_waiters();
    }

    fn on_taken(&self, _: ConnId) {
        if let Some(lane) = self.0.lane.get() {
            lane.taken();
        }
    }

    fn on_beat(&self, conn: ConnId) -> Option<Frame> {
        let tells = |room| !sabotage::has(Bug::BeatFromFollows) || !unheard().contains(&(conn, room));
        Some(self.0.rooms.beat(&self.0.beaten, self.0.app.live.moves(), tells))
    }

    fn on_closed(&self, conn: ConnId, closed: Closed) {
        tracing::debug!(user = %self.0.caller.user().id, ?closed, "a connection ended");
        if let Some(lane) = self.0.lane.get() {
            lane.close();
        }
        self.0.over.store(true, Ordering::Release);
        self.0.drained.notify_waiters();
        self.0.app.live.closed(conn);
    }
}

/// What delivery does not follow any more, in a build whose beats go by what it follows; nothing in any other.
fn unheard() -> MutexGuard<'static, Vec<(ConnId, RoomId)>> {
    static UNHEARD: Mutex<Vec<(ConnId, RoomId)>> = Mutex::new(Vec::new());
    UNHEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The refusal as the wire tells it; what is not the caller's business goes to the log, once.
fn refusal(error: &chat::Error) -> protocol::Error {
    let refusal = error.wire();
    if refusal.code == ErrorCode::Internal {
        tracing::error!(%error, "a command failed");
    }
    refusal
}

/// The id of a frame that is no JSON as a whole, such as one with half a surrogate pair: what is passed over here is not
/// looked into.
#[derive(Deserialize)]
struct Asked {
    id: u64,
}

/// Reads a frame; of a bad one, its id if it has one, and what is wrong with it.
fn read(text: &str) -> Result<ClientFrame, Box<(Option<u64>, protocol::Error)>> {
    if text.contains(POST)
        && let Ok(PostFrame { id, kind, room, text, nonce }) = serde_json::from_str(text)
        && kind == POST
        && id <= MAX_INTEGER
    {
        return Ok(ClientFrame { id, command: Command::PostMessage { room, text, nonce } });
    }
    let wrong = match serde_json::from_str::<ClientFrame>(text) {
        Ok(frame) if frame.id <= MAX_INTEGER => return Ok(frame),
        Ok(_) => {
            return Err((None, bad(ErrorCode::BadRequest, BAD_ID)).into());
        }
        Err(wrong) => wrong,
    };
    let parsed = serde_json::from_str(text);
    let Ok(Value::Object(frame)) = parsed else {
        let message = match parsed {
            Ok(_) => "A command is a JSON object.".to_owned(),
            Err(wrong) => format!("Not a JSON object: {}.", complaint(&wrong)),
        };
        let asked = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
        let id = asked.map(|Asked { id }| id).filter(|id| *id <= MAX_INTEGER);
        return Err((id, bad(ErrorCode::BadRequest, &message)).into());
    };
    let id = frame.get("id").and_then(Value::as_u64).filter(|id| *id <= MAX_INTEGER);
    let error = match (id, frame.get("type")) {
        (None, _) if frame.contains_key("id") => bad(ErrorCode::BadRequest, BAD_ID),
        (None, _) => bad(ErrorCode::BadRequest, "Every command needs an `id`, a whole number below 2^53."),
        (_, Some(Value::String(name))) if !Command::NAMES.contains(&name.as_str()) => {
            let mut error =
                bad(ErrorCode::UnknownCommand, "No command has this name. The protocol's page lists them.");
            error.params.insert("type".into(), Value::String(name.chars().take(64).collect()));
            error
        }
        (_, Some(Value::String(_))) => {
            bad(ErrorCode::BadRequest, &format!("This command cannot be read: {}.", complaint(&wrong)))
        }
        (_, _) => bad(ErrorCode::BadRequest, "Every command needs a `type`, the name of the command."),
    };
    Err((id, error).into())
}

fn bad(code: ErrorCode, message: &str) -> protocol::Error {
    protocol::Error { code, params: Map::new(), message: message.to_owned(), retry_after_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_id_is_not_called_a_missing_one() {
        for (frame, says) in [
            (r#"{"id":-1,"type":"list_rooms"}"#, "`id` must be a whole number"),
            (r#"{"id":9007199254740992,"type":"list_rooms"}"#, "`id` must be a whole number"),
            (r#"{"id":"7","type":"list_rooms"}"#, "`id` must be a whole number"),
            (r#"{"type":"list_rooms"}"#, "Every command needs an `id`"),
            ("[]", "A command is a JSON object."),
        ] {
            let wrong = read(frame).err();
            assert!(wrong.as_ref().is_some_and(|wrong| wrong.1.message.starts_with(says)), "{wrong:?}");
        }
    }

    #[test]
    fn a_post_is_read_and_answered_as_every_other_command_is() {
        let post = r#"{"id":7,"type":"post_message","room":"0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f","text":"h\u00e9","nonce":"n","more":1}"#;
        let frame: ClientFrame = serde_json::from_str(post).unwrap();
        assert_eq!(read(post).ok(), Some(frame));
        let ok = Posted { seq: 3, n: 2, at: 4, nonce: Nonce::new("n").unwrap() };
        let reply = Reply { id: Some(7), ok: serde_json::to_value(&ok).ok(), error: None };
        let text = serde_json::to_string(&PostReply { id: 7, ok: &ok }).unwrap();
        assert_eq!(ServerFrame::decode(&text).unwrap(), ServerFrame::Reply(reply));
    }
}
