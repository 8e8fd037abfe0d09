//! Runs the scenario that the command line names.

use crate::arguments::{Arguments, Command, Load, Output, Served, Target};
use crate::people::{Protocol, Spread};
use crate::program::{self, Kind, Program};
use crate::progress::Progress;
use crate::report::{self, Report, tell};
use crate::scenario::flood::{self, Flood};
use crate::scenario::{Contender, Shape, idle, mixed, slow, storm};
use crate::swarm::Pace;
use crate::{compare, files, lower_bound, textbook};
use anyhow::{Result, ensure};
use std::time::Duration;

/// Runs the scenario that the command line names. Returns whether every delivery was right.
///
/// # Errors
/// The obstacle, for people.
pub fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { command, target, output } = arguments;
    report::check(&output)?;
    match command {
        Command::LowerBound => lower_bound::run().map(|()| true),
        Command::Textbook => textbook::run().map(|()| true),
        Command::Room { load, pace } => {
            let (spread, pace) = (load.spread(1_000, 1, 4), load.pace(pace, 100.0));
            plain("room", &target, &output, &load.shape(spread, pace))
        }
        Command::Rooms { load, pace } => {
            let (spread, pace) = (load.spread(1_000, 100, 1), load.pace(pace, 2_000.0));
            plain("rooms", &target, &output, &load.shape(spread, pace))
        }
        Command::Steady { load } => {
            let (spread, pace) = (load.spread(1_000, 10, 2), Pace::Every(load.interval(500.0)));
            plain("steady", &target, &output, &load.shape(spread, pace))
        }
        Command::Idle { protocol, connections, rooms, rooms_each, quiet } => {
            let quiet = Duration::from_secs_f64(quiet);
            idle(&target, &output, protocol, &connections, (rooms, rooms_each), quiet)
        }
        Command::Slow { load, stalled } => {
            let healthy = load.connections.unwrap_or(1_000);
            let spread = load.spread(1_000, 1, 4).with_connections(healthy + stalled);
            let shape = load.shape(spread, Pace::Every(load.interval(50.0)));
            eprintln!("{healthy} connections will read, and {stalled} more will stall (--stalled)");
            let (contender, progress) = prepare("slow", &target, shape.protocol, &spread)?;
            tell(&slow::run(&contender, &shape, stalled, &progress)?, &output)
        }
        Command::Flood { load, big, bots, window } => {
            let spread = load.spread(10, 1, 2);
            let shape = load.shape(spread, Pace::Every(load.interval(50.0)));
            let big =
                Load { connections: Some(big), senders: Some(bots), ..load.clone() }.spread(big, 1, bots);
            files::check(spread.connections + big.connections, &target)?;
            let (contender, progress) = prepare("flood", &target, shape.protocol, &spread)?;
            let flood = Flood { spread: big, window, apart: target.pins().is_some() };
            tell(&flood::run(&contender, &shape, flood, &progress)?, &output)
        }
        Command::Storm { load, times } => {
            let spread = load.spread(5_000, 50, 1);
            let shape = load.shape(spread, Pace::Every(load.interval(500.0)));
            let (contender, progress) = prepare("storm", &target, shape.protocol, &spread)?;
            tell(&storm::run(&contender, &shape, times, &progress)?, &output)
        }
        Command::Mixed { people, pause, duration } => {
            files::check(people, &target)?;
            let (program, progress) = (start(&target, None)?, Progress::new("mixed"));
            let [pause, span] = [pause, duration].map(Duration::from_secs_f64);
            tell(&mixed::run(&program, people, pause, span, &progress)?, &output)
        }
        Command::Compare { row, protocol, seconds } => {
            compare::run(&target, &output, &row, protocol, Duration::from_secs_f64(seconds))
        }
    }
}

fn plain(name: &str, target: &Target, output: &Output, shape: &Shape) -> Result<bool> {
    let (contender, progress) = prepare(name, target, shape.protocol, &shape.spread)?;
    let leg = contender.run(shape, &progress)?;
    drop(progress);
    tell(&Report::new(name, contender.program.name(), shape, &leg), output)
}

fn idle(
    target: &Target,
    output: &Output,
    protocol: Protocol,
    sizes: &[usize],
    (rooms, rooms_each): (usize, usize),
    quiet: Duration,
) -> Result<bool> {
    ensure!(sizes.len() > 1 && sizes.is_sorted_by(|one, next| one < next), "name two sizes or more, growing");
    let rooms_each = if protocol == Protocol::Simple { 1 } else { rooms_each };
    let connections = sizes.last().copied().unwrap_or(0);
    // Each connection has a user of its own, because connections that share one cost less.
    let spread = Spread { connections, rooms, rooms_each, senders: 0, users: connections };
    let (contender, progress) = prepare("idle", target, protocol, &spread)?;
    let idle = idle::run(&contender, protocol, sizes, quiet, &progress)?;
    drop(progress);
    tell(&idle, output)
}

fn prepare(
    name: &str,
    target: &Target,
    protocol: Protocol,
    spread: &Spread,
) -> Result<(Contender, Progress)> {
    files::check(spread.connections, target)?;
    let progress = Progress::new(name);
    progress.say("starting, and making accounts");
    Ok((Contender::new(start(target, None)?, protocol, spread)?, progress))
}

/// The server that is measured, or one of another kind beside it.
///
/// # Errors
/// When it cannot be started or reached.
pub(crate) fn start(target: &Target, other: Option<Kind>) -> Result<Program> {
    if let (Some(url), None) = (&target.url, other) {
        return Program::running(url, target);
    }
    let kind = other.unwrap_or(match target.serve {
        Served::Roomful => Kind::Roomful,
        Served::LowerBound => Kind::LowerBound,
        Served::Textbook => Kind::Textbook,
    });
    let binary = match kind {
        Kind::Roomful => program::find_binary(target.binary.as_deref())?,
        Kind::LowerBound | Kind::Textbook => std::env::current_exe()?,
    };
    Program::start(kind, &binary, target)
}
