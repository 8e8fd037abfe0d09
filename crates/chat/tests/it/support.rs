//! The cast and what they can do.

use chat::{Batch, Caller, Chat, Clock, Committed, Database};
use protocol::frame::Posted;
use protocol::{Event, NewReaction, Nonce, Role, Room, RoomId, RoomKind};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::mpsc;

static NONCES: AtomicU64 = AtomicU64::new(1);

/// A server of its own, on a database of its own, at a time of its own.
pub struct World {
    pub chat: Chat,
    told: Mutex<Told>,
    time: Arc<AtomicI64>,
    /// Goes with the world, and with it the file.
    _directory: TempDir,
    pub database: Database,
}

struct Told {
    stream: mpsc::Receiver<Batch>,
    kept: Vec<Committed>,
}

pub async fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let database = if crate::ON_POSTGRES {
        Database::Postgres(testbed::database())
    } else {
        Database::File(directory.path().join("roomful.db"))
    };
    world_on(database, directory).await
}

/// The same on a database that somebody chose.
pub async fn world_on(database: Database, directory: TempDir) -> World {
    let time = Arc::new(AtomicI64::new(1_700_000_000_000));
    let (chat, told) = open(&database, &time).await;
    World {
        chat,
        told: Mutex::new(Told { stream: told, kept: Vec::new() }),
        time,
        _directory: directory,
        database,
    }
}

async fn open(database: &Database, time: &Arc<AtomicI64>) -> (Chat, mpsc::Receiver<Batch>) {
    let now = Arc::clone(time);
    let clock = Clock::new(move || now.fetch_add(1, Ordering::Relaxed));
    Chat::open(database.clone(), clock).await.unwrap()
}

pub fn reaction(emoji: &str, on: bool) -> NewReaction {
    NewReaction { emoji: emoji.to_owned(), on }
}

pub fn nonce() -> Nonce {
    Nonce::new(format!("n{}", NONCES.fetch_add(1, Ordering::Relaxed))).unwrap()
}

impl World {
    /// Ana set the server up.
    pub async fn ana(&mut self) -> Caller {
        self.chat.set_up("Ana", "correct horse").await.unwrap().caller
    }

    pub async fn ben(&mut self) -> Caller {
        self.member("Ben").await
    }

    pub async fn cyd(&mut self) -> Caller {
        self.member("Cyd").await
    }

    async fn member(&mut self, name: &str) -> Caller {
        self.chat.add_user(name, "battery staple", Role::Member).await.unwrap();
        self.chat.sign_in(name, "battery staple").await.unwrap().caller
    }

    /// The room that everybody is in.
    pub async fn lobby(&self, caller: &Caller) -> RoomId {
        let rooms = self.chat.rooms_of(caller.key()).await.unwrap();
        rooms.iter().find(|(_, room)| room.name == "lobby").unwrap().1.id
    }

    /// A closed room of the caller's.
    pub async fn garden(&self, caller: &Caller) -> Room {
        self.chat.open_room(caller, "garden", RoomKind::Closed, nonce(), true).await.unwrap()
    }

    pub async fn says(&self, caller: &Caller, room: RoomId, text: &str) -> Posted {
        self.listen();
        self.chat.post(caller, room, text.into(), nonce()).await.unwrap()
    }

    pub fn pass(&self, milliseconds: i64) {
        self.time.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Ends the server and starts it on the same directory.
    pub async fn restart(self) -> Self {
        self.listen();
        self.chat.close().await;
        let (chat, stream) = open(&self.database, &self.time).await;
        Self { chat, told: Mutex::new(Told { stream, kept: Vec::new() }), ..self }
    }

    /// Takes what was told out of the stream, which is bounded: a long story listens now and then.
    pub fn listen(&self) {
        let mut told = self.told.lock().unwrap();
        while let Ok(batch) = told.stream.try_recv() {
            told.kept.extend(batch.committed);
        }
    }

    /// What was told since the last time.
    pub fn all_told(&self) -> Vec<Committed> {
        self.listen();
        std::mem::take(&mut self.told.lock().unwrap().kept)
    }

    /// The events among it.
    pub fn events(&self) -> Vec<Event> {
        let events = self.all_told().into_iter().filter_map(|committed| match committed {
            Committed::Event { event, .. } => Some(event),
            _ => None,
        });
        events.collect()
    }

    pub async fn room(&self, caller: &Caller, room: RoomId) -> Room {
        let rooms = self.chat.rooms_of(caller.key()).await.unwrap();
        rooms.into_iter().find(|(_, found)| found.id == room).unwrap().1
    }

    pub async fn texts(&self, caller: &Caller, room: RoomId) -> Vec<String> {
        let page = self.chat.list_messages(caller, room, chat::Window::Newest, Some(100)).await.unwrap();
        page.messages.into_iter().map(|message| message.body.text).collect()
    }
}
