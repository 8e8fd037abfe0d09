//! One round: people, faults, quiet, verdict.

use super::community::{Community, Record};
use super::injection::{self, Mark, Stage, UPGRADE, UPGRADED};
use super::journal::{Frames, Journal, Pen, What};
use super::kind::Kind;
use super::person::{
    Act, Ears, Heads, Member, Part, Poster, Scene, Standing, Visitor, Watcher, is_of_the_moment,
};
use super::phases::Phases;
use super::postgres::Postgres;
use super::proxy::Proxy;
use super::verdict::{self, Story, Verdict};
use super::victim::{Variables, Victim};
use anyhow::{Context, Result};
use fastrand::Rng;
use sabotage::Bug;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long people may take to agree after the last fault.
const AGREEING: Duration = Duration::from_secs(10);
/// How often to look whether they do.
const LOOK: Duration = Duration::from_millis(40);
/// How long nothing may be acknowledged while one process takes over from another, in milliseconds.
const SILENCE_MS: u64 = 1_000;
/// The most resident memory of a server in a round, in bytes.
const MEMORY: u64 = 128 << 20;

/// The plan of a round.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The kind of faults.
    pub kind: Kind,
    /// The seed of all chance.
    pub seed: u64,
    /// How many faults.
    pub faults: u32,
    /// How many people.
    pub people: usize,
    /// The server.
    pub binary: PathBuf,
    /// The folder for the remains of a failed round; without it they are dropped.
    pub keep: Option<PathBuf>,
    /// A bug that the server, or its people, are to have.
    pub bug: Option<Bug>,
    /// The PostgreSQL on which the server keeps everything; without it the server keeps a file of its own.
    pub postgres: Option<Postgres>,
}

impl Plan {
    /// The variables of every life of the server.
    fn variables(&self) -> Variables {
        self.bug.map(|bug| vec![("ROOMFUL_BUG", bug.name().to_owned())]).unwrap_or_default()
    }
}

/// The outcome of a round.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// The judge's verdict.
    pub verdict: Verdict,
    /// The faults, with their times.
    pub marks: Vec<Mark>,
    /// How long it took until everybody agreed after the last fault.
    pub agreed_ms: Option<u64>,
    /// Milliseconds from each fault that ended a life, or took the database away, to the next acknowledged post.
    pub recovered_ms: Vec<u64>,
    /// The longest time without an acknowledged post in each upgrade, in milliseconds.
    pub silent_ms: Vec<u64>,
    /// The most resident memory of the server, in bytes.
    pub peak: u64,
    /// Connections cut, frozen or reset, and requests sent again.
    pub touched: u64,
    /// How long the round took.
    pub seconds: f64,
    /// How long each part of it took, in seconds.
    pub spent: BTreeMap<&'static str, f64>,
    /// The folder of its remains.
    pub kept: Option<PathBuf>,
    /// When posts were acknowledged, in seconds.
    #[serde(skip)]
    pub acknowledged: Vec<f64>,
}

struct Cast {
    standings: Vec<(String, Standing)>,
    players: Vec<JoinHandle<Journal>>,
}

