//! A page of history in a room of a million messages, at any depth.

use crate::quantile;
use chat::{Chat, Clock, Window};
use rusqlite::{Connection, params};
use std::time::Instant;

const MESSAGES: u64 = 1_000_000;

/// Fills a room and reads pages of 50 all over it, through the product and its thread hop, without a network.
pub async fn in_a_large_room() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roomful.db");
    let (chat, mut told) = Chat::open(&path, Clock::system()).await.unwrap();
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let ana = chat.set_up("Ana", "correct horse").await.unwrap().caller;
    let room = chat.rooms_of(ana.key()).await.unwrap()[0].1.id;
    fill(&Connection::open(&path).unwrap());
    let mut times = Vec::new();
    // A stride that visits every depth in no order.
    for step in 0..2_000_u64 {
        let seq = 1 + step.wrapping_mul(7_919_317) % MESSAGES;
        let window = if step % 2 == 0 { Window::Before(seq) } else { Window::Around(seq) };
        let began = Instant::now();
        let page = chat.list_messages(&ana, room, window, Some(50)).await.unwrap();
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        assert!(!page.messages.is_empty() || seq < 3);
    }
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
