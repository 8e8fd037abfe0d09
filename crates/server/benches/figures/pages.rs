//! A page of history in a room of a million messages, at any depth.

use crate::quantile;
use chat::{Caller, Chat, Clock, Database, Window};
use protocol::RoomId;
use rusqlite::{Connection, params};
use std::time::Instant;

/// How many the room has.
pub const MESSAGES: u64 = 1_000_000;

/// Somebody who reads the first room of a new database, through the product and its thread hop, without a network.
pub struct Reader {
    chat: Chat,
    ana: Caller,
    room: RoomId,
}

impl Reader {
    pub async fn open(database: Database) -> Self {
        let (chat, mut told) = Chat::open(database, Clock::system()).await.unwrap();
        tokio::spawn(async move { while told.recv().await.is_some() {} });
        let ana = chat.set_up("Ana", "correct horse").await.unwrap().caller;
        let room = chat.rooms_of(ana.key()).await.unwrap()[0].1.id;
        Self { chat, ana, room }
    }

    /// Milliseconds that each of 2,000 pages of 50 takes, at all depths of a room that was filled.
    pub async fn read(&self) -> Vec<f64> {
        let mut times = Vec::new();
        // A stride that visits every depth in no order.
        for step in 0..2_000_u64 {
            let seq = 1 + step.wrapping_mul(7_919_317) % MESSAGES;
            let window = if step % 2 == 0 { Window::Before(seq) } else { Window::Around(seq) };
            let began = Instant::now();
            let page = self.chat.list_messages(&self.ana, self.room, window, Some(50)).await.unwrap();
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            assert!(!page.messages.is_empty() || seq < 3);
        }
        times
    }
}

/// Fills a room and reads pages all over it.
pub async fn in_a_large_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roomful.db");
    let reader = Reader::open(Database::File(path.clone())).await;
    fill(&Connection::open(&path).unwrap());
    let mut times = reader.read().await;
    println!(
        "a page of 50 in a room of {MESSAGES}: median {:.2} ms, p99 {:.2} ms, worst {:.2} ms of 2,000 at all depths",
        quantile(&mut times, 0.5),
        quantile(&mut times, 0.99),
        quantile(&mut times, 1.0)
    );
}

/// Puts a million messages into the first room, by its owner.
pub fn fill(sql: &Connection) {
    sql.execute_batch("pragma synchronous = off; begin immediate").unwrap();
    let head: u64 = sql.query_row("select head from rooms where key = 1", [], |row| row.get(0)).unwrap();
    let mut messages = sql
        .prepare(
            "insert into messages (room, seq, n, author, nonce, digest, at, rev, text) values (1, ?1, ?2, 1, ?3, x'00', ?4, ?1, ?5)",
        )
        .unwrap();
    let mut events = sql
        .prepare("insert into events (room, seq, kind, by, at) values (1, ?1, 'message_posted', 1, ?2)")
        .unwrap();
    for n in 1..=MESSAGES {
        let (seq, at) = (head + n, n);
        messages.execute(params![seq, n, format!("n{n}"), at, crate::posting::TEXT]).unwrap();
        events.execute(params![seq, at]).unwrap();
    }
    drop((messages, events));
    sql.execute("update rooms set head = ?1, n = ?2 where key = 1", params![head + MESSAGES, MESSAGES])
        .unwrap();
    sql.execute_batch("commit").unwrap();
}
