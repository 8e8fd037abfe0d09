//! What must hold of a database at any moment, and whether it does.

use crate::error::DatabaseError;
use crate::store::Database;
use crate::store::checks as store;

pub use crate::store::ServerFacts;
pub use store::{Check, Findings};

/// Checks all of the database as it is at one moment, beside a server that may be running. Blocks its thread.
///
/// # Errors
/// When it cannot be read at all, is not ours, or is newer than this program.
pub fn check(database: &Database) -> Result<Findings, DatabaseError> {
    store::check(database)
}
