//! PostgreSQL beside its yardsticks: posting beside a bare loop on the same server, pages beside those of the same room in
//! SQLite.

use crate::{bare, median, pages, posting, quantile};
use chat::{Chat, Clock, Database};
use testbed::Server;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

/// The goal for posting, as a share of the bare loop.
const SHARE: f64 = 0.5;
/// The goal for pages, as a multiple of SQLite's.
const MULTIPLE: f64 = 3.0;

/// Posts end to end on PostgreSQL. A B B A, three times, each on an empty database of one server.
pub async fn posting() {
    let server = Server::temporary().unwrap();
    let (mut ratios, mut all, mut bares) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..3 {
        let database = |which: &str| server.database(&format!("{which}_{round}")).unwrap();
        let first_bare = run(&database("bare_a")).await;
        let first = posting::post(Some(&database("posts_a"))).await;
        let second = posting::post(Some(&database("posts_b"))).await;
        let second_bare = run(&database("bare_b")).await;
        ratios.push((first.per_second + second.per_second) / (first_bare + second_bare));
        bares.extend([first_bare, second_bare]);
        all.extend([first, second]);
    }
    println!(
        "posting on PostgreSQL, {0} in flight, durable: {1:.0}/s; bare batches of {0} rows: {2:.0}/s; ratio {3:.2} (goal ≥ {SHARE}; of {4:.2?}); CPU of the server per post {5:.0} µs",
        posting::IN_FLIGHT,
        median(all.iter().map(|run| run.per_second).collect()),
        median(bares),
        median(ratios.clone()),
        ratios,
        median(all.iter().map(|run| run.cpu_us).collect()),
    );
}

/// Posts for a while by a bare loop, and says how many a second: the same rows into the same tables, each batch in one
/// transaction that goes to PostgreSQL and back twice.
async fn run(address: &str) -> f64 {
    let (chat, _) = Chat::open(Database::at(address).unwrap(), Clock::system()).await.unwrap();
    chat.close().await;
    let client = connect(address).await;
    prepare(&client).await;
    let bare = Bare::new(&client).await;
    let (began, mut rows) = (std::time::Instant::now(), 0_usize);
    while began.elapsed() < posting::SPAN {
        bare.batch(rows, posting::IN_FLIGHT).await;
        rows += posting::IN_FLIGHT;
    }
    rows as f64 / began.elapsed().as_secs_f64()
}

/// The statements of the bare loop.
struct Bare<'a> {
    client: &'a Client,
    known: Statement,
    heads: Statement,
    messages: Statement,
    events: Statement,
}

impl<'a> Bare<'a> {
    async fn new(client: &'a Client) -> Self {
        let prepare = async |text: &str| client.prepare(text).await.unwrap();
        Self {
            client,
            known: prepare(
                "select m.seq from messages m join unnest($1::text[], $2::bigint[]) as w (nonce, author)
                 on m.nonce = w.nonce and m.author = w.author",
            )
            .await,
            heads: prepare(
                "update rooms set head = head + w.posts, n = n + w.posts
                 from unnest($1::bigint[], $2::bigint[]) as w (key, posts) where rooms.key = w.key
                 and exists (select 1 from memberships m where m.room = rooms.key and m.\"user\" = w.key)
                 returning rooms.key, head, n",
            )
            .await,
            messages: prepare(
                "insert into messages (room, seq, n, author, nonce, digest, at, rev, text)
                 select room, seq, n, room, nonce, $5, $6, seq, $7
                 from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) as w (room, seq, n, nonce)",
            )
            .await,
            events: prepare(
                "insert into events (room, seq, kind, by, at)
                 select room, seq, 'message_posted', room, $3
                 from unnest($1::bigint[], $2::bigint[]) as w (room, seq)",
            )
            .await,
        }
    }

