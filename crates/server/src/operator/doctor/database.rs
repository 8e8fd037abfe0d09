//! What the doctor finds in the database.

use super::{Finding, Patient, some};
use chat::DatabaseError;
use chat::checks::Check;

const LAST_RESORT: &str = "Stop the server and keep a copy of the data directory. Then restore the latest backup \
    (roomful restore); if there is none, roomful export may still read most of it.";

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
