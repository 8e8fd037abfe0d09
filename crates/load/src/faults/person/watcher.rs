//! A person who only listens, on a bare connection, with rules of the harness's own: what judges a server should not
//! share the mistakes of its client.

use super::scene::{Heads, Part, Scene};
use crate::faults::journal::{Journal, What};
use client::{Connection, Received};
use protocol::{Command, RoomId, ServerFrame};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// After so many silent beats a connection is dead.
const BEATS: u32 = 2;

/// How a person listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ears {
    /// As the protocol says.
    Good,
    /// Reads nothing for a while, now and then.
    Slow,
    /// As slow, and takes no notice of `lagged`: only a beat tells such a reader that something is missing.
    Deaf,
    /// As the protocol says, and their line never lasts.
    Flapping,
}

/// A person who only listens.
pub struct Watcher {
    part: Part,
    scene: Scene,
    ears: Ears,
    epoch: Option<String>,
    /// Up to which seq each room was applied.
    last: BTreeMap<RoomId, u64>,
    /// Rooms for which a resume is under way, with the head that its reply told.
    catching_up: BTreeMap<RoomId, Option<u64>>,
    /// Resumes sent on this connection, by command.
    asked: BTreeMap<u64, RoomId>,
    connected: bool,
}

impl Watcher {
    /// Lets a person live until the round closes.
    pub async fn live(part: Part, scene: Scene, ears: Ears) -> Journal {
        let mut watcher = Self {
            part,
            scene,
            ears,
            epoch: None,
            last: BTreeMap::new(),
            catching_up: BTreeMap::new(),
            asked: BTreeMap::new(),
            connected: false,
        };
        while !watcher.scene.is_closing() {
            let opening = Connection::open(&watcher.scene.address, Some(&watcher.part.account.token));
            if let Ok(Ok(connection)) = timeout(Duration::from_secs(2), opening).await {
                watcher.listen(connection).await;
                watcher.connected = false;
            }
            watcher.stand();
            sleep(Duration::from_millis(watcher.part.rng.u64(2..60))).await;
        }
        watcher.part.pen.close(watcher.part.account.keeper(), vec![], vec![])
    }

    async fn listen(&mut self, mut connection: Connection) {
        self.greet(&mut connection).await;
        let silence = Duration::from_millis(connection.hello().heartbeat_ms) * BEATS;
        let mut heard = Instant::now();
        // Some connections are given up in the middle.
        let longest = if self.ears == Ears::Flapping { 10_000 } else { 6_000 };
        let stays = Duration::from_millis(self.part.rng.u64(200..longest));
        // There may be very many such people.
        let look = Duration::from_millis(if self.ears == Ears::Flapping { 400 } else { 20 });
        let (began, mut pauses_at) = (Instant::now(), self.next_pause());
        while !self.scene.is_closing() && heard.elapsed() < silence {
            self.stand();
            if self.scene.is_live() && !self.has_lost() && Instant::now() >= pauses_at {
                sleep(self.stall()).await;
                pauses_at = self.next_pause();
            }
            if self.scene.is_live() && self.ears != Ears::Deaf && began.elapsed() > stays {
                return;
            }
            match timeout(look, connection.next()).await {
                Err(_) => {}
                Ok(Received::Closed(_)) => return,
                Ok(Received::Frame { text, frame }) => {
                    heard = Instant::now();
                    if self.keeps(&frame) {
                        self.part.pen.note(What::Frame { text });
                    }
                    self.hear(&mut connection, *frame).await;
                }
                Ok(Received::Unreadable(text)) => self.part.pen.note(What::Frame { text }),
                Ok(Received::Sign) => heard = Instant::now(),
            }
        }
    }

    /// Whether a frame goes into the journal. In a flapping round a thousand people hear of each other's coming and
    /// going, and half an hour of that does not fit into memory. The people with good ears still keep it.
    fn keeps(&self, frame: &ServerFrame) -> bool {
        self.ears != Ears::Flapping || !matches!(frame, ServerFrame::Presence(_))
    }

    /// Whether a deaf reader was lapped on this connection, so that only a beat can tell it. From then on it reads
    /// on. If it were late once more on a busy machine, the server would take it for dead, and the next hello would
    /// tell it, too.
    fn has_lost(&self) -> bool {
        self.ears == Ears::Deaf && *self.scene.lapped.borrow()
    }

    /// Less than three beats, or the server would take the connection for dead.
    fn stall(&mut self) -> Duration {
        let ms = if self.scene.is_loud { 2_000..2_600 } else { 300..1_200 };
        Duration::from_millis(self.part.rng.u64(ms))
    }

