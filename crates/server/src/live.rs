//! Where events meet connections: the one place that encodes, publishes, follows and unfollows.
//!
//! One task applies what was committed and what connections ask for in one order, so that rights and messages cannot
//! overtake each other. It keeps who is connected, in which rooms, and how far each room has been told.

mod conns;
mod encode;
#[cfg(test)]
mod greeting_tests;
mod job;
mod keys;
mod people;
mod room;
mod rooms;
mod simple;
mod tables;
mod task;
mod told;

pub(crate) use encode::{native, plain};
pub use job::{Entered, Entering, Greeting, Here, Resuming};
pub(crate) use keys::is_room;
pub use keys::{NATIVE, SIMPLE};
pub use rooms::{Beaten, Rooms};

use crate::pacing::Pacing;
use chat::{Batch, Caller, Chat, RoomKey};
use delivery::{ConnId, Delivery};
use job::Job;
use protocol::SessionId;
use protocol::simple::SimpleRooms;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tables::Tables;
use tokio::sync::{mpsc, oneshot};

/// The handle of the task.
#[derive(Clone)]
pub struct Live {
    jobs: mpsc::UnboundedSender<Job>,
    encoded: Arc<AtomicU64>,
    moves: Arc<AtomicU64>,
}

/// Lasts while what a connection is told first is being read from the database. As long as there is an arrival, the task
/// notes how far it has told even the rooms that nobody connected is in. So it knows of an event that was told between the
/// read and the connection's first follow.
pub struct Arrival(mpsc::UnboundedSender<Job>);

impl Drop for Arrival {
    fn drop(&mut self) {
        // After the end of the task nobody arrives any more.
        let _ = self.0.send(Job::Arrived);
    }
}

impl Live {
    /// Starts the task on the stream of what is committed.
    pub fn start(chat: Chat, delivery: Delivery, pacing: Pacing, committed: mpsc::Receiver<Batch>) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let encoded = Arc::new(AtomicU64::new(0));
        let tables = Tables::new(chat, delivery, pacing, Arc::clone(&encoded), jobs.downgrade());
        let moves = Arc::clone(&tables.moves);
        tokio::spawn(task::run(tables, committed, waiting));
        Self { jobs, encoded, moves }
    }

    /// Takes note that what a connection is told first is about to be read. Answers with nothing once the server stops.
    pub async fn arrive(&self) -> Option<Arrival> {
        // Made before the job is sent: should the caller give up waiting, the arrival still ends after it began.
        let arrival = Arrival(self.jobs.clone());
        self.ask(|noted| Job::Arriving { noted }).await?;
        Some(arrival)
    }

    /// Takes note of a new native connection of `caller`: from here on the connection misses no change of the user's
    /// memberships. Answers with the rooms of the user, which stay current; with nothing once the server stops.
    pub async fn register(&self, conn: ConnId, caller: Caller) -> Option<(Arrival, Arc<Rooms>)> {
        let arrival = Arrival(self.jobs.clone());
        let rooms = self.ask(|rooms| Job::Register { conn, caller, rooms }).await?;
        Some((arrival, rooms))
    }

    /// Greets a registered and attached connection. It is told its `hello`, then the personal frames that came meanwhile,
    /// and then every room from the head that the greeting names. The rooms were read during an [`Arrival`] that still
    /// lasts.
    pub fn greet(&self, conn: ConnId, greeting: Greeting) {
        self.send(Job::Greet { conn, greeting: Box::new(greeting) });
    }

    /// Makes a connection hear a room again from a place. Answers with the room's head; with nothing when the room is none
    /// of the user's.
    pub async fn resume(&self, resuming: Resuming) -> Option<u64> {
        self.ask(|head| Job::Resume { resuming, head }).await.flatten()
    }

    /// Takes note of a simple connection, in no room yet. `caller` is the user of its token, if it came with one.
    pub fn visit(&self, conn: ConnId, caller: Option<Caller>) {
        self.send(Job::Visit { conn, caller });
    }

    /// Brings a simple connection into a room. The history was read during an [`Arrival`] that still lasts.
    pub async fn enter(&self, entering: Entering) -> Option<Entered> {
        self.ask(|entered| Job::Enter { entering: Box::new(entering), entered }).await
    }

    /// Takes a simple connection out of its room, if it is in one.
    pub async fn leave(&self, conn: ConnId) {
        self.ask(|done| Job::Leave { conn, done }).await;
    }

    /// The visitor of a simple connection has spoken, and is the user `caller` from now on.
    pub fn known(&self, conn: ConnId, caller: Caller) {
        self.send(Job::Known { conn, caller });
    }

    /// A connection is over.
    pub fn closed(&self, conn: ConnId) {
        self.send(Job::Closed { conn });
    }

    /// Who is connected now in a room.
    pub async fn here(&self, room: RoomKey) -> Here {
        self.ask(|here| Job::Here { room, here }).await.unwrap_or_default()
    }

    /// Whether somebody connected goes by a folded name, in any room.
    pub async fn is_name_here(&self, folded: String) -> bool {
        self.ask(|here| Job::NameHere { folded, here }).await.unwrap_or_default()
    }

    /// The sessions that somebody is connected in, each once.
    pub async fn sessions(&self) -> Vec<SessionId> {
        self.ask(|sessions| Job::Sessions { sessions }).await.unwrap_or_default()
    }

    /// Open rooms with somebody connected, by name.
    pub async fn simple_rooms(&self) -> SimpleRooms {
        self.ask(|rooms| Job::SimpleRooms { rooms }).await.unwrap_or(SimpleRooms { rooms: Vec::new() })
    }

    /// A counter that goes up whenever a room of somebody connected has moved, after the room's head has; never 0.
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// Events encoded since the start: each once for every wire protocol that had a listener.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }

    /// Ends the task, once it has told all that was committed before.
    pub async fn stop(&self) {
        self.ask(|done| Job::Stop { done }).await;
    }

    fn send(&self, job: Job) {
        // After the end of the task nobody is connected any more.
        let _ = self.jobs.send(job);
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        self.send(job(answer));
        asked.await.ok()
    }
}
