//! The judge: compares what everybody did and was shown with what the server kept. Pure.
//!
//! Each finding names the invariant it breaks; see `docs/reliability.md`.

mod log;
mod lookup;
mod posts;
mod screens;
mod secrets;
#[cfg(test)]
mod tests;
mod wire;

use super::community::Record;
use super::journal::Journal;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// The most findings that are kept in words; all are counted.
const KEPT: usize = 40;

/// Everything there is to judge.
pub struct Story<'a> {
    /// The journals of all people.
    pub journals: &'a [Journal],
    /// Lives of the data that a restore ended, in order.
    pub lives: &'a [Life],
    /// What the server kept, in the last of the lives.
    pub record: &'a Record,
    /// Texts that no client may ever be shown.
    pub secrets: &'a [String],
    /// Everything that the server printed.
    pub output: &'a str,
    /// Why some people did not come to agree in time.
    pub stuck: &'a [String],
    /// Whether a life of the server ended without a goodbye.
    pub crashed: bool,
    /// The most resident memory of the server, and how much it may have, in bytes.
    pub memory: (u64, u64),
}

/// A life of the data that ended when an older backup took its place.
#[derive(Debug)]
pub struct Life {
    /// The epoch by which its clients know it.
    pub epoch: String,
    /// What the server had kept at the end of the life.
    pub record: Record,
    /// When the backup was begun from which the next life came, in microseconds since the round began. Everything
    /// that was acknowledged before is in the next life, too.
    pub backed_up_us: u64,
    /// When the next life began, in microseconds since the round began.
    pub ended_us: u64,
}

/// The counts of a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Posts begun.
    pub invoked: u64,
    /// Posts acknowledged.
    pub acknowledged: u64,
    /// Posts whose authors never learned what became of them.
    pub unknown: u64,
    /// Events in the logs.
    pub events: u64,
    /// Frames shown.
    pub frames: u64,
    /// Acknowledged and not kept, or kept otherwise.
    pub lost: u64,
    /// Kept or shown twice.
    pub doubled: u64,
    /// Shown before an event that comes before it.
    pub misplaced: u64,
    /// Left out, in a log or on a wire.
    pub holes: u64,
    /// Shown to a user who may not see it.
    pub foreign: u64,
}

/// Something that broke an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant it breaks: 1 to 12.
    pub invariant: u8,
    /// What was found, and where.
    pub what: String,
}

/// The verdict on a round.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// Its counts.
    pub counts: Counts,
    /// The first findings, in words.
    pub findings: Vec<Finding>,
    /// How many findings there are for each invariant.
    pub broken: BTreeMap<u8, u64>,
}

impl<'a> Story<'a> {
    /// The records of all lives.
    fn records(&self) -> impl Iterator<Item = &'a Record> {
        self.lives.iter().map(|life| &life.record).chain([self.record])
    }

    /// The number of the life at a moment.
    fn life_at(&self, at_us: u64) -> usize {
        self.lives.partition_point(|life| life.ended_us <= at_us)
    }

    /// The number of the life with an epoch.
    fn life_of(&self, epoch: &str) -> usize {
        self.lives.iter().position(|life| life.epoch == epoch).unwrap_or(self.lives.len())
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.invoked += other.invoked;
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        self.events += other.events;
        self.frames += other.frames;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.misplaced += other.misplaced;
        self.holes += other.holes;
        self.foreign += other.foreign;
    }
}

impl Verdict {
    /// Whether everything is as it must be.
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }

    /// Notes a finding.
    pub fn find(&mut self, invariant: u8, what: impl FnOnce() -> String) {
        *self.broken.entry(invariant).or_default() += 1;
        if self.findings.len() < KEPT {
            self.findings.push(Finding { invariant, what: what() });
        }
    }

    /// Takes in another verdict.
    pub fn add(&mut self, other: Self) {
        self.counts += other.counts;
        for (invariant, count) in other.broken {
            *self.broken.entry(invariant).or_default() += count;
        }
        let free = KEPT.saturating_sub(self.findings.len());
        self.findings.extend(other.findings.into_iter().take(free));
    }
}

/// Judges a story. `begin` is called with the name of each part before it is judged.
pub fn judge(story: &Story<'_>, mut begin: impl FnMut(&'static str)) -> Verdict {
    let mut verdict = Verdict::default();
    for stuck in story.stuck {
        verdict.find(8, || stuck.clone());
    }
    begin("judging the log");
    for record in story.records() {
        log::judge(record, story.crashed, &mut verdict);
    }
    begin("judging posts");
    posts::judge(story, &mut verdict);
    begin("judging frames");
    wire::judge(story, &mut verdict);
    begin("judging screens");
    for journal in story.journals {
        screens::judge(journal, story.record, &mut verdict);
    }
    let (peak, most) = story.memory;
    if peak > most {
        verdict.find(10, || format!("the server took {} MiB, {} are allowed", peak >> 20, most >> 20));
    }
    for line in story.output.lines().filter(|line| line.contains("panicked at")) {
        verdict.find(11, || line.to_owned());
    }
    begin("looking for secrets");
    secrets::judge(story, &mut verdict);
    verdict
}
