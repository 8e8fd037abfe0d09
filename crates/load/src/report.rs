//! The results of a run, for people and for programs.

use crate::arguments::Output;
use crate::book::Times;
use crate::checker::Faults;
use crate::people::Protocol;
use crate::plot::Plot;
use crate::scenario::{Leg, Shape};
use crate::usage::{Memory, mebibytes, shown};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The results of a scenario.
pub trait Tell: Serialize {
    /// Prints it for people.
    fn print(&self);
    /// The deliveries that went wrong.
    fn faults(&self) -> Faults;
    /// The parts that can be drawn.
    fn plot(&self) -> Plot;
}

/// Prints a report and writes the files that the command line names. Returns whether every delivery was right.
///
/// # Errors
/// When a file cannot be written.
pub fn tell(report: &impl Tell, output: &Output) -> Result<bool> {
    report.print();
    let faults = report.faults();
    let Faults { lost, doubled, misplaced, broken, refused } = faults;
    println!(
        "  lost {lost}, doubled {doubled}, out of order {misplaced}, broken {broken}, refused {refused}"
    );
    if let Some(path) = &output.json {
        write(path, &serde_json::to_string_pretty(report)?)?;
    }
    if let Some(path) = &output.svg {
        write(path, &report.plot().svg())?;
    }
    Ok(faults.none())
}

/// A number with its noun.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Whether the files that the command line names can be written: found out before the run and not after it.
///
/// # Errors
/// When a file cannot be written.
pub fn check(output: &Output) -> Result<()> {
    for path in [&output.json, &output.svg].into_iter().flatten() {
        let is_new = !path.exists();
        let opened = fs::OpenOptions::new().append(true).create(true).open(path);
        opened.with_context(|| format!("{} cannot be written", path.display()))?;
        if is_new {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// One run of people in rooms.
#[derive(Debug, Serialize)]
pub struct Report {
    scenario: String,
    server: &'static str,
    protocol: Protocol,
    connections: usize,
    rooms: usize,
    deliveries: u64,
    posts: u64,
    seconds: f64,
    deliveries_per_second: f64,
    /// Microseconds of the server for each delivery, and how much of it in the kernel.
    cpu_us_per_delivery: f64,
    system_share: f64,
    /// The same for each of the server's threads.
    threads_us_per_delivery: BTreeMap<String, f64>,
    load_cpu_us_per_delivery: f64,
    frame_bytes: f64,
    frames_per_read: f64,
    lagged: u64,
    connects_per_second: f64,
    connect_cpu_us: f64,
    /// Before the first connection, with all of them quiet, at the end.
    memory: [Memory; 3],
    /// Microseconds from when a post was due.
    each_us: Quantiles,
    last_us: Quantiles,
    faults: Faults,
    /// Seconds since before the first connection, and resident bytes.
    resident: Vec<(f64, u64)>,
    #[serde(skip)]
    times: [Times; 2],
}

/// Times at some ranks, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

impl From<&Times> for Quantiles {
    fn from(times: &Times) -> Self {
        let at = |rank| times.value_at_quantile(rank);
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: times.max() }
    }
}

impl Quantiles {
    /// For people.
    pub fn shown(&self) -> String {
        let Self { p50, p90, p99, p999, max } = self;
        format!("p50 {p50} µs, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max}")
    }
}

impl Report {
    /// The results of a run of `shape` against a server.
    pub fn new(scenario: &str, server: &'static str, shape: &Shape, leg: &Leg) -> Self {
        let share = |us: f64| us / leg.deliveries.max(1) as f64;
        Self {
            scenario: scenario.to_owned(),
            server,
            protocol: shape.protocol,
            connections: shape.spread.connections,
            rooms: shape.spread.rooms,
            deliveries: leg.deliveries,
            posts: leg.posts,
            seconds: leg.span.as_secs_f64(),
            deliveries_per_second: leg.rate(),
            cpu_us_per_delivery: leg.cpu_us(),
            system_share: leg.server.system,
            threads_us_per_delivery: leg
                .server
                .threads
                .iter()
                .map(|(name, us)| (name.clone(), share(*us)))
                .collect(),
            load_cpu_us_per_delivery: leg.load_us(),
            frame_bytes: leg.frame_bytes(),
            frames_per_read: leg.frames as f64 / leg.reads.max(1) as f64,
            lagged: leg.lagged,
            connects_per_second: shape.spread.connections as f64 / leg.opening.as_secs_f64(),
            connect_cpu_us: leg.opening_us,
            memory: leg.memory,
            each_us: Quantiles::from(&leg.each),
            last_us: Quantiles::from(&leg.last),
            faults: leg.faults,
            resident: leg.resident.clone(),
            times: [leg.each.clone(), leg.last.clone()],
        }
    }
}

impl Tell for Report {
    fn faults(&self) -> Faults {
        self.faults
    }

    fn plot(&self) -> Plot {
        let [each, last] = self.times.clone();
        Plot {
            title: format!("{}: {}, {} connections", self.scenario, self.server, self.connections),
            times: vec![("post to each of its deliveries", each), ("post to the last of them", last)],
            memory: self.resident.clone(),
            over: "seconds",
        }
    }

    fn print(&self) {
        let Self { scenario, server, connections, rooms, frame_bytes, .. } = self;
        let protocol = self.protocol.name();
        println!(
            "{scenario}: {server}, {protocol}, {} in {}, {frame_bytes:.0} bytes a frame",
            counted(*connections, "connection"),
            counted(*rooms, "room")
        );
        println!(
            "  deliveries {} in {:.1} s: {:.0} a second; posts {}; {:.1} frames a read",
            self.deliveries, self.seconds, self.deliveries_per_second, self.posts, self.frames_per_read
        );
        println!(
            "  CPU per delivery: {}; of which the kernel: {}; the load's own: {:.3} µs",
            shown(self.cpu_us_per_delivery, 3, "µs"),
            shown(self.system_share * 100.0, 0, "%"),
            self.load_cpu_us_per_delivery
        );
        for (name, us) in &self.threads_us_per_delivery {
            println!("    {name:<16} {us:.3} µs");
        }
        for (what, times) in [("each", &self.each_us), ("the last", &self.last_us)] {
            println!("  post to {what} of its deliveries: {}", times.shown());
        }
        println!(
            "  connecting: {:.0} a second; of the server each: {}",
            self.connects_per_second,
            shown(self.connect_cpu_us, 0, "µs")
        );
        let [before, quiet, end] = self.memory.map(|memory| mebibytes(memory.rss));
        println!("  memory: {before}; with all connected: {quiet}; at the end: {end}");
        println!("  told that they fell behind: {}", self.lagged);
    }
}
