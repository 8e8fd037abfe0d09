//! Everything as text, for other programs.

use crate::error::DatabaseError;
use crate::store::Database;
use crate::store::export as store;
use std::io::Write;

/// Writes everything that the database holds at one moment as JSON Lines, beside a server that may be running: users
/// without what proves who they are, rooms, memberships with read marks, invites without what opens them, messages and
/// events. `at` is the time now in milliseconds since 1970 UTC. Answers the number of lines. Memory stays the same
/// however much there is. Blocks its thread.
///
/// # Errors
/// When the database is not ours, is newer than this program or cannot be read, or `out` takes no more.
pub fn export(database: &Database, at: i64, out: &mut dyn Write) -> Result<u64, DatabaseError> {
    store::export(database, at, out)
}
