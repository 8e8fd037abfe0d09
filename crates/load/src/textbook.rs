//! The textbook server: axum's WebSockets, a broadcast channel for each room, a task for each connection.
//!
//! Many would write a server in this way first, so it is a fair second yardstick. It speaks enough of the simple
//! protocol to be measured, stores nothing and checks nothing.

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use protocol::simple::{Chat, ChatIn, SimpleCommand, SimpleFrame};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Sender};

/// Messages that a channel keeps for receivers that are behind.
const KEPT: usize = 1024;

type Rooms = Arc<Mutex<HashMap<String, Arc<Room>>>>;

struct Room {
    said: Sender<Utf8Bytes>,
    seq: AtomicU64,
}

/// Serves for ever on a free port of the loopback interface, which it prints.
///
/// # Errors
/// When it cannot listen.
#[tokio::main]
pub async fn run() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("http://{}", listener.local_addr()?);
    let routes = Router::new().route("/ws", get(open)).with_state(Rooms::default());
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    Ok(axum::serve(listener, routes).await?)
}

async fn open(State(rooms): State<Rooms>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|socket| serve(rooms, socket))
}

async fn serve(rooms: Rooms, mut socket: WebSocket) {
    let Some((name, room)) = join(&rooms, &mut socket).await else { return };
    let mut heard = room.1.said.subscribe();
    let welcome = SimpleFrame::Welcome {
        room: room.0.clone(),
        username: name.clone(),
        users: Vec::new(),
        count: None,
        history: Vec::new(),
    };
    if socket.send(text(&welcome)).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            said = heard.recv() => match said {
                Ok(said) => {
                    if socket.send(Message::Text(said)).await.is_err() {
                        return;
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
            },
            came = socket.recv() => match came {
                Some(Ok(Message::Text(came))) => say(&room, &name, &came),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn join(rooms: &Rooms, socket: &mut WebSocket) -> Option<(String, (String, Arc<Room>))> {
    while let Some(Ok(came)) = socket.recv().await {
        let Message::Text(came) = came else { continue };
        if let Ok(SimpleCommand::Join { room, username }) = serde_json::from_str(&came) {
            let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = rooms
                .entry(room.clone())
                .or_insert_with(|| Arc::new(Room { said: Sender::new(KEPT), seq: AtomicU64::new(0) }));
            return Some((username, (room, Arc::clone(entry))));
        }
    }
    None
}

fn say((name_of_room, room): &(String, Arc<Room>), username: &str, came: &str) {
    let Ok(SimpleCommand::Chat { text: said }) = serde_json::from_str(came) else { return };
    let ts = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    let seq = room.seq.fetch_add(1, Ordering::Relaxed) + 1;
    let chat = Chat { username: username.to_owned(), text: said, ts, seq };
    let frame = SimpleFrame::Chat(ChatIn { room: name_of_room.clone(), chat });
    if let Message::Text(frame) = text(&frame) {
        // Fails only without any listener, and the speaker listens.
        let _ = room.said.send(frame);
    }
}

fn text(frame: &SimpleFrame) -> Message {
    // The protocol's types have string keys and no floats, so they always have a JSON form.
    Message::text(serde_json::to_string(frame).unwrap_or_default())
}
