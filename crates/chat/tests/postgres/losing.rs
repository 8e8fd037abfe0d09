//! The connection to the database is lost at the worst moment.

use crate::support::{World, nonce, world_on};
use chat::{Database, Error};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use tokio::task::spawn_blocking;

const PASS: u8 = 0;
/// The next commit does not arrive.
const BEFORE: u8 = 1;
/// The next commit arrives, and its answer does not.
const AFTER: u8 = 2;

/// A way to a PostgreSQL server that breaks where it is told to.
struct Way {
    address: String,
    breaks: Arc<AtomicU8>,
}

impl Way {
    fn to(address: &str) -> Self {
        // `postgres://role@folder/database`
        let (front, database) = address.rsplit_once('/').unwrap();
        let folder = front.rsplit_once('@').unwrap().1.replace("%2F", "/");
        let socket = PathBuf::from(folder).join(".s.PGSQL.5432");
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let breaks = Arc::new(AtomicU8::new(PASS));
        let told = Arc::clone(&breaks);
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, breaks) = (UnixStream::connect(&socket).unwrap(), Arc::clone(&told));
                thread::spawn(move || carry(client, server, &breaks));
            }
        });
        let role = front.split_once("//").unwrap().1.split_once('@').unwrap().0;
        Self { address: format!("postgres://{role}@127.0.0.1:{port}/{database}?sslmode=disable"), breaks }
    }

    fn breaks(&self, at: u8) {
        self.breaks.store(at, Ordering::SeqCst);
    }
}

/// Carries bytes both ways until the way breaks or one end is closed.
fn carry(mut client: TcpStream, mut server: UnixStream, breaks: &Arc<AtomicU8>) {
    let (mut to_client, mut from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let muted = Arc::new(AtomicU8::new(PASS));
    let back = {
        let muted = Arc::clone(&muted);
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(count @ 1..) = from_server.read(&mut bytes) {
                if muted.load(Ordering::SeqCst) == AFTER {
                    // The answer to the commit: it was done, and nobody hears of it.
                    break;
                }
                if to_client.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            let _ = (to_client.shutdown(Shutdown::Both), from_server.shutdown(Shutdown::Both));
        })
    };
    let _: io::Result<()> = (|| {
        let mut bytes = vec![0; 1 << 16];
        loop {
            let count = client.read(&mut bytes)?;
            let some = &bytes[..count];
            if count == 0 {
                return server.shutdown(Shutdown::Both);
            }
            if some.windows(9).any(|nine| nine == b"1; commit") {
                match breaks.swap(PASS, Ordering::SeqCst) {
                    BEFORE => return server.shutdown(Shutdown::Both),
                    at => muted.store(at, Ordering::SeqCst),
                }
            }
            server.write_all(some)?;
        }
    })();
    let _ = client.shutdown(Shutdown::Both);
    back.join().unwrap();
}

fn told(world: &World) -> Vec<(u64, String)> {
    let events = world.events().into_iter().filter_map(|event| match event.kind {
        protocol::EventKind::MessagePosted(posted) => Some((event.seq, posted.body.text)),
        _ => None,
    });
    events.collect()
}

