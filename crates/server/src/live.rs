//! Where events meet connections: the one place that encodes, publishes, follows and unfollows.
//!
//! One task applies what was committed and what connections ask for in one order, so that rights and messages cannot
//! overtake each other. It keeps who is connected, in which rooms, and how far each room has been told.

mod conns;
mod encode;
mod keys;
mod order;
mod people;
mod room;
mod rooms;
mod simple;
mod tables;
mod task;
mod told;

pub(crate) use encode::{native, plain};
pub(crate) use keys::is_room;
pub use keys::{NATIVE, SIMPLE};
pub use order::{Entered, Entering, Greeting, Here, Resuming};
pub use rooms::{Beaten, Rooms};

use crate::pacing::Pacing;
use chat::{Batch, Caller, Chat, RoomKey};
use delivery::{ConnId, Delivery};
use order::Order;
use protocol::SessionId;
use protocol::simple::SimpleRooms;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tables::Tables;
use tokio::sync::{mpsc, oneshot};

/// The handle of the task.
#[derive(Clone)]
pub struct Live {
    orders: mpsc::UnboundedSender<Order>,
    encoded: Arc<AtomicU64>,
    moves: Arc<AtomicU64>,
}

/// Somebody reads from the database what they are going to be told first. While it lives, the task takes note of how
/// far rooms are told that nobody holds: without it, an event between the read and the first word would be lost.
pub struct Arrival(mpsc::UnboundedSender<Order>);

impl Drop for Arrival {
    fn drop(&mut self) {
        // After the end of the task nobody arrives any more.
        let _ = self.0.send(Order::Arrived);
    }
}

impl Live {
    /// Starts the task on the stream of what is committed.
    pub fn start(chat: Chat, delivery: Delivery, pacing: Pacing, committed: mpsc::Receiver<Batch>) -> Self {
        let (orders, waiting) = mpsc::unbounded_channel();
        let encoded = Arc::new(AtomicU64::new(0));
        let tables = Tables::new(chat, delivery, pacing, Arc::clone(&encoded), orders.downgrade());
        let moves = Arc::clone(&tables.moves);
        tokio::spawn(task::run(tables, committed, waiting));
        Self { orders, encoded, moves }
    }

    /// Takes note that somebody is about to read what they will be told first; none once the server stops.
    pub async fn arrive(&self) -> Option<Arrival> {
        // Made first: should nobody wait for the answer any more, its end still follows its beginning.
        let arrival = Arrival(self.orders.clone());
        self.ask(|noted| Order::Arriving { noted }).await?;
        Some(arrival)
    }

    /// Takes note of a native connection of `caller`, who arrives: from here on no change of their memberships passes it
    /// by. Answers with the rooms of the user, which stay current; nothing once the server stops.
    pub async fn register(&self, conn: ConnId, caller: Caller) -> Option<(Arrival, Arc<Rooms>)> {
        let arrival = Arrival(self.orders.clone());
        let rooms = self.ask(|rooms| Order::Register { conn, caller, rooms }).await?;
        Some((arrival, rooms))
    }

    /// Greets a registered and attached connection: `hello`, then every room from where the greeting read it. The
    /// rooms were read during an [`Arrival`] that still lasts.
    pub fn greet(&self, conn: ConnId, greeting: Greeting) {
        self.send(Order::Greet { conn, greeting: Box::new(greeting) });
    }

    /// Takes a room up again from a place. Answers with the room's head; nothing when it is none of the user's.
    pub async fn resume(&self, resuming: Resuming) -> Option<u64> {
        self.ask(|head| Order::Resume { resuming, head }).await.flatten()
    }

    /// Takes note of a simple connection, in no room yet, of a token's user or of somebody passing.
    pub fn visit(&self, conn: ConnId, caller: Option<Caller>) {
        self.send(Order::Visit { conn, caller });
    }

    /// Brings a simple connection into a room. The history was read during an [`Arrival`] that still lasts.
    pub async fn enter(&self, entering: Entering) -> Option<Entered> {
        self.ask(|entered| Order::Enter { entering: Box::new(entering), entered }).await
    }

    /// Takes a simple connection out of its room, if it is in one.
    pub async fn leave(&self, conn: ConnId) {
        self.ask(|done| Order::Leave { conn, done }).await;
    }

    /// A simple connection is a user from now on.
    pub fn known(&self, conn: ConnId, caller: Caller) {
        self.send(Order::Known { conn, caller });
    }

    /// A connection is over.
    pub fn closed(&self, conn: ConnId) {
        self.send(Order::Closed { conn });
    }

    /// Who is connected now in a room.
    pub async fn here(&self, room: RoomKey) -> Here {
        self.ask(|here| Order::Here { room, here }).await.unwrap_or_default()
    }

    /// Whether somebody connected goes by a folded name, in any room.
    pub async fn is_name_here(&self, folded: String) -> bool {
        self.ask(|here| Order::NameHere { folded, here }).await.unwrap_or_default()
    }

    /// The sessions that somebody is connected in, each once.
    pub async fn sessions(&self) -> Vec<SessionId> {
        self.ask(|sessions| Order::Sessions { sessions }).await.unwrap_or_default()
    }

    /// Open rooms with somebody connected, by name.
    pub async fn simple_rooms(&self) -> SimpleRooms {
        self.ask(|rooms| Order::SimpleRooms { rooms }).await.unwrap_or(SimpleRooms { rooms: Vec::new() })
    }

    /// Counts when a room that somebody here is in has moved, after its head tells so; never 0.
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// Events encoded since the start: each once for every wire protocol that had a listener.
    pub fn encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }

    /// Ends the task, after all that was committed before.
    pub async fn stop(&self) {
        self.ask(|done| Order::Stop { done }).await;
    }

    fn send(&self, order: Order) {
        // After the end of the task nobody is connected any more.
        let _ = self.orders.send(order);
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (answer, asked) = oneshot::channel();
        self.send(order(answer));
        asked.await.ok()
    }
}
