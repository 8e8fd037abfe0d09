//! The yardstick of posting: the same rows into the same tables in the same batches, by a bare loop.

use chat::{Chat, Clock};
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::Path;
use std::time::{Duration, Instant};

/// As many as the server's writers are in.
pub const ROOMS: i64 = 4;

/// What one run of the bare loop reached.
pub struct Bare {
    pub per_second: f64,
}

/// Posts for about `span`, `batch` rows a commit, on a new database with the schema of the product.
pub async fn run(span: Duration, batch: usize) -> Bare {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roomful.db");
    let (chat, _) = Chat::open(&path, Clock::system()).await.unwrap();
    chat.close().await;
    let mut connection = open(&path);
    let ids: Vec<Vec<u8>> = (1..=ROOMS).map(|key| prepare(&connection, key)).collect();
    let (began, mut rows) = (Instant::now(), 0_u64);
    while began.elapsed() < span {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        for _ in 0..batch {
            rows += 1;
            let key = 1 + rows as i64 % ROOMS;
            let id = &ids[key as usize - 1];
            insert(&tx, id, key, key, &format!("01a202e3-aca6-71cd-9ec3-{rows:012x}"));
        }
        tx.commit().unwrap();
        if rows.is_multiple_of(16_384) {
            connection.query_row("pragma wal_checkpoint(restart)", [], |_| Ok(())).unwrap();
        }
    }
    Bare { per_second: rows as f64 / began.elapsed().as_secs_f64() }
}

/// A user and a room they are in, both of this key.
fn prepare(sql: &Connection, key: i64) -> Vec<u8> {
    let name = format!("dot {key}");
    sql.execute(
        "insert into users (key, id, name, folded, role, created_at) values (?1, randomblob(16), ?2, ?2, 'guest', 0)",
        params![key, name],
    )
    .unwrap();
    sql.execute(
        "insert or ignore into rooms (key, id, kind, name, folded, opened_at) values (?1, randomblob(16), 'open', ?2, ?2, 0)",
        params![key, name],
    )
    .unwrap();
    sql.execute("insert into memberships values (?1, ?1, 'owner', 0, 0, 0)", [key]).unwrap();
    sql.query_row("select id from rooms where key = ?1", [key], |row| row.get(0)).unwrap()
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 0;")
        .unwrap();
    connection
}

fn insert(sql: &Connection, id: &[u8], room: i64, author: i64, nonce: &str) {
    let seen = sql
        .prepare_cached("select seq from messages where nonce = ?1 and author = ?2")
        .unwrap()
        .exists(params![nonce, author])
        .unwrap();
    assert!(!seen);
    let (seq, n): (i64, i64) = sql
        .prepare_cached(
            "update rooms set head = head + 1, n = n + 1, provisional = 0
             where id = ?1 and exists (select 1 from memberships m where m.room = rooms.key and m.user = ?2)
             returning head, n",
        )
        .unwrap()
        .query_row(params![id, author], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    sql.prepare_cached(
        "insert into messages (room, seq, n, author, nonce, digest, at, rev, text) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?2, ?8)",
    )
    .unwrap()
    .execute(params![room, seq, n, author, nonce, [7_u8; 16], 1_795_344_805_029_i64, crate::posting::TEXT])
    .unwrap();
    sql.prepare_cached(
        "insert into events (room, seq, kind, by, at) values (?1, ?2, 'message_posted', ?3, ?4)",
    )
    .unwrap()
    .execute(params![room, seq, author, 1_795_344_805_029_i64])
    .unwrap();
}