/// Runs a round. `say` is called with the name of each part.
///
/// # Errors
/// When the server does not start, or ends when nothing was done to it.
pub async fn run(plan: &Plan, say: &dyn Fn(&str)) -> Result<Outcome> {
    let mut phases = Phases::new(say);
    phases.begin("people come in");
    let folder = tempfile::tempdir()?;
    let mut rng = Rng::with_seed(plan.seed);
    let mut stage = prepare(plan, folder.path(), &mut rng).await?;
    let (acts, act) = watch::channel(Act::Live);
    let cast = begin(&set_scene(plan, &stage, act), &mut rng, stage.began);
    phases.begin("faults");
    stage.run(plan.kind).await?;
    phases.begin("agreeing");
    let quiet = Instant::now();
    let (record, stuck) = agree(&mut stage, &acts, &cast, quiet).await;
    let agreed_ms = stuck.is_empty().then(|| quiet.elapsed().as_millis() as u64);
    stage.complaints.extend(stuck);
    acts.send_replace(Act::Close);
    phases.begin("closing journals");
    let mut journals = Vec::new();
    for player in cast.players {
        journals.push(player.await.context("a person")?);
    }
    let database = stage.database.take();
    let mut outcome = conclude(plan, stage, &record, &journals, &mut phases);
    outcome.agreed_ms = agreed_ms;
    outcome.spent = phases.finish();
    if !outcome.verdict.is_clean() {
        say("keeping what is left");
        outcome.kept = keep(plan, folder.path(), &journals, &record, &outcome)?;
    }
    if let Some(database) = database.and_then(Arc::into_inner) {
        database.remove().await?;
    }
    Ok(outcome)
}

/// Starts a server with people and rooms, and prepares the faults.
async fn prepare(plan: &Plan, folder: &Path, rng: &mut Rng) -> Result<Stage> {
    let began = Instant::now();
    let database = plan.postgres.as_ref().map(Postgres::database).transpose()?.map(Arc::new);
    let address = database.as_ref().map(|database| database.address.clone());
    let mut victim = Victim::new(&plan.binary, folder, address)?;
    let always = plan.variables();
    let mut marks = Vec::new();
    if plan.kind == Kind::Migration {
        marks = injection::migrate(&mut victim, &always, began).await?;
    }
    victim.start(&vec![]).await?;
    let community = Arc::new(Community::found(&victim, plan.people).await?);
    if plan.bug.is_some() {
        // Only now, or the bug would keep people from coming in.
        victim.kill();
        victim.start(&always).await?;
    }
    let proxy = match plan.kind.mood() {
        Some(_) => Some(Proxy::start(victim.address(), rng.fork()).await?),
        None => None,
    };
    let (rng, faults) = (rng.fork(), plan.faults);
    Ok(Stage {
        victim,
        database,
        proxy,
        community,
        rng,
        faults,
        marks,
        complaints: vec![],
        lives: vec![],
        away: watch::Sender::new(false),
        lapped: watch::Sender::new(false),
        began,
        always,
    })
}

fn set_scene(plan: &Plan, stage: &Stage, act: watch::Receiver<Act>) -> Scene {
    Scene {
        address: stage.proxy.as_ref().map_or(stage.victim.address(), Proxy::address).to_string(),
        community: Arc::clone(&stage.community),
        act,
        away: Some(stage.away.subscribe()),
        pause: Duration::from_millis(if plan.kind == Kind::Flap { 2_000 } else { 12 }),
        new_nonces: plan.bug == Some(Bug::RetryWithNewNonce),
        is_loud: plan.kind.is_loud(),
        lapped: stage.lapped.clone(),
        is_flapping: plan.kind == Kind::Flap,
    }
}

/// Ends the server and judges the round.
fn conclude(
    plan: &Plan,
    mut stage: Stage,
    record: &Record,
    journals: &[Journal],
    phases: &mut Phases<'_>,
) -> Outcome {
    stage.victim.kill();
    let silent_ms = silences(&stage.marks, journals);
    for ms in silent_ms.iter().filter(|ms| **ms > SILENCE_MS) {
        stage.complaints.push(format!("nothing was acknowledged for {ms} ms while a new process took over"));
    }
    if plan.kind == Kind::Upgrade {
        stage.complaints.extend(failed_sends(journals));
    }
    let peak = stage.victim.peak;
    let story = Story {
        journals,
        lives: &stage.lives,
        record,
        secrets: &stage.community.secrets(),
        output: &stage.victim.output(),
        stuck: &stage.complaints,
        crashed: stage.marks.iter().any(|mark| mark.ends_life),
        memory: (peak, MEMORY),
    };
    Outcome {
        seed: plan.seed,
        verdict: verdict::judge(&story, |part| phases.begin(part)),
        agreed_ms: None,
        recovered_ms: recoveries(&stage.marks, journals),
        silent_ms,
        peak,
        touched: stage.proxy.as_ref().map_or(0, Proxy::touched),
        seconds: stage.began.elapsed().as_secs_f64(),
        spent: BTreeMap::new(),
        kept: None,
        acknowledged: acknowledged(journals),
        marks: stage.marks,
    }
}