async fn until_writable(world: &World) {
    while world.chat.is_writable().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_told_also_when_its_answer_was_lost_and_nothing_else_is() {
    let way = Way::to(&testbed::database());
    let database = Database::Postgres(way.address.clone());
    let mut world = world_on(database, tempfile::tempdir().unwrap()).await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    world.says(&ana, lobby, "before").await;
    let mut expected = vec![(2, "before".to_owned())];
    for (at, text) in
        [(BEFORE, "never arrived"), (AFTER, "arrived"), (BEFORE, "nor did this"), (AFTER, "and this")]
    {
        way.breaks(at);
        let name = nonce();
        let unknown = world.chat.post(&ana, lobby, text.into(), name.clone()).await;
        assert!(matches!(unknown, Err(Error::Unknown)), "{unknown:?}");
        until_writable(&world).await;
        if at == AFTER {
            expected.push((expected.len() as u64 + 2, text.to_owned()));
        }
        let answered = world.chat.post(&ana, lobby, text.into(), name).await.unwrap();
        if at == BEFORE {
            expected.push((answered.seq, text.to_owned()));
        }
        assert_eq!(Some(answered.seq), expected.last().map(|(seq, _)| *seq), "the same under the same nonce");
    }
    let mut texts = world.texts(&ana, lobby).await;
    texts.sort();
    let mut all: Vec<_> = expected.iter().map(|(_, text)| text.clone()).collect();
    all.sort();
    assert_eq!(texts, all);
    assert_eq!(told(&world), expected, "each once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_in_the_middle_of_batches_has_what_was_acknowledged_and_what_was_told() {
    let mut postgres = spawn_blocking(testbed::Server::temporary).await.unwrap().unwrap();
    let database = Database::Postgres(postgres.database("roomful").unwrap());
    let mut world = world_on(database, tempfile::tempdir().unwrap()).await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let (mut acknowledged, mut heard) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let mut posts = tokio::task::JoinSet::new();
        // Fewer than there are places for batches in the stream, which nobody reads meanwhile.
        for number in 0..50 {
            let text = format!("{round}.{number}");
            let post = world.chat.post(&ana, lobby, text.as_str().into(), nonce());
            posts.spawn(async move { (text, post.await) });
        }
        // Some are answered; the others are on their way while the database dies.
        let mut answers = vec![posts.join_next().await.unwrap().unwrap()];
        let killing = spawn_blocking(move || {
            postgres.kill().unwrap();
            postgres
        });
        while let Some(answer) = posts.join_next().await {
            answers.push(answer.unwrap());
        }
        for (text, answer) in answers {
            match answer {
                Ok(_) => acknowledged.push(text),
                Err(error) => assert!(matches!(error, Error::Unknown | Error::Away), "{error:?}"),
            }
        }
        postgres = killing.await.unwrap();
        postgres = spawn_blocking(move || {
            postgres.restart().unwrap();
            postgres
        })
        .await
        .unwrap();
        until_writable(&world).await;
        heard.extend(told(&world));
    }
    let page = world.chat.events(ana.key(), lobby, 0).await.unwrap();
    let mut events = page.events;
    while events.len() < usize::try_from(world.room(&ana, lobby).await.head).unwrap() {
        let after = events.last().unwrap().seq;
        events.extend(world.chat.events(ana.key(), lobby, after).await.unwrap().events);
    }
    let kept: Vec<_> = events
        .into_iter()
        .filter_map(|event| match event.kind {
            protocol::EventKind::MessagePosted(posted) => Some((event.seq, posted.body.text)),
            _ => None,
        })
        .collect();
    assert_eq!(heard, kept, "what was told is what is kept");
    assert!(acknowledged.iter().all(|text| kept.iter().any(|(_, one)| one == text)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_go_on_with_another_database_in_the_place_of_its_own() {
    let mut postgres = spawn_blocking(testbed::Server::temporary).await.unwrap().unwrap();
    let address = postgres.database("roomful").unwrap();
    let mut world = world_on(Database::Postgres(address.clone()), tempfile::tempdir().unwrap()).await;
    let ana = world.ana().await;
    let (epoch, lobby) = (world.chat.epoch().to_owned(), world.lobby(&ana).await);
    world.says(&ana, lobby, "before").await;
    let _postgres = spawn_blocking(move || {
        // What a dump that is restored does to the table, and a restart so that all sessions end.
        let again = "alter table meta rename to old; create table meta (like old including all); \
                     insert into meta select * from old; drop table old";
        let done = Command::new("psql").args(["-qXc", again, &address]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        postgres.restart().unwrap();
        postgres
    })
    .await
    .unwrap();
    world.listen();
    assert!(world.chat.is_writable().await.is_err(), "its session has ended");
    let why = world.chat.broken().await;
    assert!(why.contains("another database stands in its place"), "{why}");
    let world = world.restart().await;
    assert_ne!(world.chat.epoch(), epoch);
    assert_eq!(world.texts(&ana, lobby).await, ["before"]);
    let epoch = world.chat.epoch().to_owned();
    assert_eq!(world.restart().await.chat.epoch(), epoch);
}
