//! Many rounds, some at once, and the sum of their outcomes.

use super::arguments::FaultArguments;
use super::bugs;
use super::kind::Kind;
use super::page;
use super::postgres::Postgres;
use super::round::{self, Outcome, Plan};
use super::verdict::Verdict;
use anyhow::{Context, Result};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The outcome of many rounds of a kind.
#[derive(Debug, Serialize)]
pub struct Campaign {
    /// The kind of faults.
    pub kind: Kind,
    /// Whether the rounds were on PostgreSQL.
    pub on_postgres: bool,
    /// The seed of the first round.
    pub seed: u64,
    /// Rounds, and faults in all of them.
    pub rounds: u64,
    /// See `rounds`.
    pub faults: u64,
    /// All verdicts together.
    pub verdict: Verdict,
    /// The longest until everybody agreed, in milliseconds.
    pub agreed_ms: u64,
    /// Milliseconds from the end of a life, or of the database, to the next acknowledged post: the median, the 99th
    /// percentile, the most.
    pub recovered_ms: [u64; 3],
    /// The longest time without an acknowledged post in an upgrade, in milliseconds: the median, and the most.
    pub silent_ms: [u64; 2],
    /// Connections cut, frozen or reset, and requests sent again.
    pub touched: u64,
    /// The most resident memory, in bytes.
    pub peak: u64,
    /// How long it took.
    pub seconds: f64,
    /// How long each part of a round took, in seconds, over all rounds.
    pub spent: BTreeMap<&'static str, f64>,
    /// How to run each failed round again.
    pub again: Vec<String>,
}

/// Runs what the command line names. Returns whether every invariant held.
///
/// # Errors
/// When it could not try.
pub fn run(arguments: &FaultArguments) -> Result<bool> {
    if arguments.prove {
        return bugs::prove(arguments);
    }
    arguments.kind.check(arguments.postgres)?;
    let (campaign, outcomes) = rounds(arguments)?;
    campaign.print();
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&campaign)?;
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    if let Some(path) = &arguments.page {
        let text = page::page(&campaign, &outcomes);
        std::fs::write(path, text).with_context(|| path.display().to_string())?;
    }
    Ok(campaign.verdict.is_clean())
}

/// Runs the rounds that are asked for.
fn rounds(arguments: &FaultArguments) -> Result<(Campaign, Vec<Outcome>)> {
    let began = Instant::now();
    let seed = arguments.replay.or(arguments.seed).unwrap_or_else(|| Rng::new().u64(0..1 << 48));
    let plans = plans(arguments, seed)?;
    let count = plans.len() as u64;
    let bar = progress(arguments.kind, count);
    let waiting = Mutex::new(VecDeque::from(plans));
    let done: Mutex<Vec<Result<Outcome>>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..arguments.jobs.clamp(1, 64) {
            scope.spawn(|| work(arguments.postgres, &waiting, &done, &bar));
        }
    });
    bar.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcomes = done.into_iter().collect::<Result<Vec<Outcome>>>()?;
    let mut campaign = Campaign::of(arguments, seed, &outcomes);
    campaign.seconds = began.elapsed().as_secs_f64();
    Ok((campaign, outcomes))
}

fn plans(arguments: &FaultArguments, seed: u64) -> Result<Vec<Plan>> {
    let binary = arguments.binary(arguments.kind)?;
    let rounds = if arguments.replay.is_some() { 1 } else { arguments.rounds };
    let plan = |number| Plan {
        kind: arguments.kind,
        seed: seed + number,
        faults: arguments.faults,
        people: arguments.people,
        binary: binary.clone(),
        keep: Some(arguments.keep.clone()),
        bug: None,
        postgres: None,
    };
    Ok((0..rounds).map(plan).collect())
}

/// Runs rounds until none is left. On PostgreSQL a worker has a server for itself: what is done to it is done to one
/// round.
fn work(
    on_postgres: bool,
    waiting: &Mutex<VecDeque<Plan>>,
    done: &Mutex<Vec<Result<Outcome>>>,
    bar: &ProgressBar,
) {
    let tell = |outcome| done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
    let postgres = match on_postgres.then(Postgres::start).transpose() {
        Ok(postgres) => postgres,
        Err(error) => return tell(Err(error)),
    };
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(mut plan) = next else { return };
        plan.postgres.clone_from(&postgres);
        let say = |what: &str| bar.set_message(format!("seed {}: {what}", plan.seed));
        let outcome = run_one(&plan, &say).with_context(|| format!("the round of seed {}", plan.seed));
        if let Ok(outcome) = &outcome
            && !outcome.verdict.is_clean()
        {
            bar.println(format!("seed {}: {:?}", plan.seed, outcome.verdict.broken));
        }
        tell(outcome);
        bar.inc(1);
    }
}

