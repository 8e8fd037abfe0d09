//! The database goes away while people talk, and comes back.

use crate::stories::support::{client, everyone_agrees, in_time, room, texts};
use crate::support::{Actor, Answer, Server};
use chat::Database;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

const TALKERS: usize = 4;
/// How much is said before the database goes, and after it is back.
const WORDS: usize = 40;
/// How soon all goes on once the database is back.
const SOON: Duration = Duration::from_secs(5);

async fn post(who: &Actor, text: &str) -> Answer {
    who.post("/api/v1/rooms/lobby/messages", json!({ "text": text })).await
}

/// Says one thing after the other until it is enough, each once. Answers what was acknowledged.
async fn talk(who: Actor, name: usize, said: Arc<AtomicUsize>, enough: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("{name}.{number}");
        let answer = post(&who, &text).await;
        if answer.status.is_success() {
            said.fetch_add(1, Ordering::Relaxed);
            acknowledged.push(text);
            continue;
        }
        let refused = answer.value();
        let is_away = refused["code"] == "overloaded" && refused["params"]["reason"] == "database_away";
        assert!(is_away || refused["code"] == "unknown", "{refused}");
    }
    acknowledged
}

async fn until_said(said: &AtomicUsize, more: usize) {
    let wanted = said.load(Ordering::Relaxed) + more;
    let waited = async {
        while said.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    };
    in_time("posts to be acknowledged", waited).await;
}

/// Asks whether the server is ready until the answer has this status.
async fn until_ready_is(server: &Server, status: u16) -> Answer {
    let asked = async {
        loop {
            let answer = server.ask("GET", "/readyz").send().await;
            if answer.status.as_u16() == status {
                return answer;
            }
        }
    };
    in_time("another answer of /readyz", asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_and_comes_back_takes_nothing_that_was_acknowledged() {
    let mut postgres = spawn_blocking(testbed::Server::temporary).await.unwrap().unwrap();
    let address = postgres.database("roomful").unwrap();
    let server = Server::start_with(|config| config.database = Some(Database::Postgres(address))).await;
    let (ana, ben) = (server.ana().await, client(&server.ben().await).await);
    let lobby = room(&ben, "lobby");
    let (said, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let talkers: Vec<_> = (0..TALKERS)
        .map(|name| tokio::spawn(talk(ana.clone(), name, Arc::clone(&said), Arc::clone(&enough))))
        .collect();
    until_said(&said, WORDS).await;

    let mut postgres = spawn_blocking(move || {
        postgres.kill().unwrap();
        postgres
    })
    .await
    .unwrap();
    let why = until_ready_is(&server, 503).await;
    assert_eq!(why.refused(503), "overloaded");
    assert!(why.text().contains("cannot reach its database"), "{}", why.text());
    let refused = post(&ana, "into the void").await.value();
    assert_eq!(
        (&refused["code"], &refused["params"]["reason"]),
        (&json!("overloaded"), &json!("database_away"))
    );

    let (_postgres, back) = spawn_blocking(move || {
        postgres.restart().unwrap();
        (postgres, Instant::now())
    })
    .await
    .unwrap();
    until_ready_is(&server, 200).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    until_said(&said, WORDS).await;

    enough.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for talker in talkers {
        acknowledged.extend(talker.await.unwrap());
    }
    assert!(post(&ana, "that was all").await.status.is_success());
    ben.hears("that was all").await.unwrap();
    let shown = texts(&ben, lobby);
    let once: HashSet<&String> = shown.iter().collect();
    assert_eq!(once.len(), shown.len(), "each once");
    assert!(acknowledged.iter().all(|text| once.contains(text)), "what was acknowledged is there");
    everyone_agrees(&server, &[&ben]).await;
}
