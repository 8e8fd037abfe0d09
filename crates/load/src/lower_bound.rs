//! The lower bound (LB): the cost of handing the same bytes to the kernel, and nothing else.
//!
//! One thread, one epoll, plain non-blocking sockets. LB reads a post, puts it into a frame of the same bytes as
//! Roomful's, and appends the frame to its room's buffer. A connection is an offset in that buffer, and the bytes that it
//! lacks leave in one `send`. After 256 sends LB looks for new posts, as Roomful's shards do, so frames gather under
//! load in the same way. Every 25 seconds each connection gets a ping, and a native one the shortest beat with it.
//! There are no rights, no database and no JSON: a server cannot do less and still deliver.

mod frames;
mod room;

use crate::wire::{self, ACCEPT};
use anyhow::Result;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use room::Room;
use slab::Slab;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const LISTENER: Token = Token(usize::MAX);
/// Sends between two looks at what has become readable.
const SENDS: usize = 256;
/// How often a part of all connections gets a beat, and how many parts there are.
const TICK: Duration = Duration::from_secs(1);
const PARTS: usize = 25;
const PING: [u8; 2] = [0x89, 0];

struct Conn {
    socket: TcpStream,
    /// Bytes that were read and are no whole frame yet.
    left: Vec<u8>,
    shaken: bool,
    native: bool,
    name: String,
    room: Option<usize>,
    /// How much of the room's buffer was sent.
    offset: u64,
    blocked: bool,
}

struct LowerBound {
    poll: Poll,
    listener: TcpListener,
    conns: Slab<Conn>,
    rooms: Vec<Room>,
    names: HashMap<String, usize>,
    dirty: VecDeque<usize>,
    scratch: Vec<u8>,
    ticked: Instant,
    ticks: usize,
}

/// Serves for ever on a free port of the loopback interface, which it prints.
///
/// # Errors
/// When it cannot listen or wait.
pub fn run() -> Result<()> {
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("http://{}", listener.local_addr()?);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut server = LowerBound {
        poll,
        listener,
        conns: Slab::new(),
        rooms: Vec::new(),
        names: HashMap::new(),
        dirty: VecDeque::new(),
        scratch: vec![0; 64 << 10],
        ticked: Instant::now(),
        ticks: 0,
    };
    let mut events = Events::with_capacity(1024);
    loop {
        server.pass(&mut events)?;
    }
}

