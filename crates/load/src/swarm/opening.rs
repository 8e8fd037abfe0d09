//! Opening connections, a bounded number at a time, and closing them.

use super::Swarm;
use super::conn::{Conn, Phase};
use super::line::Line;
use crate::checker::Track;
use crate::people::Protocol;
use crate::wire;
use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Token};
use serde::Deserialize;
use serde_json::json;
use socket2::SockRef;
use std::time::{Duration, Instant};

/// Connections on their way at once. The kernel queues a few thousand that the server has not accepted, and no more.
const AT_ONCE: usize = 256;
/// How long opening may make no progress before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it took until people were connected.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// Until 95 of 100 were.
    pub most: Duration,
    /// Until everybody was.
    pub all: Duration,
}

/// The part of a `hello` about one room.
#[derive(Deserialize)]
struct Room {
    id: String,
    head: u64,
}

#[derive(Deserialize)]
struct Hello {
    rooms: Vec<Room>,
}

impl Swarm {
    /// Opens connections until there are `all`, and returns when each was greeted.
    ///
    /// # Errors
    /// When a connection is refused, or nothing more comes.
    pub fn open(&mut self, all: usize) -> Result<Opening> {
        let began = Instant::now();
        let mut next = self.conns.len();
        let (mut progress, mut last) = (Instant::now(), 0);
        let (mut events, mut most) = (Self::events(), None);
        while self.ready < all {
            while next < all && next - self.ready.min(next) < AT_ONCE {
                self.connect(next)?;
                next += 1;
            }
            self.pass(&mut events, Some(Duration::from_millis(100)))?;
            if self.ready * 100 >= all * 95 {
                most.get_or_insert_with(|| began.elapsed());
            }
            if self.ready > last {
                (progress, last) = (Instant::now(), self.ready);
            }
            if self.faults.broken > 0 || progress.elapsed() > PATIENCE {
                bail!("{} of {all} connections were opened; {} were refused", self.ready, self.faults.broken);
            }
        }
        let all = began.elapsed();
        Ok(Opening { most: most.unwrap_or(all), all })
    }

    /// Cuts all connections at once, as a network that goes away does.
    pub fn cut(&mut self) {
        self.conns.clear();
        self.ready = 0;
    }

    fn connect(&mut self, number: usize) -> Result<()> {
        let mut socket = TcpStream::connect(self.way.socket)?;
        socket.set_nodelay(true)?;
        // A port that waits for late packets cannot be used for a minute, and there are 28,000.
        SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
        self.poll.registry().register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let person = &self.crowd.people[number];
        let streams = match self.protocol {
            Protocol::Native => person.rooms.len(),
            Protocol::Simple => self.crowd.senders,
        };
        let conn = Conn {
            line: Some(Line::new(socket, self.way.session()?)),
            phase: Phase::Connecting,
            left: Vec::new(),
            tracks: vec![Track::default(); streams].into_boxed_slice(),
        };
        self.conns.push(conn);
        Ok(())
    }

    pub(super) fn ask_to_be_let_in(&mut self, number: usize) {
        let (person, host) = (&self.crowd.people[number], self.way.address.authority());
        let deflate = ("Sec-WebSocket-Extensions", self.way.deflate.then_some(wire::DEFLATE));
        let request = match self.protocol {
            Protocol::Native => {
                let room = person.rooms.first().map(|room| &self.crowd.rooms[*room as usize]);
                let path = match room {
                    Some(room) if self.names_room => format!("/ws?room={room}"),
                    Some(_) | None => "/ws".to_owned(),
                };
                let subprotocol = ("Sec-WebSocket-Protocol", Some(protocol::SUBPROTOCOL));
                let bearer = person.token.as_ref().map(|token| format!("Bearer {token}"));
                wire::request(host, &path, &[deflate, subprotocol, ("Authorization", bearer.as_deref())])
            }
            Protocol::Simple => wire::request(host, "/ws", &[deflate]),
        };
        self.conns[number].phase = Phase::Shaking;
        self.write(number, &request);
    }

    /// The handshake is over: the simple protocol asks for a room, the native one waits for `hello`.
    pub(super) fn let_in(&mut self, number: usize) {
        self.conns[number].phase = Phase::Greeting;
        if self.protocol == Protocol::Simple {
            let person = &self.crowd.people[number];
            let room = person.rooms.first().map(|room| &self.crowd.rooms[*room as usize]);
            let join = json!({ "type": "join", "room": room, "username": person.name }).to_string();
            let mut frame = Vec::new();
            wire::push_text(&mut frame, join.as_bytes());
            self.write(number, &frame);
        }
    }

    /// Takes the frame that greets: from here on everything counts.
    pub(super) fn greeted(&mut self, number: usize, frame: &[u8]) {
        let person = &self.crowd.people[number];
        let greeting: &[u8] = match self.protocol {
            Protocol::Native => br#"{"type":"hello""#,
            Protocol::Simple => br#"{"type":"welcome""#,
        };
        if !frame.starts_with(greeting) {
            if frame.starts_with(br#"{"type":"error""#) {
                self.gone(number);
            }
            return;
        }
        if self.protocol == Protocol::Native {
            let hello: Hello = serde_json::from_slice(frame).unwrap_or(Hello { rooms: Vec::new() });
            for (track, room) in self.conns[number].tracks.iter_mut().zip(&person.rooms) {
                let id = &self.crowd.rooms[*room as usize];
                let head = hello.rooms.iter().find(|room| room.id == *id).map_or(0, |room| room.head);
                *track = Track::starting(head + 1);
            }
        }
        self.conns[number].phase = Phase::Ready;
        self.ready += 1;
    }

    /// A connection ended that this program did not end.
    pub(super) fn gone(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        if conn.phase == Phase::Ready {
            self.ready -= 1;
        }
        if conn.phase != Phase::Gone {
            self.faults.broken += 1;
        }
        conn.phase = Phase::Gone;
        conn.line = None;
    }

    /// Sends a few bytes. A connection that cannot take them counts as gone.
    pub(super) fn write(&mut self, number: usize, bytes: &[u8]) {
        let sent = self.conns[number].line.as_mut().map(|line| line.send(bytes));
        if sent.is_none_or(|sent| sent.is_err()) {
            self.gone(number);
        }
    }
}
