//! A copy of the database, of one moment, taken while people talk; and what must hold of it before it is trusted.

use crate::error::DatabaseError;
use crate::store::{backup as store, checks};
use crate::token::new_id;
use std::path::Path;

pub use store::{Contents, Moment};

/// Copies the database at `from` into the empty file `to`, and checks the copy. A server may run on `from`: the copy is
/// of one moment, and whoever writes is not held up. `going` is told the bytes copied and the bytes there are, and
/// answers whether to go on.
///
/// # Errors
/// When the database is damaged, is not ours or newer than this program, cannot be read, or `going` says no.
pub fn copy(
    from: &Path,
    to: &Path,
    going: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Contents, DatabaseError> {
    store::copy(from, to, going)
}

/// What is missing from the rooms of a database that no server uses, or is numbered wrongly: nothing where each room's
/// events go 1, 2, 3 … up to its head, else the first faults.
///
/// # Errors
/// When it cannot be read.
pub fn holes(database: &Path) -> Result<Vec<String>, DatabaseError> {
    checks::holes(database)
}

/// Reads all of a database that no server uses, and answers what it holds.
///
/// # Errors
/// When it is damaged, is not ours, or is newer than this program.
pub fn inspect(database: &Path) -> Result<Contents, DatabaseError> {
    store::inspect(database)
}

/// Begins another life of a database that no server uses, so that everybody who knew it starts afresh. Answers its epoch.
///
/// # Errors
/// When it cannot be written.
pub fn renew_epoch(database: &Path) -> Result<String, DatabaseError> {
    let epoch = new_id().to_string();
    store::renew_epoch(database, &epoch)?;
    Ok(epoch)
}

/// Holds one moment of the PostgreSQL database at `address` while `work` has a look, or has `pg_dump` take it. Whoever
/// writes is not held up. Blocks its thread.
///
/// # Errors
/// When the database is not ours or newer than this program, or cannot be read.
pub fn hold<T>(address: &str, work: impl FnOnce(&Moment) -> T) -> Result<T, DatabaseError> {
    store::hold(address, work)
}