/// Everybody begins to live: members, posters, visitors and watchers in turn.
fn begin(scene: &Scene, rng: &mut Rng, began: Instant) -> Cast {
    let mut cast = Cast { standings: vec![], players: vec![] };
    let frames = Frames::default();
    let community = Arc::clone(&scene.community);
    let mut part = |account: &super::community::Account, cast: &mut Cast| {
        let standing = Standing::default();
        cast.standings.push((account.user.name.clone(), standing.clone()));
        Part { account: account.clone(), rng: rng.fork(), pen: Pen::new(began, frames.clone()), standing }
    };
    let ana = part(&community.ana, &mut cast);
    cast.players.push(tokio::spawn(Member::live(ana, Scene { away: None, ..scene.clone() }, true)));
    let last = community.others.len().saturating_sub(1);
    for (number, account) in community.others.iter().enumerate() {
        let part = part(account, &mut cast);
        let mut scene = scene.clone();
        // One of them is to stay away, a member.
        scene.away = scene.away.filter(|_| number == 0);
        let player = match number % 6 {
            // The last one is the outsider.
            _ if number == last => tokio::spawn(Poster::live(part, scene, true)),
            _ if scene.is_flapping && number > 5 => tokio::spawn(Watcher::live(part, scene, Ears::Flapping)),
            0 | 4 => tokio::spawn(Member::live(part, scene, false)),
            1 if scene.is_loud => tokio::spawn(Watcher::live(part, scene, Ears::Slow)),
            1 => tokio::spawn(Watcher::live(part, scene, Ears::Good)),
            2 => tokio::spawn(Poster::live(part, scene, false)),
            5 if scene.is_loud => tokio::spawn(Watcher::live(part, scene, Ears::Deaf)),
            3 => tokio::spawn(Visitor::live(part, scene, format!("Visitor {number}"))),
            _ => tokio::spawn(Watcher::live(part, scene, Ears::Slow)),
        };
        cast.players.push(player);
    }
    cast
}

/// Lets everybody finish, and compares them with the log until they agree or the time is over. Returns the log, and
/// why some do not agree.
async fn agree(
    stage: &mut Stage,
    acts: &watch::Sender<Act>,
    cast: &Cast,
    quiet: Instant,
) -> (Record, Vec<String>) {
    let address = stage.victim.address().to_string();
    let mut heads = Heads::default();
    let mut record = Record::default();
    acts.send_replace(Act::Agree(heads.clone()));
    let mut stuck = vec!["the log could not be read".to_owned()];
    while quiet.elapsed() < AGREEING {
        stage.victim.look();
        let read = tokio::time::timeout(AGREEING, stage.community.read(&address)).await;
        if let Ok(Err(error)) = &read {
            stuck = vec![format!("the log could not be read: {error:#}")];
        }
        if let Ok(Ok(read)) = read {
            let of = read.heads();
            record = read;
            let moved = *heads.of != of;
            if heads.turn > 0 && !moved {
                stuck = stuck_ones(cast, heads.turn);
                if stuck.is_empty() {
                    break;
                }
            }
            if moved || heads.turn == 0 {
                heads = Heads { turn: heads.turn + 1, of: Arc::new(of) };
                acts.send_replace(Act::Agree(heads.clone()));
            }
        }
        sleep(LOOK).await;
    }
    (record, stuck)
}

