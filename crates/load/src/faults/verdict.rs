//! The judge: what everybody did and was shown, against what the server kept. Pure.
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
    /// What everybody did and saw.
    pub journals: &'a [Journal],
    /// Lives of the data that a restore ended, in order.
    pub lives: &'a [Life],
    /// What the server kept, in the last of them.
    pub record: &'a Record,
    /// What nobody may ever be shown.
    pub secrets: &'a [String],
    /// What the server printed and logged.
    pub log: &'a str,
    /// Why some did not come to agree in time.
    pub stuck: &'a [String],
    /// Whether a life of the server ended without a goodbye.
    pub crashed: bool,
    /// The most resident memory of the server, and how much it may have, in bytes.
    pub memory: (u64, u64),
}

/// A life of the data that ended when an older backup took its place.
#[derive(Debug)]
pub struct Life {
    /// By which its clients know it.
    pub epoch: String,
    /// What the server had kept at its end.
    pub record: Record,
    /// When the backup was begun that came after it, in microseconds since the round began: everything that was
    /// acknowledged before is in the next life, too.
    pub backed_up_us: u64,
    /// When the next one began.
    pub ended_us: u64,
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Posts begun.
    pub invoked: u64,
    /// Posts acknowledged.
    pub acknowledged: u64,
    /// Posts of which their authors never knew.
    pub unknown: u64,
    /// Events in the logs.
    pub events: u64,
    /// Frames shown.
    pub frames: u64,
    /// Acknowledged and not kept, or kept otherwise.
    pub lost: u64,
    /// Kept or shown twice.
    pub doubled: u64,
    /// Shown before what comes before it.
    pub misplaced: u64,
    /// Left out, in a log or on a wire.
    pub holes: u64,
    /// Shown to somebody who may not see it.
    pub foreign: u64,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant it breaks: 1 to 12.
    pub invariant: u8,
    /// What and where.
    pub what: String,
}

/// What the judge has to say.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// How many of what.
    pub counts: Counts,
    /// The first findings, in words.
    pub findings: Vec<Finding>,
    /// How many findings there are for each invariant.
    pub broken: BTreeMap<u8, u64>,
}

impl<'a> Story<'a> {
    /// What was kept in each life.
    fn records(&self) -> impl Iterator<Item = &'a Record> {
        self.lives.iter().map(|life| &life.record).chain([self.record])
    }

    /// In which life something was.
    fn life_at(&self, at_us: u64) -> usize {
        self.lives.partition_point(|life| life.ended_us <= at_us)
    }

    /// Which life the one of an epoch is.
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

    /// Notes something that must not be.
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

/// Judges a story. Each part is named before it is judged.
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
    for line in story.log.lines().filter(|line| line.contains("panicked at")) {
        verdict.find(11, || line.to_owned());
    }
    begin("looking for secrets");
    secrets::judge(story, &mut verdict);
    verdict
}
