//! All connections are cut at once and come back at once.

use super::{Contender, Leg, Shape};
use crate::book::Times;
use crate::checker::Faults;
use crate::people::Protocol;
use crate::plot::Plot;
use crate::progress::Progress;
use crate::report::{self, Quantiles, counted};
use crate::usage::{mebibytes, shown, unless_zero};
use crate::watch::Watch;
use anyhow::Result;
use serde::Serialize;
use std::time::{Duration, Instant};

/// One storm.
#[derive(Debug, Clone, Copy, Serialize)]
struct Wave {
    /// Until 95 of 100 were back.
    most_seconds: f64,
    /// Until all were.
    seconds: f64,
    connects_per_second: f64,
    /// Microseconds of the server for each connection that went and came back.
    cpu_us: f64,
    #[serde(serialize_with = "unless_zero")]
    rss: u64,
}

/// The cost of storms.
#[derive(Debug, Serialize)]
pub struct Storm {
    scenario: &'static str,
    server: &'static str,
    protocol: Protocol,
    connections: usize,
    waves: Vec<Wave>,
    /// The most resident memory in the storms, as a multiple of that before them with everybody connected.
    memory_ratio: Option<f64>,
    /// Microseconds from a post to each of its deliveries, after the last storm.
    after_us: Quantiles,
    #[serde(skip)]
    after: Times,
    #[serde(skip)]
    resident: Vec<(f64, u64)>,
    #[serde(skip)]
    faults: Faults,
}

/// Connects everybody, cuts all connections and lets them come back `times` times, and posts at the end.
///
/// # Errors
/// When connections cannot be opened.
pub fn run(contender: &Contender, shape: &Shape, times: usize, progress: &Progress) -> Result<Storm> {
    let (watch, began) = (Watch::begin(contender.program.pid), Instant::now());
    let connections = shape.spread.connections;
    let mut swarm = contender.swarm(shape.protocol, connections)?;
    swarm.say(shape.length);
    let (mut waves, mut settled) = (Vec::new(), 0.0);
    // The first wave comes to a server to which nobody was connected.
    for wave in 0..=times {
        progress.say(&format!("wave {wave} of {times}"));
        let before = contender.program.usage();
        swarm.cut();
        let opening = swarm.open(connections)?;
        let took = opening.all.as_secs_f64();
        let cpu_us = contender.program.usage().since(&before).cpu_us / connections as f64;
        swarm.listen(Instant::now() + Duration::from_secs(2))?;
        let rss = contender.program.memory().rss;
        let most_seconds = opening.most.as_secs_f64();
        let connects_per_second = connections as f64 / took;
        waves.push(Wave { most_seconds, seconds: took, connects_per_second, cpu_us, rss });
        if wave == 0 {
            settled = began.elapsed().as_secs_f64();
        }
    }
    progress.say("posting");
    let after: Leg = contender.measure(&mut swarm, shape)?;
    let resident = watch.end();
    Ok(Storm {
        scenario: "storm",
        server: contender.program.name(),
        protocol: shape.protocol,
        connections,
        memory_ratio: memory_ratio(&resident, settled, &waves),
        waves,
        after_us: Quantiles::from(&after.each),
        faults: after.faults,
        after: after.each,
        resident,
    })
}

/// None when nothing is known of the memory, or there was no storm.
fn memory_ratio(resident: &[(f64, u64)], settled: f64, waves: &[Wave]) -> Option<f64> {
    let before = waves.first().map(|wave| wave.rss).filter(|rss| *rss > 0)?;
    let most = resident.iter().filter(|(at, _)| *at > settled).map(|(_, rss)| *rss).max()?;
    (waves.len() > 1).then_some(most as f64 / before as f64)
}

impl report::Tell for Storm {
    fn print(&self) {
        let Self { scenario, server, connections, .. } = self;
        println!("{scenario}: {server}, {}, {}", self.protocol.name(), counted(*connections, "connection"));
        for (number, wave) in self.waves.iter().enumerate() {
            println!(
                "  wave {number}: 95 % in {:.2} s, all in {:.2} s, {:.0} connections a second, of the server each: {}; then: {}",
                wave.most_seconds,
                wave.seconds,
                wave.connects_per_second,
                shown(wave.cpu_us, 0, "µs"),
                mebibytes(wave.rss)
            );
        }
        if let Some(ratio) = self.memory_ratio {
            println!("  memory in the storms: at most {ratio:.2} × what it was before them");
        }
        println!("  post to each of its deliveries after it: {}", self.after_us.shown());
    }

    fn faults(&self) -> Faults {
        self.faults
    }

    fn plot(&self) -> Plot {
        Plot {
            title: format!("storm: {}, {} connections", self.server, self.connections),
            times: vec![("post to each of its deliveries, after the storms", self.after.clone())],
            memory: self.resident.clone(),
            over: "seconds",
        }
    }
}
