//! A transaction under way on the writer, and what comes of one.

use super::heads::Heads;
use crate::sql::Sql;
use crate::stream::{Committed, Kept};

/// A transaction under way on the writer, with what it will tell once it is on the disk.
pub(crate) struct Tx<'c> {
    pub(crate) sql: Sql<'c>,
    pub(crate) told: Vec<Committed>,
    /// Values to be dropped once the server has passed on the events, or once the batch has failed.
    pub(crate) kept: Vec<Kept>,
    /// What time it is for the work under way, in milliseconds since 1970 UTC.
    pub(crate) now: i64,
    pub(super) heads: Heads,
}

impl<'c> Tx<'c> {
    pub(super) fn new(sql: Sql<'c>) -> Self {
        Self { sql, told: Vec::new(), kept: Vec::new(), now: 0, heads: Heads::default() }
    }
}

/// What came of a batch, for memory that must not outlive what it was read from. It is told before anybody else hears.
pub(crate) enum Settled<'a> {
    /// This was committed.
    Committed(&'a [Committed]),
    /// Nobody knows what was committed.
    Unknown,
}

/// Hears what came of each batch.
pub(crate) type OnSettled = Box<dyn Fn(Settled<'_>) + Send>;