pub fn run_one(plan: &Plan, say: &dyn Fn(&str)) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(round::run(plan, say));
    runtime.shutdown_background();
    outcome
}

fn progress(kind: Kind, rounds: u64) -> ProgressBar {
    let bar = ProgressBar::new(rounds);
    // The template is a constant and right.
    if let Ok(style) =
        ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len} rounds, {elapsed}, {eta} to go; {msg}")
    {
        bar.set_style(style);
    }
    bar.set_prefix(kind.name());
    // A round may take half an hour.
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

impl Campaign {
    fn of(arguments: &FaultArguments, seed: u64, outcomes: &[Outcome]) -> Self {
        let mut verdict = Verdict::default();
        let mut recovered: Vec<u64> = Vec::new();
        let mut spent = BTreeMap::new();
        for outcome in outcomes {
            verdict.add(outcome.verdict.clone());
            recovered.extend(&outcome.recovered_ms);
            for (part, seconds) in &outcome.spent {
                *spent.entry(*part).or_default() += seconds;
            }
        }
        recovered.sort_unstable();
        let mut silent: Vec<u64> = outcomes.iter().flat_map(|outcome| outcome.silent_ms.clone()).collect();
        silent.sort_unstable();
        let rank = |share: f64| {
            let at = ((recovered.len() as f64 * share) as usize).min(recovered.len().saturating_sub(1));
            recovered.get(at).copied().unwrap_or_default()
        };
        let failed = outcomes.iter().filter(|outcome| !outcome.verdict.is_clean());
        Self {
            kind: arguments.kind,
            on_postgres: arguments.postgres,
            seed,
            rounds: outcomes.len() as u64,
            faults: outcomes.iter().map(|outcome| outcome.marks.len() as u64).sum(),
            verdict,
            agreed_ms: outcomes.iter().filter_map(|outcome| outcome.agreed_ms).max().unwrap_or_default(),
            recovered_ms: [rank(0.5), rank(0.99), rank(1.0)],
            silent_ms: [silent.get(silent.len() / 2), silent.last()]
                .map(|ms| ms.copied().unwrap_or_default()),
            touched: outcomes.iter().map(|outcome| outcome.touched).sum(),
            peak: outcomes.iter().map(|outcome| outcome.peak).max().unwrap_or_default(),
            seconds: 0.0,
            spent,
            again: failed.map(|outcome| arguments.again(outcome.seed)).collect(),
        }
    }

    /// What was done, and on what.
    pub fn name(&self) -> String {
        let on = if self.on_postgres { " on PostgreSQL" } else { "" };
        format!("{}{on}", self.kind.name())
    }

    fn print(&self) {
        let Self { rounds, faults, seconds, seed, .. } = self;
        let counts = &self.verdict.counts;
        let touched = self.touched;
        println!(
            "{}: {rounds} rounds from seed {seed}, {faults} faults ({touched} lines touched) in {seconds:.0} s",
            self.name()
        );
        println!(
            "  {} posts begun, {} acknowledged, {} never known; {} events in the logs, {} frames shown",
            counts.invoked, counts.acknowledged, counts.unknown, counts.events, counts.frames
        );
        println!(
            "  lost {}, doubled {}, out of order {}, holes {}, foreign {}",
            counts.lost, counts.doubled, counts.misplaced, counts.holes, counts.foreign
        );
        let [median, rare, most] = self.recovered_ms;
        println!(
            "  all agreed after {} ms at most; posts after a crash: median {median} ms, 99 % {rare}, most {most}; memory {} MiB at most",
            self.agreed_ms,
            self.peak >> 20
        );
        let [middle, longest] = self.silent_ms;
        if longest > 0 {
            println!(
                "  longest time without an acknowledged post in an upgrade: median {middle} ms, most {longest}"
            );
        }
        let spent: Vec<String> =
            self.spent.iter().map(|(part, seconds)| format!("{part} {seconds:.1}")).collect();
        println!("  seconds over all rounds: {}", spent.join(", "));
        for finding in &self.verdict.findings {
            println!("  I-{}: {}", finding.invariant, finding.what);
        }
        for again in &self.again {
            println!("  again: {again}");
        }
    }
}
