//! People as they are: they come, join rooms, say something now and then, read, and reload the page.
//!
//! Each person is a whole client (`client::Client`) with its timeline and outbox. So the check sees what a person
//! would see: at the end everybody in a room has every message once, in one order.

use crate::book::{self, Times};
use crate::checker::Faults;
use crate::door;
use crate::people::Protocol;
use crate::plot::Plot;
use crate::program::Program;
use crate::progress::Progress;
use crate::report::{self, Quantiles, counted};
use crate::usage::shown;
use crate::watch::Watch;
use anyhow::Result;
use client::{Address, Api, Client};
use protocol::http::SignedIn;
use protocol::{Room, RoomId};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Rooms for this many people.
const PEOPLE_PER_ROOM: usize = 25;
/// Of a hundred acts of a person: how many join another room, read, and reload. The others are posts.
const JOINS: u32 = 5;
const READS: u32 = 40;
const RELOADS: u32 = 10;

/// What happened in a run.
#[derive(Debug, Serialize)]
pub struct Mixed {
    scenario: &'static str,
    server: &'static str,
    people: usize,
    rooms: usize,
    posts: usize,
    joins: usize,
    reads: usize,
    reloads: usize,
    /// Commands that brought an error.
    failed: usize,
    /// Microseconds of the server for each act.
    cpu_us_per_deed: f64,
    /// Microseconds from a post to its reply.
    replied_us: Quantiles,
    #[serde(skip)]
    times: Times,
    #[serde(skip)]
    resident: Vec<(f64, u64)>,
    #[serde(skip)]
    faults: Faults,
}

/// What one person did.
#[derive(Default)]
struct Deeds {
    posts: Vec<(RoomId, u64, String)>,
    joins: usize,
    reads: usize,
    reloads: usize,
    failed: usize,
    replied: Vec<u64>,
}

/// Lets `people` live for `span`, each doing something every `pause` on average.
///
/// # Errors
/// When they are not let in.
pub fn run(
    program: &Program,
    people: usize,
    pause: Duration,
    span: Duration,
    progress: &Progress,
) -> Result<Mixed> {
    progress.keep_moving();
    progress.say("making accounts");
    let run = fastrand::u16(..);
    let names: Vec<String> = (0..people).map(|person| format!("Guest {run} {person}")).collect();
    let signed_in = door::ask_all(&program.way, &names, |door, name| {
        door.ask::<SignedIn>("POST", "/api/v1/guests", None, Some(&json!({ "name": name, "token": true })))
    })?;
    let tokens: Vec<String> = signed_in.into_iter().filter_map(|signed_in| signed_in.token).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watch = Watch::begin(program.pid);
    let mut mixed = runtime.block_on(live(program, tokens, run, pause, span, progress))?;
    mixed.resident = watch.end();
    Ok(mixed)
}

async fn live(
    program: &Program,
    tokens: Vec<String>,
    run: u16,
    pause: Duration,
    span: Duration,
    progress: &Progress,
) -> Result<Mixed> {
    let rooms = open_rooms(program, &tokens, run).await?;
    let address = &program.way.address;
    let mut coming = JoinSet::new();
    for (person, token) in tokens.into_iter().enumerate() {
        let (address, home) = (address.clone(), rooms[person % rooms.len()]);
        coming.spawn(async move { come(&address, token, home).await });
    }
    let clients = coming.join_all().await.into_iter().collect::<Result<Vec<Client>>>()?;
    progress.say("living");
    let before = program.usage();
    let until = Instant::now() + span;
    let rooms = Arc::new(rooms);
    let mut lives = JoinSet::new();
    for client in &clients {
        lives.spawn(one_life(client.clone(), Arc::clone(&rooms), pause, until));
    }
    let deeds = lives.join_all().await;
    let used = program.usage().since(&before).cpu_us;
    progress.say("comparing what everybody saw");
    let faults = compare(&clients, &rooms, &deeds).await;
    Ok(Mixed::new(program, clients.len(), rooms.len(), &deeds, used, faults))
}

/// Opens the rooms, each as the first of the people in it.
async fn open_rooms(program: &Program, tokens: &[String], run: u16) -> Result<Vec<RoomId>> {
    let mut rooms = Vec::new();
    for (room, token) in tokens.iter().enumerate().take(tokens.len().div_ceil(PEOPLE_PER_ROOM)) {
        let api = Api::new(&program.way.address).with_token(token);
        let ask = json!({ "name": format!("room {run} {room}"), "kind": "open" });
        rooms.push(api.post::<Room>("/api/v1/rooms", &ask).await?.id);
    }
    Ok(rooms)
}

async fn come(address: &Address, token: String, home: RoomId) -> Result<Client> {
    let client = Client::connect(address, token).await?;
    client.join(home).await?;
    Ok(client)
}

