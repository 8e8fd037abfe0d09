//! What the doctor finds in the database.

use super::{Finding, Patient, some};
use crate::operator::terminal::count;
use chat::checks::{Check, ServerFacts};
use chat::{Clock, ConsumerState, DatabaseError, SqlError};

const LAST_RESORT: &str = "Stop the server and keep a copy of the data directory. Then restore the latest backup \
    (roomful restore); if there is none, roomful export may still read most of it.";

/// How old what a consumer has not taken yet may be beside a running server, in milliseconds.
const LATE: u64 = 10 * 60 * 1_000;
/// The same for a database that PostgreSQL keeps.
const LAST_RESORT_ON_POSTGRES: &str = "Stop the server, and keep a copy of the database (roomful backup --damaged). Then \
    restore the latest backup (roomful restore says how); if there is none, roomful export may still read most of it.";

pub(super) fn version(patient: &Patient<'_>) -> Finding {
    match &patient.findings {
        None => Finding::nothing_there(),
        Some(Ok(findings)) => match &findings.server {
            None => {
                Finding::ok(format!("The database can be read; its tables have version {}.", findings.schema))
            }
            Some(server) => on_server(findings.schema, server),
        },
        Some(Err(error @ DatabaseError::Newer { .. })) => Finding::fail(
            format!("The database cannot be used: {error}."),
            "Install the newer version again.",
        ),
        Some(Err(error)) if patient.is_on_postgres() => unreadable_on_server(error),
        Some(Err(error)) => Finding::fail(format!("The database cannot be read: {error}."), LAST_RESORT),
    }
}

pub(super) fn consumers(patient: &Patient<'_>) -> Finding {
    let (Some(Ok(_)), Some(directory)) = (&patient.findings, &patient.directory) else {
        return Finding::ok("Not looked at.");
    };
    let states =
        match chat::consumers_of(&directory.database_of(&patient.loaded.config), Clock::system().now()) {
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

fn on_server(schema: u32, server: &ServerFacts) -> Finding {
    let what = format!(
        "The database can be read; its tables have version {schema}. It is on PostgreSQL {}.",
        server.version
    );
    if server.full_page_writes {
        return Finding::ok(what);
    }
    Finding::warn(
        format!("{what}\nThe server runs with full_page_writes = off: a power cut may damage its pages."),
        "Set full_page_writes = on in its postgresql.conf, and reload it. Leave it off only on a file system that \
         writes pages whole.",
    )
}

fn unreadable_on_server(error: &DatabaseError) -> Finding {
    let (what, advice) = match error {
        DatabaseError::Foreign => (
            "The database holds no tables of Roomful.".to_owned(),
            "Start the server: it makes them. If they should be there, correct the setting `database`.",
        ),
        // A sentence of its own, which says what to change.
        DatabaseError::Sql(SqlError::Unfit(_) | SqlError::Address(_)) => {
            (error.to_string(), "Change that, and look again.")
        }
        DatabaseError::Sql(_) => (
            format!("The database cannot be read: {error}."),
            "Look whether PostgreSQL runs, and whether the setting `database` names it rightly.",
        ),
        DatabaseError::Newer { .. }
        | DatabaseError::Damaged(_)
        | DatabaseError::Stopped
        | DatabaseError::Write(_) => {
            (format!("The database cannot be read: {error}."), LAST_RESORT_ON_POSTGRES)
        }
    };
    Finding::fail(what, advice)
}

pub(super) fn inside(patient: &Patient<'_>, check: Check) -> Finding {
    let Some(Ok(findings)) = &patient.findings else { return Finding::ok("Not looked at.") };
    let Some((_, faults)) = findings.faults.iter().find(|(of, _)| *of == check) else {
        return Finding::ok(
            "Not looked at: this is PostgreSQL's own. Its program pg_amcheck looks at tables and indexes.",
        );
    };
    if faults.is_empty() {
        return Finding::ok(check.about());
    }
    let advice = match check {
        Check::Indexes => {
            "An index can be made anew from its rows: stop the server and run sqlite3 roomful.db reindex. Then find \
             out why, since this is how failing disks begin."
        }
        Check::Integrity | Check::References | Check::Rooms | Check::Messages | Check::Reads
            if patient.is_on_postgres() =>
        {
            LAST_RESORT_ON_POSTGRES
        }
        Check::Integrity | Check::References | Check::Rooms | Check::Messages | Check::Reads => LAST_RESORT,
    };
    Finding::fail(some(faults), advice)
}
