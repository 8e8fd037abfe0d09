//! The table of budgets. Each row is run against the lower bound, the server, the server, and the lower bound again,
//! so that the two share equally what else the machine does meanwhile.

mod rows;

use crate::arguments::{Output, Target};
use crate::people::Protocol;
use crate::program::Kind;
use crate::progress::Progress;
use crate::run::start;
use crate::scenario::{Contender, Leg, Shape};
use anyhow::{Context, Result, bail};
use rows::{Budget, Figure, ROWS, Row};
use serde::Serialize;
use std::fs;
use std::time::Duration;

/// One row of the table.
#[derive(Debug, Serialize)]
struct Line {
    row: &'static str,
    what: &'static str,
    protocol: Protocol,
    figure: f64,
    budget: Budget,
    met: bool,
    /// The measurements behind the figure.
    parts: Vec<Part>,
    faults: bool,
}

/// The measurements of one server in one of the shapes of a row.
#[derive(Debug, Serialize)]
struct Part {
    server: &'static str,
    connections: usize,
    cpu_us: f64,
    /// The CPU of a delivery in each of the runs.
    runs: Vec<f64>,
    system: f64,
    rate: f64,
    frame_bytes: f64,
    frames_per_read: f64,
    last_p50_us: u64,
    last_p99_us: u64,
    load_us: f64,
    connect_us: f64,
    lagged: u64,
    threads: Vec<(String, f64)>,
}

