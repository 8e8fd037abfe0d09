//! Doing what the command line asks.

use crate::arguments::{Arguments, Command, Load, Served, Target};
use crate::people::Spread;
use crate::program::{self, Kind, Program};
use crate::progress::Progress;
use crate::report::Report;
use crate::scenario::{Contender, Shape};
use crate::swarm::Pace;
use crate::{compare, lower_bound, textbook};
use anyhow::Result;
use std::time::Duration;

/// Does what the command line asks. Whether every delivery was right.
///
/// # Errors
/// What stood in the way, for people.
pub fn run(arguments: Arguments) -> Result<bool> {
    let Arguments { command, target, output } = arguments;
    let report = match command {
        Command::LowerBound => return lower_bound::run().map(|()| true),
        Command::Textbook => return textbook::run().map(|()| true),
        Command::Room { load, pace } => {
            let (spread, pace) = (load.spread(1_000, 1, 4), load.pace(pace, 100.0));
            plain("room", &target, &load, spread, pace)?
        }
        Command::Rooms { load, pace } => {
            let (spread, pace) = (load.spread(1_000, 100, 1), load.pace(pace, 2_000.0));
            plain("rooms", &target, &load, spread, pace)?
        }
        Command::Steady { load } => {
            let (spread, pace) = (load.spread(1_000, 10, 2), Pace::Every(load.interval(500.0)));
            plain("steady", &target, &load, spread, pace)?
        }
        Command::Compare { row, protocol, seconds } => {
            return compare::run(&target, &output, &row, protocol, Duration::from_secs_f64(seconds));
        }
    };
    report.tell(&output)?;
    Ok(report.is_right())
}

fn plain(name: &str, target: &Target, load: &Load, spread: Spread, pace: Pace) -> Result<Report> {
    let shape = Shape {
        protocol: load.protocol,
        spread,
        pace,
        length: load.payload,
        warm: Duration::from_secs_f64(load.warm),
        span: Duration::from_secs_f64(load.duration),
    };
    let progress = Progress::new(name);
    progress.say("starting");
    let contender = Contender::new(start(target, None)?, load.protocol, &spread)?;
    let leg = contender.run(&shape, &progress)?;
    Ok(Report::new(name, contender.program.kind, &shape, &leg))
}

/// The server that is measured, or one of another kind beside it.
///
/// # Errors
/// When it cannot be started or reached.
pub(crate) fn start(target: &Target, other: Option<Kind>) -> Result<Program> {
    if let (Some(url), None) = (&target.url, other) {
        return Program::running(url, target.pid);
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
    Program::start(kind, &binary, target.pins())
}
