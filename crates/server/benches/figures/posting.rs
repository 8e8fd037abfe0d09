//! Posting end to end: over sockets, durable, 64 in flight.

use crate::program::Program;
use crate::wire::Wire;
use crate::{bare, median};
use client::Api;
use protocol::http::SignedIn;
use protocol::{Room, RoomId};
use std::time::{Duration, Instant};

/// What everybody says: a usual line of chat.
pub const TEXT: &str =
    "The gauge rejoined overnight after the relay swap, and the battery is holding at 3.9 V.";
/// Posts under way at once: as many as four connections may have.
pub const IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 4;
pub const SPAN: Duration = Duration::from_secs(4);

/// What one run reached.
pub struct Reached {
    pub per_second: f64,
    pub cpu_us: f64,
    bytes: f64,
}

/// A B B A, three times: the bare loop and the server share whatever the machine does meanwhile.
pub async fn end_to_end() {
    let (mut ratios, mut all, mut bares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let first_bare = bare::run(SPAN, IN_FLIGHT).await.per_second;
        let first = post(None).await;
        let second = post(None).await;
        let second_bare = bare::run(SPAN, IN_FLIGHT).await.per_second;
        ratios.push((first.per_second + second.per_second) / (first_bare + second_bare));
        bares.extend([first_bare, second_bare]);
        all.extend([first, second]);
    }
    println!(
        "posting end to end, {IN_FLIGHT} in flight, FULL: {:.0}/s; bare loop of {IN_FLIGHT} a commit: {:.0}/s; ratio {:.2} (of {:.2?})",
        median(all.iter().map(|run| run.per_second).collect()),
        median(bares),
        median(ratios.clone()),
        ratios
    );
    println!(
        "  CPU of the server per post {:.0} µs; bytes it wrote to the disk per post {:.0}; WAL bytes per post {:.0} at {IN_FLIGHT} in flight",
        median(all.iter().map(|run| run.cpu_us).collect()),
        median(all.iter().map(|run| run.bytes).collect()),
        wal_per_post().await
    );
}

/// Posts for a while on an empty database: the one at the address, or a file.
pub async fn post(database: Option<&str>) -> Reached {
    let program = Program::start_on(database);
    let mut writers = writers(&program).await;
    let (cpu_before, bytes_before) = (program.cpu(), program.written());
    let began = Instant::now();
    let posting = writers.drain(..).enumerate().map(|(index, (writer, room))| {
        tokio::spawn(keep_posting(writer, room, index, move |_| began.elapsed() < SPAN))
    });
    let posting: Vec<_> = posting.collect();
    let mut posted = 0;
    for writer in posting {
        posted += writer.await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = program.cpu();
    Reached {
        per_second: posted as f64 / took,
        cpu_us: (cpu.0 + cpu.1 - cpu_before.0 - cpu_before.1) * 1e6 / posted as f64,
        bytes: (program.written() - bytes_before) as f64 / posted as f64,
    }
}

/// Few enough posts that the log is not folded meanwhile: its size is then what they cost.
async fn wal_per_post() -> f64 {
    const EACH: usize = 300;
    let program = Program::start();
    let mut writers = writers(&program).await;
    let size = || std::fs::metadata(program.database().with_extension("db-wal")).unwrap().len();
    let before = size();
    let posting: Vec<_> = writers
        .drain(..)
        .enumerate()
        .map(|(index, (writer, room))| tokio::spawn(keep_posting(writer, room, index, |sent| sent < EACH)))
        .collect();
    let mut posted = 0;
    for writer in posting {
        posted += writer.await.unwrap();
    }
    (size() - before) as f64 / posted as f64
}

/// Each in a room of their own, where they hear what they say: what is measured is posting, not telling many.
async fn writers(program: &Program) -> Vec<(Wire, RoomId)> {
    let mut writers = Vec::new();
    for number in 0..CONNECTIONS {
        let api = Api::new(&program.address);
        let ask = serde_json::json!({ "name": format!("Dot {number}"), "token": true });
        let token = api.post::<SignedIn>("/api/v1/guests", &ask).await.unwrap().token.unwrap();
        let room = serde_json::json!({ "name": format!("garden {number}"), "kind": "open" });
        let room = api.with_token(&token).post::<Room>("/api/v1/rooms", &room).await.unwrap().id;
        let mut wire = Wire::open(&program.address, &token).await.unwrap();
        assert!(wire.next().await.unwrap().starts_with(br#"{"type":"hello""#));
        writers.push((wire, room));
    }
    writers
}

/// Posts as fast as it is answered, a share of the posts in flight at once, while `go_on` says so.
async fn keep_posting(mut wire: Wire, room: RoomId, index: usize, go_on: impl Fn(usize) -> bool) -> usize {
    let (mut sent, mut answered) = (0, 0);
    loop {
        let mut commands = Vec::new();
        while sent - answered < IN_FLIGHT / CONNECTIONS && go_on(sent) {
            commands.push(format!(
                r#"{{"id":{sent},"type":"post_message","room":"{room}","text":"{TEXT}","nonce":"01a202e3-aca6-71cd-{index:04x}-{sent:012x}"}}"#
            ));
            sent += 1;
        }
        if !commands.is_empty() {
            wire.send(&commands).await.unwrap();
        }
        if sent == answered {
            return answered;
        }
        // All that has come is read before anything is sent: one write for many, as a busy client would.
        loop {
            let frame = wire.next().await.unwrap();
            if frame.starts_with(br#"{"type":"reply""#) {
                assert!(
                    !frame.windows(7).any(|part| part == br#""error""#),
                    "{}",
                    String::from_utf8_lossy(frame)
                );
                answered += 1;
            }
            if !wire.has_frame() {
                break;
            }
        }
    }
}