/// Runs rows of the table and prints it. Whether every delivery was right; a missed budget is a figure, not a fault.
///
/// # Errors
/// When a row is not known or cannot be run.
pub fn run(
    target: &Target,
    output: &Output,
    names: &[String],
    protocol: Option<Protocol>,
    span: Duration,
) -> Result<bool> {
    if let Some(unknown) = names.iter().find(|name| ROWS.iter().all(|row| row.name != name.as_str())) {
        let known: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        bail!("there is no row {unknown}; there are {}", known.join(", "));
    }
    let protocols = protocol.map_or(vec![Protocol::Native, Protocol::Simple], |one| vec![one]);
    let mut lines = Vec::new();
    for row in ROWS.iter().filter(|row| names.is_empty() || names.iter().any(|name| name == row.name)) {
        for protocol in &protocols {
            let line = line(target, row, *protocol, span)?;
            line.print();
            lines.push(line);
        }
    }
    println!("\n| figure | protocol | budget | measured | lower bound | |\n|---|---|---|---|---|---|");
    lines.iter().for_each(|line| println!("{}", line.markdown()));
    if let Some(path) = &output.json {
        fs::write(path, serde_json::to_string_pretty(&lines)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(!lines.iter().any(|line| line.faults))
}

fn line(target: &Target, row: &'static Row, protocol: Protocol, span: Duration) -> Result<Line> {
    let progress = Progress::new(&format!("{} {}", row.name, protocol.name()));
    let mut parts = Vec::new();
    let mut figures = Vec::new();
    let mut faults = false;
    for connections in row.connections {
        let shape = row.shape(protocol, *connections, span);
        let (bound, served) = match row.figure {
            // The lower bound has no sign-in.
            Figure::ConnectUs => (Vec::new(), alone(target, &shape, &progress)?),
            Figure::CpuRatio | Figure::CpuUs | Figure::MillionsPerCore | Figure::LastRatio => {
                a_b_b_a(target, &shape, &progress)?
            }
        };
        faults |= bound.iter().chain(&served).any(|leg| !leg.faults.none());
        let (bound, served) = (whole(&bound), whole(&served).context("nothing was run")?);
        figures.push(row.figure.of(bound.as_ref().map(|(leg, _)| leg), &served.0));
        parts.extend(bound.map(|legs| Part::new(Kind::LowerBound, &shape, &legs)));
        parts.push(Part::new(Kind::Roomful, &shape, &served));
    }
    // Two sizes make a quotient: how much worse than the lower bound's the server's grows.
    let figure = figures.iter().copied().reduce(|small, large| large / small).unwrap_or(f64::NAN);
    let met = row.budget.is_met(figure);
    Ok(Line { row: row.name, what: row.what, protocol, figure, budget: row.budget, met, parts, faults })
}

fn a_b_b_a(target: &Target, shape: &Shape, progress: &Progress) -> Result<(Vec<Leg>, Vec<Leg>)> {
    let bound = Contender::new(start(target, Some(Kind::LowerBound))?, shape.protocol, &shape.spread)?;
    progress.say("making accounts");
    let served = Contender::new(start(target, None)?, shape.protocol, &shape.spread)?;
    let first = bound.run(shape, progress)?;
    let middle = vec![served.run(shape, progress)?, served.run(shape, progress)?];
    Ok((vec![first, bound.run(shape, progress)?], middle))
}

fn alone(target: &Target, shape: &Shape, progress: &Progress) -> Result<Vec<Leg>> {
    let served = Contender::new(start(target, None)?, shape.protocol, &shape.spread)?;
    (0..3).map(|_| served.run(shape, progress)).collect()
}

/// The runs of one server as one, and the CPU of a delivery in each.
fn whole(legs: &[Leg]) -> Option<(Leg, Vec<f64>)> {
    let mut whole = legs.first()?.clone();
    legs[1..].iter().for_each(|leg| whole.add(leg));
    Some((whole, legs.iter().map(Leg::cpu_us).collect()))
}

impl Part {
    fn new(kind: Kind, shape: &Shape, (all, runs): &(Leg, Vec<f64>)) -> Self {
        let each = |us: f64| us / all.deliveries.max(1) as f64;
        Self {
            server: kind.name(),
            connections: shape.spread.connections,
            cpu_us: all.cpu_us(),
            runs: runs.clone(),
            system: all.server.system,
            rate: all.rate(),
            frame_bytes: all.frame_bytes(),
            frames_per_read: all.frames as f64 / all.reads.max(1) as f64,
            last_p50_us: all.last.value_at_quantile(0.5),
            last_p99_us: all.last.value_at_quantile(0.99),
            load_us: all.load_us(),
            connect_us: all.opening_us,
            lagged: all.lagged,
            threads: all.server.threads.iter().map(|(name, us)| (name.clone(), each(*us))).collect(),
        }
    }
}

impl Part {
    /// The figure of a row for people, in its unit. For a row in which a server does more than deliver, also the
    /// share of the delivering threads.
    fn shown(&self, row: &str) -> String {
        match row {
            "last" => format!("{:.1} ms", self.last_p99_us as f64 / 1e3),
            "connect" => format!("{:.0} µs", self.connect_us),
            _ => {
                let delivering = self.threads.iter().find(|(name, _)| name.starts_with("delivery"));
                let delivering = delivering.map(|(_, us)| format!(", delivering {us:.2}"));
                format!("{:.2} µs{}", self.cpu_us, delivering.unwrap_or_default())
            }
        }
    }
}

impl Line {
    fn print(&self) {
        let met = if self.met { "met" } else { "MISSED" };
        println!(
            "{} ({}), {}: {:.2}, budget {}: {met}",
            self.what,
            self.row,
            self.protocol.name(),
            self.figure,
            self.budget.shown()
        );
        for part in &self.parts {
            let threads: Vec<_> = part.threads.iter().map(|(name, us)| format!("{name} {us:.3}")).collect();
            println!(
                "  {:<11} n {:>5}: {:.3} µs a delivery (runs {:.3?}; kernel {:.0} %), {:.0}/s, {:.1} frames a read of {:.0} bytes, last p50 {} p99 {} µs, connect {:.0} µs, load {:.2} µs, lagged {}",
                part.server,
                part.connections,
                part.cpu_us,
                part.runs,
                part.system * 100.0,
                part.rate,
                part.frames_per_read,
                part.frame_bytes,
                part.last_p50_us,
                part.last_p99_us,
                part.connect_us,
                part.load_us,
                part.lagged
            );
            println!("              {}", threads.join(", "));
        }
        if self.faults {
            println!("  Deliveries were lost, doubled or out of order: this row does not count.");
        }
    }

    fn markdown(&self) -> String {
        let met = if self.met { "met" } else { "**missed**" };
        let of = |kind: Kind| {
            let parts = self.parts.iter().filter(|part| part.server == kind.name());
            let shown = |part: &Part| part.shown(self.row);
            parts.map(shown).collect::<Vec<_>>().join(", ")
        };
        format!(
            "| {} | {} | {} | {:.2} ({}) | {} | {met} |",
            self.what,
            self.protocol.name(),
            self.budget.shown(),
            self.figure,
            of(Kind::Roomful),
            of(Kind::LowerBound)
        )
    }
}