    fn next_pause(&mut self) -> Instant {
        let pause = if matches!(self.ears, Ears::Good | Ears::Flapping) {
            1_000_000
        } else {
            self.part.rng.u64(100..2_000)
        };
        Instant::now() + Duration::from_millis(pause)
    }

    async fn greet(&mut self, connection: &mut Connection) {
        self.part.pen.note(What::Frame { text: connection.hello_text().to_owned() });
        let hello = connection.hello().clone();
        self.connected = true;
        if self.ears == Ears::Deaf {
            self.scene.lapped.send_replace(false);
        }
        self.asked.clear();
        self.catching_up.clear();
        if self.epoch.as_ref() != Some(&hello.epoch) {
            self.last.clear();
        }
        self.epoch = Some(hello.epoch);
        self.last.retain(|room, last| hello.rooms.iter().any(|told| told.id == *room && told.head >= *last));
        for room in hello.rooms {
            let last = *self.last.entry(room.id).or_insert(room.head);
            if last < room.head {
                self.resume(connection, room.id).await;
            }
        }
    }

    async fn hear(&mut self, connection: &mut Connection, frame: ServerFrame) {
        match frame {
            ServerFrame::Event(event) => self.place(connection, event.room, event.seq).await,
            ServerFrame::Unknown(unknown) => {
                if let (Some(room), Some(seq)) = (unknown.room, unknown.seq) {
                    self.place(connection, room, seq).await;
                }
            }
            ServerFrame::Reset(reset) => {
                self.last.insert(reset.room, reset.as_of);
                self.catching_up.remove(&reset.room);
            }
            ServerFrame::Lagged(lagged) if self.ears != Ears::Deaf => {
                self.resume(connection, lagged.room).await
            }
            ServerFrame::RoomJoined(joined) => drop(self.last.insert(joined.room.id, joined.room.head)),
            ServerFrame::RoomLeft(left) => drop(self.last.remove(&left.room)),
            ServerFrame::Beat(beat) => {
                for (room, head) in beat.heads {
                    let is_behind = self.last.get(&room).is_some_and(|last| *last < head);
                    if is_behind && !self.catching_up.contains_key(&room) {
                        self.resume(connection, room).await;
                    }
                }
            }
            ServerFrame::Reply(reply) => {
                let Some(room) = reply.id.and_then(|id| self.asked.remove(&id)) else { return };
                let head = reply.ok.and_then(|ok| ok.get("head")?.as_u64());
                match head {
                    Some(head) => drop(self.catching_up.insert(room, Some(head))),
                    // Refused: the person is no member any more, or will be told so.
                    None => drop(self.catching_up.remove(&room)),
                }
                self.arrive(room);
            }
            ServerFrame::Lagged(_) => drop(self.scene.lapped.send_replace(true)),
            ServerFrame::Hello(_)
            | ServerFrame::Presence(_)
            | ServerFrame::ReadMarked(_)
            | ServerFrame::SessionEnded(_) => {}
        }
    }

    async fn place(&mut self, connection: &mut Connection, room: RoomId, seq: u64) {
        let Some(last) = self.last.get_mut(&room) else { return };
        if seq == *last + 1 {
            *last = seq;
            self.arrive(room);
        } else if seq > *last + 1 && !self.catching_up.contains_key(&room) {
            // The next event would tell a deaf reader that it lacks something, and no beat would be needed.
            if self.ears != Ears::Deaf {
                self.resume(connection, room).await;
            }
        }
    }

    fn arrive(&mut self, room: RoomId) {
        let last = self.last.get(&room).copied().unwrap_or_default();
        if self.catching_up.get(&room).is_some_and(|head| head.is_some_and(|head| head <= last)) {
            self.catching_up.remove(&room);
        }
    }

    async fn resume(&mut self, connection: &mut Connection, room: RoomId) {
        let Some(after) = self.last.get(&room).copied() else { return };
        self.part.pen.note(What::Resume { room, after });
        self.catching_up.insert(room, None);
        if let Some(id) = connection.send(Command::Resume { room, after }).await {
            self.asked.insert(id, room);
        }
    }

    fn stand(&self) {
        if let Some(heads) = self.scene.heads() {
            self.part.standing.is(&heads, self.differs(&heads));
        }
    }

    fn differs(&self, heads: &Heads) -> Option<String> {
        if !self.connected {
            return Some("is not connected".to_owned());
        }
        self.last.iter().find_map(|(room, last)| {
            let head = heads.of.get(room).copied().unwrap_or_default();
            (*last != head).then(|| format!("{room} stands at {last} of {head}"))
        })
    }
}
