//! Clients on real sockets, and what every story ends with.

use crate::support::{Actor, Server};
use client::{Backoff, Client, Connection, Options, Received};
use protocol::frame::Reply;
use protocol::{Event, RoomId, ServerFrame};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// How long anything may take. Long, for a busy machine: nothing waits this long unless it is lost.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Comes back at once and keeps every text received.
pub fn options() -> Options {
    Options {
        backoff: Backoff::new(Duration::from_millis(2), Duration::from_millis(50)),
        patience: PATIENCE,
        record: true,
        ..Options::default()
    }
}

/// What must come before patience ends.
pub async fn in_time<T>(what: &str, waited: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, waited).await {
        Ok(came) => came,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// A device of somebody.
pub async fn client(who: &Actor) -> Client {
    client_at(who.address, who).await
}

/// A device of somebody, by way of another address than the server's own.
pub async fn client_at(address: SocketAddr, who: &Actor) -> Client {
    Client::connect_with(address.to_string(), &who.token, options()).await.unwrap()
}

/// A bare connection of somebody: resumes nothing, keeps nothing.
pub async fn connection(who: &Actor) -> Connection {
    Connection::open(&who.address.to_string(), Some(&who.token)).await.unwrap()
}

/// The room of this name among somebody's own.
pub fn room(of: &Client, name: &str) -> RoomId {
    of.room(name).unwrap_or_else(|| panic!("{} is in no {name}", of.me().name))
}

/// The end of every story: what clients built from events is what the server has, and nothing broke on the way.
pub async fn everyone_agrees(server: &Server, clients: &[&Client]) {
    for client in clients {
        client.agrees().await.unwrap();
    }
    nothing_broke(server);
}

/// No gateway panicked.
pub fn nothing_broke(server: &Server) {
    assert_eq!(server.running.app().delivery.stats().panics, 0);
}

/// Waits until every one of these stands at the same `seq` of a room as the server.
pub async fn all_have(clients: &[&Client], room: RoomId, seq: u64) {
    for client in clients {
        let what = format!("seq {seq}");
        client
            .wait_until(&what, |state| state.timelines.get(&room).is_some_and(|t| t.last() >= seq))
            .await
            .unwrap();
    }
}

/// The texts of a timeline, oldest first.
pub fn texts(client: &Client, room: RoomId) -> Vec<String> {
    client.messages(room).into_iter().map(|message| message.body.text).collect()
}

/// The recorded texts as JSON.
pub fn frames(client: &Client) -> Vec<Value> {
    client.recorded().iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// The next reply of a bare connection; other frames are passed over.
pub async fn next_reply(connection: &mut Connection) -> Reply {
    loop {
        if let Some(ServerFrame::Reply(reply)) = next_frame(connection).await {
            return reply;
        }
    }
}

/// The next event of a bare connection; other frames are passed over.
pub async fn next_event(connection: &mut Connection) -> Event {
    loop {
        match next_frame(connection).await {
            Some(ServerFrame::Event(event)) => return event,
            Some(_) => {}
            None => panic!("the connection ended before the next event"),
        }
    }
}

/// The next frame of a bare connection; none at its end.
pub async fn next_frame(connection: &mut Connection) -> Option<ServerFrame> {
    in_time("a frame", connection.next_frame()).await
}

/// The code a bare connection is closed with, and the texts that came before.
pub async fn closing(connection: &mut Connection) -> (Option<u16>, Vec<String>) {
    let mut texts = Vec::new();
    loop {
        match in_time("the close", connection.next()).await {
            Received::Frame { text, .. } | Received::Unreadable(text) => texts.push(text),
            Received::Sign => {}
            Received::Closed(closing) => return (closing.code, texts),
        }
    }
}