    /// One transaction of `batch` posts, evenly over the rooms, after so many `posted` before it.
    async fn batch(&self, posted: usize, batch: usize) {
        let rooms: Vec<i64> = (0..batch).map(|row| 1 + row as i64 % bare::ROOMS).collect();
        let nonces: Vec<String> =
            (0..batch).map(|row| format!("01a202e3-aca6-71cd-9ec3-{:012x}", posted + row)).collect();
        let keys: Vec<i64> = (1..=bare::ROOMS).collect();
        let posts = vec![batch as i64 / bare::ROOMS; keys.len()];
        let (asked, into): ([&(dyn ToSql + Sync); 2], [&(dyn ToSql + Sync); 2]) =
            ([&nonces, &rooms], [&keys, &posts]);
        // What is asked together is sent together.
        let (begun, known, moved) = tokio::join!(
            self.client.batch_execute("begin"),
            self.client.query(&self.known, &asked),
            self.client.query(&self.heads, &into),
        );
        begun.unwrap();
        assert!(known.unwrap().is_empty());
        let mut heads = vec![(0_i64, 0_i64); keys.len() + 1];
        for row in moved.unwrap() {
            let (key, head, n): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
            heads[key as usize] = (head - posts[0], n - posts[0]);
        }
        let places = rooms.iter().map(|room| {
            let (head, n) = &mut heads[*room as usize];
            (*head, *n) = (*head + 1, *n + 1);
            (*head, *n)
        });
        let (seqs, ns): (Vec<i64>, Vec<i64>) = places.unzip();
        let (digest, at, text) = (&[7_u8; 16][..], 1_795_344_805_029_i64, posting::TEXT);
        let messages: [&(dyn ToSql + Sync); 7] = [&rooms, &seqs, &ns, &nonces, &digest, &at, &text];
        let events: [&(dyn ToSql + Sync); 3] = [&rooms, &seqs, &at];
        let (messages, events, committed) = tokio::join!(
            self.client.execute(&self.messages, &messages),
            self.client.execute(&self.events, &events),
            self.client.batch_execute("commit"),
        );
        assert_eq!((messages.unwrap(), events.unwrap()), (batch as u64, batch as u64));
        committed.unwrap();
    }
}

/// Users and rooms, each user in the room of the same key.
async fn prepare(client: &Client) {
    let people = format!(
        "insert into users (key, id, name, folded, role, created_at)
             select key, gen_random_uuid(), 'dot ' || key, 'dot ' || key, 'guest', 0
             from generate_series(1, {0}) as w (key) on conflict do nothing;
         insert into rooms (key, id, kind, name, folded, opened_at)
             select key, gen_random_uuid(), 'open', 'dot ' || key, 'dot ' || key, 0
             from generate_series(1, {0}) as w (key) on conflict do nothing;
         insert into memberships select key, key, 'owner', 0, 0, 0 from generate_series(1, {0}) as w (key)
             on conflict do nothing",
        bare::ROOMS
    );
    client.batch_execute(&people).await.unwrap();
}

/// The same pages of the same large room, on SQLite and on PostgreSQL in turn.
pub async fn pages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("roomful.db");
    let server = Server::temporary().unwrap();
    let address = server.database("pages").unwrap();
    let sqlite = pages::Reader::open(Database::File(path.clone())).await;
    let postgres = pages::Reader::open(Database::at(&address).unwrap()).await;
    pages::fill(&rusqlite::Connection::open(&path).unwrap());
    fill(&connect(&address).await).await;
    let (mut of_sqlite, mut of_postgres) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        of_sqlite.extend(sqlite.read().await);
        of_postgres.extend(postgres.read().await);
    }
    let told = |times: &mut Vec<f64>| [0.5, 0.99].map(|share| quantile(times, share));
    let ([sqlite, sqlite_rare], [postgres, postgres_rare]) = (told(&mut of_sqlite), told(&mut of_postgres));
    println!(
        "a page of 50 in a room of {}: PostgreSQL median {postgres:.2} ms, p99 {postgres_rare:.2} ms; SQLite median {sqlite:.2} ms, p99 {sqlite_rare:.2} ms; ratio of the medians {:.1} (goal ≤ {MULTIPLE})",
        pages::MESSAGES,
        postgres / sqlite
    );
}

/// What [`pages::fill`] puts into SQLite.
async fn fill(client: &Client) {
    let text = posting::TEXT.replace('\'', "''");
    let rows = format!(
        "insert into messages (room, seq, n, author, nonce, digest, at, rev, text)
             select 1, r.head + n, n, 1, 'n' || n, '\\x00', n, r.head + n, '{text}'
             from rooms r, generate_series(1, {0}) as w (n) where r.key = 1;
         insert into events (room, seq, kind, by, at)
             select 1, r.head + n, 'message_posted', 1, n from rooms r, generate_series(1, {0}) as w (n) where r.key = 1;
         update rooms set head = head + {0}, n = {0} where key = 1",
        pages::MESSAGES
    );
    client.batch_execute(&rows).await.unwrap();
    // By itself PostgreSQL does that within a minute.
    for table in ["messages", "events"] {
        client.batch_execute(&format!("vacuum (analyze) {table}")).await.unwrap();
    }
}

async fn connect(address: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