fn stuck_ones(cast: &Cast, turn: u64) -> Vec<String> {
    let stuck = cast.standings.iter().filter_map(|(name, standing)| {
        standing
            .stuck(turn)
            .map(|why| format!("{name}: {why}, {} s after the last fault", AGREEING.as_secs()))
    });
    stuck.collect()
}

fn acknowledged(journals: &[Journal]) -> Vec<f64> {
    let mut times: Vec<f64> = journals
        .iter()
        .flat_map(|journal| &journal.entries)
        .filter(|entry| matches!(*entry.what, What::Ok { .. }))
        .map(|entry| entry.at_us as f64 / 1e6)
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Milliseconds from each end of a life, or of the database, to the first post that was acknowledged after it.
fn recoveries(marks: &[Mark], journals: &[Journal]) -> Vec<u64> {
    let times = acknowledged(journals);
    let ends = marks.iter().filter(|mark| mark.ends_life || mark.is_outage);
    ends.filter_map(|mark| {
        let next = times.partition_point(|at| *at <= mark.at);
        times.get(next).map(|at| ((at - mark.at) * 1e3) as u64)
    })
    .collect()
}

/// The longest time without an acknowledged post that touches each upgrade.
fn silences(marks: &[Mark], journals: &[Journal]) -> Vec<u64> {
    let times = acknowledged(journals);
    let starts = marks.iter().filter(|mark| mark.what == UPGRADE);
    let ends = marks.iter().filter(|mark| mark.what == UPGRADED);
    let longest = |(start, end): (&Mark, &Mark)| {
        let touching = times.windows(2).filter(|pair| pair[1] >= start.at && pair[0] <= end.at);
        touching.map(|pair| ((pair[1] - pair[0]) * 1e3) as u64).max().unwrap_or_default()
    };
    starts.zip(ends).map(longest).collect()
}

/// Posts that were refused for reasons that their authors can do nothing about.
fn failed_sends(journals: &[Journal]) -> Vec<String> {
    let entries = journals.iter().flat_map(|journal| &journal.entries);
    let failed = entries.filter_map(|entry| {
        let (What::Failed { nonce, code } | What::Refused { nonce, code }) = &*entry.what else {
            return None;
        };
        is_of_the_moment(*code).then(|| format!("{nonce} was shown as failed: {code:?}"))
    });
    failed.collect()
}

/// Keeps the remains of a round that failed: journals, the server's output and its data directory; of a database on
/// PostgreSQL the logs of its rooms.
fn keep(
    plan: &Plan,
    folder: &Path,
    journals: &[Journal],
    record: &Record,
    outcome: &Outcome,
) -> Result<Option<PathBuf>> {
    let Some(keep) = &plan.keep else { return Ok(None) };
    let on = if plan.postgres.is_some() { "postgres-" } else { "" };
    let to = keep.join(format!("{on}{}-{}", plan.kind.name(), plan.seed));
    fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
    let mut numbers: BTreeMap<&str, u32> = BTreeMap::new();
    for journal in journals {
        let number = numbers.entry(&journal.keeper.name).or_default();
        *number += 1;
        let mut lines = serde_json::to_string(&journal.keeper)?;
        for entry in &journal.entries {
            lines.push('\n');
            lines.push_str(&serde_json::to_string(entry)?);
        }
        fs::write(to.join(format!("{}-{number}.jsonl", journal.keeper.name.replace(' ', "-"))), lines)?;
    }
    fs::write(to.join("outcome.json"), serde_json::to_string_pretty(outcome)?)?;
    fs::copy(folder.join("server.log"), to.join("server.log"))?;
    if plan.postgres.is_some() {
        for (room, kept) in &record.rooms {
            let lines: Vec<String> =
                kept.events.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
            fs::write(to.join(format!("log-of-{room}.jsonl")), lines.join("\n"))?;
        }
    }
    copy_folder(&folder.join("data"), &to.join("data"))?;
    Ok(Some(to))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from)? {
        let file = file?;
        if file.file_type()?.is_file() {
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}
