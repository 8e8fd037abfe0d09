//! The one session that writes to a PostgreSQL database.

use super::migrations::{self, postgres};
use super::opening::OpenError;
use crate::sql::{Dialect, Postgres, Sql, SqlError, SqlResult, params};
use std::time::{Duration, Instant};

/// What the session that writes holds for as long as it lives (an advisory lock of the database, by a number that means
/// nothing else): with it goes the right to write, so that no two servers ever do.
const LOCK: i64 = 0x526f_6f6d_6675_6c01;
/// How long the session of a server that has just ended may take to go.
const GOING: Duration = Duration::from_secs(5);
/// Between two tries to get the lock.
const AGAIN: Duration = Duration::from_millis(50);

/// Begins the session of a server that starts, and brings the tables up to date.
///
/// # Errors
/// `InUse` where another server serves the database.
pub(super) fn begin(address: &str) -> Result<Postgres, OpenError> {
    let mut session = Postgres::connect(address)?;
    let until = Instant::now() + GOING;
    while !lock(&session)? {
        if Instant::now() >= until {
            return Err(OpenError::InUse);
        }
        std::thread::sleep(AGAIN);
    }
    postgres::run(&mut session)?;
    Ok(session)
}

/// Begins a session that writes beside the server that may be running. Where none runs, this session takes the right to
/// write, so that none starts meanwhile.
///
/// # Errors
/// `Older` where the tables need to be brought up to date and a server uses them.
pub(super) fn beside(address: &str) -> Result<Postgres, OpenError> {
    let mut session = Postgres::connect(address)?;
    if lock(&session)? {
        postgres::run(&mut session)?;
        return Ok(session);
    }
    postgres::check(&session)?;
    let known = migrations::known(Dialect::Postgres);
    let found = postgres::schema((&session).into())?.unwrap_or_default();
    if found < known { Err(OpenError::Older { found, known }) } else { Ok(session) }
}

/// Begins another session for a server that runs, after its session was lost. The lock of that one is free only once
/// PostgreSQL has ended it, with whatever it was still doing.
pub(super) fn resume(address: &str) -> SqlResult<Postgres> {
    let session = Postgres::connect(address)?;
    if lock(&session)? {
        return Ok(session);
    }
    session.close();
    Err(SqlError::Lost("another session still holds the right to write".to_owned()))
}

fn lock(session: &Postgres) -> SqlResult<bool> {
    let text = "select pg_try_advisory_lock(?1) as is_ours";
    Ok(Sql::from(session).one(text, params![LOCK], |row| row.get("is_ours"))?.unwrap_or_default())
}
