//! Readers that stall, beside others that do not: the memory that they cost, and the time that the others lose.

use super::{Contender, Leg, Shape};
use crate::book::Times;
use crate::checker::Faults;
use crate::people::Protocol;
use crate::plot::Plot;
use crate::progress::Progress;
use crate::report::{self, Quantiles};
use crate::swarm::{Pace, Swarm};
use crate::usage::shown;
use crate::watch::Watch;
use anyhow::Result;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long the senders post as fast as possible, so that the buffers of stalled readers are full.
const FLOOD: Duration = Duration::from_secs(3);

/// The cost of stalled readers.
#[derive(Debug, Serialize)]
pub struct Slow {
    scenario: &'static str,
    server: &'static str,
    protocol: Protocol,
    healthy: usize,
    stalled: usize,
    /// Microseconds from a post to each of its deliveries, without and with stalled readers.
    without_us: Quantiles,
    with_us: Quantiles,
    /// How much later the 99th percentile is with them.
    p99_ratio: f64,
    cpu_us_without: f64,
    cpu_us_with: f64,
    /// Resident bytes by which the server grew for each stalled reader while they were flooded.
    bytes_each: f64,
    lagged: u64,
    #[serde(skip)]
    times: [Times; 2],
    #[serde(skip)]
    resident: Vec<(f64, u64)>,
    #[serde(skip)]
    faults: Faults,
}

/// Measures a shape with its healthy readers alone, then with `stalled` more that read nothing.
///
/// # Errors
/// When connections cannot be opened.
pub fn run(contender: &Contender, shape: &Shape, stalled: usize, progress: &Progress) -> Result<Slow> {
    let watch = Watch::begin(contender.program.pid);
    let healthy = shape.spread.connections - stalled;
    let mut swarm = contender.swarm(shape.protocol, healthy)?;
    swarm.say(shape.length);
    progress.say("the healthy connect");
    swarm.open(healthy)?;
    // The same flood before both measurements: the memory that the server keeps after a flood is not the stalled
    // readers' doing.
    progress.say("a flood without stalled readers");
    flood(&mut swarm)?;
    progress.say("measuring without stalled readers");
    let without = contender.measure(&mut swarm, shape)?;
    progress.say("the others connect and stall");
    swarm.open(shape.spread.connections)?;
    for number in healthy..shape.spread.connections {
        swarm.stall(number)?;
    }
    swarm.listen(Instant::now() + Duration::from_secs(2))?;
    let before = contender.program.memory().rss;
    progress.say("a flood that they do not read");
    flood(&mut swarm)?;
    let grown = contender.program.pid.map(|_| contender.program.memory().rss.saturating_sub(before));
    progress.say("measuring with stalled readers");
    let with = contender.measure(&mut swarm, shape)?;
    let mut slow = Slow::new(contender, shape, stalled, grown, &without, &with);
    slow.resident = watch.end();
    Ok(slow)
}

fn flood(swarm: &mut Swarm) -> Result<()> {
    swarm.post_until(Pace::Window(4), Instant::now() + FLOOD)?;
    swarm.hear_out()
}

impl Slow {
    fn new(
        contender: &Contender,
        shape: &Shape,
        stalled: usize,
        grown: Option<u64>,
        without: &Leg,
        with: &Leg,
    ) -> Self {
        let p99 = |leg: &Leg| leg.each.value_at_quantile(0.99) as f64;
        Self {
            scenario: "slow",
            server: contender.program.name(),
            protocol: shape.protocol,
            healthy: shape.spread.connections - stalled,
            stalled,
            without_us: Quantiles::from(&without.each),
            with_us: Quantiles::from(&with.each),
            p99_ratio: p99(with) / p99(without),
            cpu_us_without: without.cpu_us(),
            cpu_us_with: with.cpu_us(),
            bytes_each: grown.map_or(f64::NAN, |grown| grown as f64 / stalled.max(1) as f64),
            lagged: with.lagged,
            times: [without.each.clone(), with.each.clone()],
            resident: Vec::new(),
            faults: with.faults,
        }
    }
}

impl report::Tell for Slow {
    fn print(&self) {
        let Self { scenario, server, healthy, stalled, .. } = self;
        println!("{scenario}: {server}, {}, {healthy} read and {stalled} do not", self.protocol.name());
        println!("  the server grew for each stalled reader by: {}", shown(self.bytes_each, 0, "bytes"));
        println!(
            "  those who read, without: {}; CPU per delivery: {}",
            self.without_us.shown(),
            shown(self.cpu_us_without, 2, "µs")
        );
        println!(
            "  those who read, with:    {}; CPU per delivery: {}",
            self.with_us.shown(),
            shown(self.cpu_us_with, 2, "µs")
        );
        println!("  p99 with to without: {:.2}; told that they fell behind: {}", self.p99_ratio, self.lagged);
    }

    fn faults(&self) -> Faults {
        self.faults
    }

    fn plot(&self) -> Plot {
        let [without, with] = self.times.clone();
        Plot {
            title: format!("slow: {}, {} stalled", self.server, self.stalled),
            times: vec![("without stalled readers", without), ("with stalled readers", with)],
            memory: self.resident.clone(),
            over: "seconds",
        }
    }
}
