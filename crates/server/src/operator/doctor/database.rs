//! What the doctor finds in the database.

use super::{Finding, Patient, some};
use crate::operator::terminal::count;
use chat::checks::Check;
use chat::{Clock, ConsumerState, DatabaseError};

const LAST_RESORT: &str = "Stop the server and keep a copy of the data directory. Then restore the latest backup \
    (roomful restore); if there is none, roomful export may still read most of it.";

/// How old what a consumer has not taken yet may be beside a running server, in milliseconds.
const LATE: u64 = 10 * 60 * 1_000;

pub(super) fn version(patient: &Patient<'_>) -> Finding {
    match &patient.findings {
        None => Finding::nothing_there(),
        Some(Ok(findings)) => {
            Finding::ok(format!("The database can be read; its tables have version {}.", findings.schema))
        }
        Some(Err(error @ DatabaseError::Newer { .. })) => Finding::fail(
            format!("The database cannot be used: {error}."),
            "Install the newer version again.",
        ),
        Some(Err(error)) => Finding::fail(format!("The database cannot be read: {error}."), LAST_RESORT),
    }
}

pub(super) fn consumers(patient: &Patient<'_>) -> Finding {
    let (Some(Ok(_)), Some(directory)) = (&patient.findings, &patient.directory) else {
        return Finding::ok("Not looked at.");
    };
    let states = match chat::consumers_of(&directory.database(), Clock::system().now()) {
        Ok(states) => states,
        // The server brings tables of an older version up to date before it reads them.
        Err(error) => return Finding::ok(format!("Not looked at: {error}.")),
    };
    let what = states.iter().map(standing).collect::<Vec<_>>().join("\n");
    let is_late = patient.running.is_some() && states.iter().any(|state| state.age_ms > LATE);
    if is_late {
        return Finding::warn(
            what,
            "Look again in a minute. If it does not get less, the server's log says why.",
        );
    }
    Finding::ok(what)
}

fn standing(state: &ConsumerState) -> String {
    let ConsumerState { name, lag, age_ms } = state;
    match lag {
        0 => format!("{name} has taken all that happened."),
        _ => format!("{name} is {} and {} seconds behind.", count(*lag, "event", "events"), age_ms / 1_000),
    }
}

pub(super) fn inside(patient: &Patient<'_>, check: Check) -> Finding {
    let Some(Ok(findings)) = &patient.findings else { return Finding::ok("Not looked at.") };
    let faults = findings.faults.iter().find(|(of, _)| *of == check).map_or(&[][..], |(_, faults)| faults);
    if faults.is_empty() {
        return Finding::ok(check.about());
    }
    let advice = match check {
        Check::Indexes => {
            "An index can be made anew from its rows: stop the server and run sqlite3 roomful.db reindex. Then find \
             out why, since this is how failing disks begin."
        }
        Check::Integrity | Check::References | Check::Rooms | Check::Messages | Check::Reads => LAST_RESORT,
    };
    Finding::fail(some(faults), advice)
}
