//! What the doctor finds about the machine: its disk, its clock, its limits, and the server that runs on it.

use super::{Finding, Patient};
use crate::operator::backup::{database_bytes, free_bytes};
use crate::operator::health;
use crate::operator::terminal::{bytes, time};
use chat::Clock;
use std::fs;

/// Free bytes of the disk: below the first the server hardly works, below the second that is near.
const NO_SPACE: u64 = 64 << 20;
const LITTLE_SPACE: u64 = 1 << 30;
/// 2026-01-01. A machine that believes in an earlier time has lost its clock.
const EARLIEST: i64 = 1_767_225_600_000;
/// How far clocks may differ before it is worth a word.
const SKEW: i64 = 60_000;
/// Fewer open files than this are fewer connections than a community needs.
const FEW_FILES: u64 = 4_096;

pub(super) fn space(patient: &Patient<'_>) -> Finding {
    let Some(directory) = &patient.directory else { return Finding::nothing_there() };
    let free = match free_bytes(directory.path()) {
        Ok(free) => free,
        Err(error) => {
            return Finding::fail(format!("{error:#}."), "Run this as the user who runs the server.");
        }
    };
    let database = database_bytes(directory);
    let what = if patient.is_on_postgres() {
        let here = "are free here; PostgreSQL keeps the database where its own server is.";
        format!("{} {here}", bytes(free))
    } else {
        format!("{} are free, and the database takes {}.", bytes(free), bytes(database))
    };
    let advice =
        "Make room, or move the data directory to a larger disk. Without room nothing can be posted.";
    match free {
        0..NO_SPACE => Finding::fail(what, advice),
        _ if free < LITTLE_SPACE.max(database) => Finding::warn(what, advice),
        _ => Finding::ok(what),
    }
}

pub(super) fn clock(patient: &Patient<'_>) -> Finding {
    let now = Clock::system().now();
    let advice = "Set the clock, and let NTP keep it (timedatectl set-ntp true). Order does not depend on it, but the \
        times people see, sessions and certificates do.";
    if now < EARLIEST {
        return Finding::fail(format!("This machine believes that it is {}.", time(now)), advice);
    }
    let newest = patient.findings.as_ref().and_then(|found| found.as_ref().ok()?.newest);
    match newest.filter(|newest| *newest > now + SKEW) {
        Some(newest) => Finding::warn(
            format!("It is {}, and something happened at {} already.", time(now), time(newest)),
            advice,
        ),
        None => Finding::ok(format!("It is {}.", time(now))),
    }
}

pub(super) fn open_files(patient: &Patient<'_>) -> Finding {
    let of_server = patient.running.and_then(|_| limit_of_server(patient));
    let of_us = || rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(FEW_FILES, |(_, hard)| hard);
    let (files, whose) = match of_server {
        Some(files) => (files, "The server"),
        None => (of_us(), "A server started from here"),
    };
    let wanted = u64::from(patient.loaded.config.limits.connections).max(FEW_FILES);
    let what = format!("{whose} may open {files} files.");
    if files >= wanted {
        return Finding::ok(what);
    }
    let advice = format!(
        "Every connection is one: raise the limit to {wanted} or more, with LimitNOFILE= under systemd."
    );
    Finding::warn(what, advice)
}

/// The limit of a running server, as the kernel knows it: a service has other limits than the shell that the doctor runs
/// in.
fn limit_of_server(patient: &Patient<'_>) -> Option<u64> {
    let signed = patient.directory.as_ref()?.signed()?;
    let process = signed.split_whitespace().find_map(|word| word.parse::<u32>().ok())?;
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

pub(super) fn server(patient: &Patient<'_>) -> Finding {
    let Some(address) = patient.running else { return Finding::ok("No server runs on this data directory.") };
    match health::ask(address, &patient.loaded.config) {
        Ok(()) => Finding::ok(format!("The server at {address} is ready.")),
        Err(error) => {
            Finding::fail(format!("{error:#}."), "Read its log: the reason stands there as an error.")
        }
    }
}
