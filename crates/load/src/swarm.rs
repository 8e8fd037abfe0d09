//! Thousands of connections on one thread and one epoll, which read everything and check it.
//!
//! No task, timer or buffer per connection, and no JSON parser on the path of a delivery: the server is measured, and
//! not the load.

mod conn;
mod inflating;
mod line;
mod opening;
mod posting;
mod reading;

pub use conn::Phase;
pub use posting::Pace;

use crate::book::Book;
use crate::checker::Faults;
use crate::mark::Eye;
use crate::people::{Crowd, Protocol};
use crate::way::Way;
use anyhow::Result;
use conn::Conn;
use inflating::Inflating;
use mio::{Events, Poll};
use posting::Posting;
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;
/// Bytes read from a socket at a time.
const SCRATCH: usize = 256 << 10;

/// Counts of what was read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read {
    /// Calls that brought something.
    pub reads: u64,
    /// Frames that were deliveries of posts.
    pub frames: u64,
    /// Bytes of those frames, headers included.
    pub bytes: u64,
    /// Times a server said that a connection fell behind.
    pub lagged: u64,
}

/// The connections of one run.
pub struct Swarm {
    way: Way,
    protocol: Protocol,
    /// Whether a native connection names its room when it asks to be let in: the lower bound has no memberships.
    names_room: bool,
    crowd: Crowd,
    /// Rooms by id.
    rooms: HashMap<Vec<u8>, u32>,
    poll: Poll,
    scratch: Vec<u8>,
    /// Decrypted bytes, over TLS.
    plain: Vec<u8>,
    inflating: Inflating,
    eye: Eye,
    conns: Vec<Conn>,
    posting: Posting,
    /// When each post was due, and how many have heard it.
    pub book: Book,
    /// The deliveries that went wrong so far.
    pub faults: Faults,
    /// The counts so far.
    pub read: Read,
    ready: usize,
}

impl Swarm {
    /// A swarm in which none has connected yet. `listeners` of the people read what comes; the others will stall.
    ///
    /// # Errors
    /// When the kernel gives no epoll.
    pub fn new(
        way: Way,
        protocol: Protocol,
        names_room: bool,
        crowd: Crowd,
        listeners: usize,
    ) -> Result<Self> {
        let mut heard_by = vec![0_u32; crowd.rooms.len()];
        for room in crowd.people.iter().take(listeners).flat_map(|person| &person.rooms) {
            heard_by[*room as usize] += 1;
        }
        let audience = heard_by.iter().flat_map(|heard_by| vec![*heard_by; crowd.senders]).collect();
        let rooms = crowd.rooms.iter().zip(0..).map(|(id, index)| (id.clone().into_bytes(), index)).collect();
        Ok(Self {
            way,
            protocol,
            names_room,
            rooms,
            poll: Poll::new()?,
            scratch: vec![0; SCRATCH],
            plain: Vec::new(),
            inflating: Inflating::default(),
            eye: Eye::default(),
            conns: Vec::with_capacity(crowd.people.len()),
            posting: Posting::new(&crowd),
            crowd,
            book: Book::new(audience),
            faults: Faults::default(),
            read: Read::default(),
            ready: 0,
        })
    }

    /// Reads until `until`, without posting.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn listen(&mut self, until: Instant) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.pass(&mut events, Some(left))?;
        }
        Ok(())
    }

    /// Stops reading from a connection, which stays open.
    ///
    /// # Errors
    /// When the kernel does not know the socket.
    pub fn stall(&mut self, number: usize) -> Result<()> {
        let conn = &mut self.conns[number];
        if let Some(line) = &mut conn.line {
            self.poll.registry().deregister(&mut line.socket)?;
        }
        conn.phase = Phase::Stalled;
        Ok(())
    }

    /// Ends every stream: a delivery that has not come by now is lost.
    pub fn settle(&mut self) {
        for (conn, person) in self.conns.iter().zip(&self.crowd.people) {
            if conn.phase == Phase::Ready && self.protocol == Protocol::Simple {
                let first = person.rooms.first().map_or(0, |room| *room as usize * self.crowd.senders);
                for (track, sender) in conn.tracks.iter().zip(first..) {
                    track.end(self.book.count(sender as u32), &mut self.faults);
                }
            }
        }
        if self.protocol == Protocol::Native {
            self.settle_rooms();
        }
    }

    /// Only the readers tell a room's last seq. A reader that is behind the first of them has lost the rest.
    fn settle_rooms(&mut self) {
        let mut ends = vec![0; self.crowd.rooms.len()];
        let tracks = || {
            self.conns
                .iter()
                .zip(&self.crowd.people)
                .filter(|(conn, _)| conn.phase == Phase::Ready)
                .flat_map(|(conn, person)| person.rooms.iter().zip(&conn.tracks))
        };
        for (room, track) in tracks() {
            ends[*room as usize] = track.next().max(ends[*room as usize]);
        }
        let mut faults = Faults::default();
        for (room, track) in tracks() {
            track.end(ends[*room as usize], &mut faults);
        }
        self.faults += faults;
    }

    /// Waits at most `timeout` for events and reads what has come.
    fn pass(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<()> {
        if let Err(error) = self.poll.poll(events, timeout) {
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error.into());
            }
            events.clear();
        }
        for event in events.iter() {
            let number = event.token().0;
            if event.is_writable() && self.conns[number].phase == Phase::Connecting {
                self.ask_to_be_let_in(number);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.read(number);
            }
        }
        Ok(())
    }

    fn events() -> Events {
        Events::with_capacity(EVENTS)
    }
}