async fn one_life(client: Client, rooms: Arc<Vec<RoomId>>, pause: Duration, until: Instant) -> Deeds {
    let mut deeds = Deeds::default();
    loop {
        // Between half and one and a half times the pause, because people do not act by the clock.
        tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        if Instant::now() >= until {
            return deeds;
        }
        let own: Vec<RoomId> = client.read(|state| state.rooms.keys().copied().collect());
        let Some(room) = own.get(fastrand::usize(..own.len().max(1))).copied() else { continue };
        match fastrand::u32(..100) {
            deed if deed < JOINS => {
                let done = client.join(rooms[fastrand::usize(..rooms.len())]).await.is_ok();
                deeds.joins += 1;
                deeds.failed += usize::from(!done);
            }
            deed if deed < JOINS + READS => {
                let head = client.messages(room).last().map_or(0, |message| message.seq);
                let done = client.mark_read(room, head).await.is_ok();
                deeds.reads += 1;
                deeds.failed += usize::from(!done);
            }
            deed if deed < JOINS + READS + RELOADS => {
                client.disconnect().await;
                let done = client.reconnect().await.is_ok();
                deeds.reloads += 1;
                deeds.failed += usize::from(!done);
            }
            _ => post(&client, room, &mut deeds).await,
        }
    }
}

async fn post(client: &Client, room: RoomId, deeds: &mut Deeds) {
    let text = format!("something that nobody else says: {:016x}", fastrand::u64(..));
    let began = Instant::now();
    match client.post(room, &text).await {
        Ok(posted) => {
            deeds.replied.push(began.elapsed().as_micros() as u64);
            deeds.posts.push((room, posted.seq, text));
        }
        Err(_) => deeds.failed += 1,
    }
}

/// Whether the newest messages of each room are the same to everybody in it, and are the messages that were posted.
async fn compare(clients: &[Client], rooms: &[RoomId], deeds: &[Deeds]) -> Faults {
    let mut faults = Faults::default();
    for room in rooms {
        let mut posted: Vec<(u64, &str)> = deeds
            .iter()
            .flat_map(|deeds| &deeds.posts)
            .filter(|(where_to, ..)| where_to == room)
            .map(|(_, seq, text)| (*seq, text.as_str()))
            .collect();
        posted.sort_unstable();
        let Some((last, text)) = posted.last().copied() else { continue };
        for client in clients.iter().filter(|client| client.read(|state| state.rooms.contains_key(room))) {
            if client.hears(text).await.is_err() {
                faults.lost += 1;
                continue;
            }
            compare_one(client, *room, last, &posted, &mut faults);
        }
    }
    faults
}

fn compare_one(client: &Client, room: RoomId, last: u64, posted: &[(u64, &str)], faults: &mut Faults) {
    let seen = client.messages(room);
    faults.misplaced += seen.windows(2).filter(|pair| pair[0].seq > pair[1].seq).count() as u64;
    faults.doubled += seen.windows(2).filter(|pair| pair[0].seq == pair[1].seq).count() as u64;
    // A client begins with the newest page. From its first message on it must have every one.
    let first = seen.first().map_or(last, |message| message.seq);
    let expected = posted.iter().filter(|(seq, _)| *seq >= first);
    let has =
        |seq: u64, text: &str| seen.iter().any(|message| message.seq == seq && message.body.text == text);
    faults.lost += expected.filter(|(seq, text)| !has(*seq, text)).count() as u64;
}

impl Mixed {
    fn new(
        program: &Program,
        people: usize,
        rooms: usize,
        deeds: &[Deeds],
        used: f64,
        faults: Faults,
    ) -> Self {
        let mut times = book::times();
        deeds.iter().flat_map(|deeds| &deeds.replied).for_each(|took| times.saturating_record(*took));
        let sum = |of: fn(&Deeds) -> usize| deeds.iter().map(of).sum::<usize>();
        let (posts, joins) = (sum(|deeds| deeds.posts.len()), sum(|deeds| deeds.joins));
        let (reads, reloads) = (sum(|deeds| deeds.reads), sum(|deeds| deeds.reloads));
        Self {
            scenario: "mixed",
            server: program.name(),
            people,
            rooms,
            posts,
            joins,
            reads,
            reloads,
            failed: sum(|deeds| deeds.failed),
            cpu_us_per_deed: used / (posts + joins + reads + reloads).max(1) as f64,
            replied_us: Quantiles::from(&times),
            times,
            resident: Vec::new(),
            faults,
        }
    }

    /// Which protocol they speak: a simple client has no timeline that could be compared.
    pub const PROTOCOL: Protocol = Protocol::Native;
}

impl report::Tell for Mixed {
    fn print(&self) {
        let Self { scenario, server, people, rooms, posts, joins, reads, reloads, .. } = self;
        println!(
            "{scenario}: {server}, {}, {people} people in {}",
            Self::PROTOCOL.name(),
            counted(*rooms, "room")
        );
        println!("  {posts} posts, {joins} joins, {reads} reads, {reloads} reloads; {} failed", self.failed);
        println!(
            "  CPU of the server for each: {}; post to reply {}",
            shown(self.cpu_us_per_deed, 0, "µs"),
            self.replied_us.shown()
        );
    }

    fn faults(&self) -> Faults {
        self.faults
    }

    fn plot(&self) -> Plot {
        Plot {
            title: format!("mixed: {}, {} people", self.server, self.people),
            times: vec![("post to reply", self.times.clone())],
            memory: self.resident.clone(),
            over: "seconds",
        }
    }
}
