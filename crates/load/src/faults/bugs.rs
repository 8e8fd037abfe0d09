//! The proof that the harness can tell: it catches a server with a bug, whichever of the bugs that is.

use super::arguments::FaultArguments;
use super::campaign::run_one;
use super::kind::Kind;
use super::round::{Outcome, Plan};
use anyhow::{Context, Result};
use sabotage::Bug;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How often a round is tried with another seed before a bug counts as missed.
const TRIES: u64 = 3;

/// How a bug is caught.
struct Trap {
    bug: Bug,
    kind: Kind,
    faults: u32,
    /// The invariants that it breaks; one of them must be found.
    breaks: &'static [u8],
}

/// The outcome for a bug.
#[derive(Debug, Serialize)]
struct Caught {
    bug: &'static str,
    by: Kind,
    seed: u64,
    /// How often each invariant was broken.
    broken: BTreeMap<u8, u64>,
    caught: bool,
    seconds: f64,
}

/// How each bug is caught.
fn traps() -> Vec<Trap> {
    let trap = |bug| {
        let (kind, faults, breaks): (Kind, u32, &'static [u8]) = match bug {
            Bug::ReplyBeforeCommit => (Kind::Cut, 12, &[1]),
            Bug::NormalSync => (Kind::Cut, 12, &[1]),
            Bug::NoncePerConnection => (Kind::Points, 12, &[1]),
            Bug::CursorOffByOne => (Kind::Kill, 10, &[4]),
            Bug::PublishBeforeCommit => (Kind::Cut, 12, &[2]),
            Bug::DropOnLag => (Kind::Flood, 0, &[4]),
            Bug::StaleMembership => (Kind::Calm, 0, &[5]),
            Bug::GlobalSeq => (Kind::Calm, 0, &[3, 4]),
            Bug::SameEpochOnRestore => (Kind::Restore, 2, &[4]),
            Bug::BeatFromFollows => (Kind::Flood, 0, &[8]),
            Bug::RetryWithNewNonce => (Kind::Kill, 20, &[1]),
            Bug::UnboundedQueue => (Kind::Crush, 0, &[10]),
        };
        Trap { bug, kind, faults, breaks }
    };
    Bug::ALL.into_iter().map(trap).collect()
}

/// Gives the armed server each bug in turn. Returns whether every one was caught.
///
/// # Errors
/// When it could not try.
pub fn prove(arguments: &FaultArguments) -> Result<bool> {
    let binary = arguments.armed_binary()?;
    let seed = arguments.seed.unwrap_or(1);
    let mut table = Vec::new();
    println!("{:<22} {:<8} {:<8} {:>6}  found (invariant: times)", "bug", "by", "caught", "s");
    for trap in traps() {
        let caught = catch(&trap, &binary, arguments.people, seed)
            .with_context(|| format!("the bug {}", trap.bug.name()))?;
        let found: Vec<String> =
            caught.broken.iter().map(|(number, count)| format!("I-{number}: {count}")).collect();
        println!(
            "{:<22} {:<8} {:<8} {:>6.1}  {}",
            caught.bug,
            trap.kind.name(),
            if caught.caught { "yes" } else { "NO" },
            caught.seconds,
            found.join(", ")
        );
        table.push(caught);
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&table)?)
            .with_context(|| path.display().to_string())?;
    }
    let count = table.iter().filter(|caught| caught.caught).count();
    println!("{count} of {} bugs caught", Bug::ALL.len());
    Ok(count == table.len())
}

fn catch(trap: &Trap, binary: &Path, people: usize, seed: u64) -> Result<Caught> {
    let mut last: Option<(u64, Outcome)> = None;
    for seed in seed..seed + TRIES {
        let plan = Plan {
            kind: trap.kind,
            seed,
            faults: trap.faults,
            people,
            binary: binary.to_owned(),
            keep: None,
            bug: Some(trap.bug),
            postgres: None,
        };
        let outcome = run_one(&plan, &|_| {})?;
        let is_caught = trap.breaks.iter().any(|number| outcome.verdict.broken.contains_key(number));
        last = Some((seed, outcome));
        if is_caught {
            break;
        }
    }
    let (seed, outcome) = last.context("no round was run")?;
    let caught = trap.breaks.iter().any(|number| outcome.verdict.broken.contains_key(number));
    let Outcome { verdict, seconds, .. } = outcome;
    Ok(Caught { bug: trap.bug.name(), by: trap.kind, seed, broken: verdict.broken, caught, seconds })
}