impl LowerBound {
    fn pass(&mut self, events: &mut Events) -> Result<()> {
        let rest = TICK.saturating_sub(self.ticked.elapsed());
        let timeout = if self.dirty.is_empty() { rest } else { Duration::ZERO };
        if let Err(error) = self.poll.poll(events, Some(timeout)) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error.into());
            }
            events.clear();
        }
        for event in events.iter() {
            if event.token() == LISTENER {
                self.accept()?;
                continue;
            }
            let slot = event.token().0;
            if event.is_writable() && self.conns.get(slot).is_some_and(|conn| conn.blocked) {
                self.conns[slot].blocked = false;
                self.send(slot);
            }
            if event.is_readable() {
                self.read(slot);
            }
        }
        self.take_turns();
        self.beat();
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut socket, _)) => {
                    socket.set_nodelay(true)?;
                    let entry = self.conns.vacant_entry();
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    self.poll.registry().register(&mut socket, Token(entry.key()), interest)?;
                    entry.insert(Conn {
                        socket,
                        left: Vec::new(),
                        shaken: false,
                        native: false,
                        name: String::new(),
                        room: None,
                        offset: 0,
                        blocked: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn read(&mut self, slot: usize) {
        loop {
            let Some(conn) = self.conns.get_mut(slot) else { return };
            match conn.socket.read(&mut self.scratch) {
                Ok(0) => return self.lose(slot),
                Ok(read) => {
                    conn.left.extend_from_slice(&self.scratch[..read]);
                    self.understand(slot);
                    if read < self.scratch.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.lose(slot),
            }
        }
    }

    fn understand(&mut self, slot: usize) {
        let mut left = std::mem::take(&mut self.conns[slot].left);
        let mut done = 0;
        if !self.conns[slot].shaken {
            let Some(end) = wire::head_end(&left) else {
                self.conns[slot].left = left;
                return;
            };
            self.shake(slot, &String::from_utf8_lossy(&left[..end]));
            done = end;
        }
        while let Some(frame) = wire::first(&left[done..]) {
            if frame.kind == wire::Kind::Text {
                self.hear(slot, &left[done..][frame.payload.clone()]);
            }
            done += frame.payload.end;
        }
        left.drain(..done);
        if !left.is_empty()
            && let Some(conn) = self.conns.get_mut(slot)
        {
            conn.left = left;
        }
    }

    /// Answers the handshake. A native client names its room in the request, for it has no membership here.
    fn shake(&mut self, slot: usize, head: &str) {
        let native = head.contains("Sec-WebSocket-Protocol");
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n"
        );
        if native {
            answer.push_str(&format!("Sec-WebSocket-Protocol: {}\r\n", protocol::SUBPROTOCOL));
        }
        answer.push_str("\r\n");
        let conn = &mut self.conns[slot];
        conn.shaken = true;
        conn.native = native;
        self.say(slot, answer.as_bytes());
        if native {
            let room = head.split_once("?room=").and_then(|(_, rest)| rest.split(' ').next());
            let seq = self.enter(slot, room.unwrap_or_default());
            let hello = frames::hello(room.unwrap_or_default(), seq);
            self.say_text(slot, hello.as_bytes());
        }
    }

    fn hear(&mut self, slot: usize, text: &[u8]) {
        let field = |name: &str| frames::field(text, name).unwrap_or_default();
        match field("type") {
            "join" => {
                field("username").clone_into(&mut self.conns[slot].name);
                self.enter(slot, field("room"));
                self.say_text(slot, br#"{"type":"welcome"}"#);
            }
            "chat" | "post_message" => self.publish(slot, text),
            _ => {}
        }
    }

    /// Puts a connection into a room; returns how far the room has come.
    fn enter(&mut self, slot: usize, name: &str) -> u64 {
        let index = *self.names.entry(name.to_owned()).or_insert_with(|| {
            self.rooms.push(Room::new(name));
            self.rooms.len() - 1
        });
        let room = &mut self.rooms[index];
        room.followers.push(slot);
        self.conns[slot].room = Some(index);
        self.conns[slot].offset = room.end();
        room.seq
    }

    fn publish(&mut self, slot: usize, text: &[u8]) {
        let conn = &self.conns[slot];
        let Some(index) = conn.room else { return };
        let room = &mut self.rooms[index];
        room.seq += 1;
        if conn.native {
            frames::native(&mut room.buffer, &room.name, room.seq, text);
            let reply = frames::reply(room.seq, text);
            self.say_text(slot, reply.as_bytes());
        } else {
            frames::simple(&mut room.buffer, &room.name, &conn.name, room.seq, text);
        }
        let room = &mut self.rooms[index];
        if !std::mem::replace(&mut room.dirty, true) {
            room.begin_pass();
            self.dirty.push_back(index);
        }
    }

    /// Gives rooms their turns until this pass has used up its sends. A room whose turn is cut short goes to the end
    /// of the line.
    fn take_turns(&mut self) {
        let mut sends = SENDS;
        while let Some(index) = self.dirty.pop_front() {
            while sends > 0 {
                let Some(slot) = self.rooms[index].next() else { break };
                let conn = &self.conns[slot];
                if conn.blocked || conn.offset >= self.rooms[index].end() {
                    continue;
                }
                sends -= 1;
                self.send(slot);
            }
            if sends == 0 {
                self.dirty.push_back(index);
                return;
            }
        }
    }

    fn send(&mut self, slot: usize) {
        let Some(conn) = self.conns.get_mut(slot) else { return };
        let Some(room) = conn.room.map(|index| &self.rooms[index]) else { return };
        conn.offset = conn.offset.max(room.start());
        while conn.offset < room.end() {
            match conn.socket.write(room.from(conn.offset)) {
                Ok(written) => conn.offset += written as u64,
                Err(error) => {
                    conn.blocked = error.kind() == io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }

    /// Sends the beat to a part of all connections, when it is due.
    fn beat(&mut self) {
        if self.ticked.elapsed() < TICK {
            return;
        }
        self.ticked = Instant::now();
        self.ticks = (self.ticks + 1) % PARTS;
        let mut native = PING.to_vec();
        wire::push_unmasked(&mut native, br#"{"type":"beat","heads":{}}"#);
        for slot in (self.ticks..self.conns.capacity()).step_by(PARTS) {
            if let Some(conn) = self.conns.get(slot)
                && conn.shaken
                && !conn.blocked
            {
                let beat = if conn.native { &native[..] } else { &PING };
                self.say(slot, beat);
            }
        }
    }

    fn say_text(&mut self, slot: usize, text: &[u8]) {
        let mut bytes = Vec::with_capacity(text.len() + 4);
        wire::push_unmasked(&mut bytes, text);
        self.say(slot, &bytes);
    }

    /// Sends a short answer on a socket with hardly anything queued. If the socket does not take it, the connection
    /// is not measured.
    fn say(&mut self, slot: usize, bytes: &[u8]) {
        let _ = self.conns[slot].socket.write(bytes);
    }

    fn lose(&mut self, slot: usize) {
        let conn = self.conns.remove(slot);
        if let Some(index) = conn.room {
            self.rooms[index].followers.retain(|follower| *follower != slot);
        }
    }
}
