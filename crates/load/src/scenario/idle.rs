//! Connections that hear nothing: what each costs in memory, and in processor time.

use super::Contender;
use crate::checker::Faults;
use crate::people::Protocol;
use crate::plot::Plot;
use crate::progress::Progress;
use crate::report::{self, counted};
use crate::usage::{mebibytes, shown, unless_zero};
use anyhow::Result;
use serde::Serialize;
use std::time::{Duration, Instant};

/// One size.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    /// Connections.
    pub connections: usize,
    /// Resident bytes of the server once they had been quiet.
    #[serde(serialize_with = "unless_zero")]
    pub rss: u64,
    /// Microseconds of the server a second, for each connection.
    pub cpu_us: f64,
}

/// The cost of idle connections.
#[derive(Debug, Serialize)]
pub struct Idle {
    scenario: &'static str,
    server: &'static str,
    protocol: Protocol,
    rooms: usize,
    rooms_each: usize,
    sizes: Vec<Size>,
    /// Bytes of the server for one connection more: the slope over all sizes.
    bytes_each: f64,
    /// The slope between the two largest sizes alone, without what is paid once for all.
    bytes_each_at_last: f64,
    connect_us: f64,
    #[serde(skip)]
    faults: Faults,
}

/// Opens connections up to each of `sizes` in turn, waits for `quiet`, and looks.
///
/// # Errors
/// When connections cannot be opened.
pub fn run(
    contender: &Contender,
    protocol: Protocol,
    sizes: &[usize],
    quiet: Duration,
    progress: &Progress,
) -> Result<Idle> {
    let mut swarm = contender.swarm(protocol, 0)?;
    let (program, mut seen) = (&contender.program, Vec::new());
    let mut opened = crate::usage::Used::default();
    for size in sizes {
        progress.say(&format!("connecting up to {size}"));
        let before = program.usage();
        swarm.open(*size)?;
        opened += program.usage().since(&before);
        progress.say(&format!("{size} connections are quiet"));
        let began = Instant::now();
        // The consequences of connecting are over after a second or two. Only the cost that goes on is counted.
        swarm.listen(began + quiet.min(Duration::from_secs(3)))?;
        let (before, counted) = (program.usage(), Instant::now());
        swarm.listen(began + quiet)?;
        let used = program.usage().since(&before).cpu_us;
        let cpu_us = used / counted.elapsed().as_secs_f64().max(0.001) / *size as f64;
        seen.push(Size { connections: *size, rss: program.memory().rss, cpu_us });
    }
    let last = &seen[seen.len().saturating_sub(2)..];
    Ok(Idle {
        scenario: "idle",
        server: program.name(),
        protocol,
        rooms: contender.rooms(),
        rooms_each: contender.rooms_each(),
        bytes_each: slope(&seen),
        bytes_each_at_last: slope(last),
        connect_us: opened.cpu_us / sizes.last().copied().unwrap_or(1) as f64,
        sizes: seen,
        faults: swarm.faults,
    })
}

/// The slope of memory over connections, by least squares. Not a number where memory is not known.
fn slope(sizes: &[Size]) -> f64 {
    if sizes.iter().any(|size| size.rss == 0) {
        return f64::NAN;
    }
    let count = sizes.len() as f64;
    let mean = |of: &dyn Fn(&Size) -> f64| sizes.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|size| size.connections as f64), mean(&|size| size.rss as f64));
    let spread = |of: &dyn Fn(&Size) -> f64| sizes.iter().map(of).sum::<f64>();
    spread(&|size| (size.connections as f64 - x) * (size.rss as f64 - y))
        / spread(&|size| (size.connections as f64 - x).powi(2))
}

impl report::Tell for Idle {
    fn print(&self) {
        let Self { scenario, server, rooms, rooms_each, .. } = self;
        println!(
            "{scenario}: {server}, {}, each in {rooms_each} of {}",
            self.protocol.name(),
            counted(*rooms, "room")
        );
        for size in &self.sizes {
            println!(
                "  {:>6} connections: {}; CPU a second each: {}",
                size.connections,
                mebibytes(size.rss),
                shown(size.cpu_us, 3, "µs")
            );
        }
        println!(
            "  memory each over all sizes: {}; between the two largest: {}; connecting, of the server each: {}",
            shown(self.bytes_each, 0, "bytes"),
            shown(self.bytes_each_at_last, 0, "bytes"),
            shown(self.connect_us, 0, "µs")
        );
    }

    fn faults(&self) -> Faults {
        self.faults
    }

    fn plot(&self) -> Plot {
        let memory = self.sizes.iter().map(|size| (size.connections as f64, size.rss)).collect();
        Plot { title: format!("idle: {}", self.server), times: Vec::new(), memory, over: "connections" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_leaves_out_what_is_paid_once() {
        let size = |connections: usize| Size {
            connections,
            rss: 10_000_000 + 2_000 * connections as u64,
            cpu_us: 0.0,
        };
        assert!((slope(&[size(100), size(300), size(1_000)]) - 2_000.0).abs() < 0.01);
    }
}
