//! What there is beside an embedded database: its file, and its write-ahead log.

use crate::support::World;
use chat::Database;
use std::path::PathBuf;

impl World {
    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        match &self.database {
            Database::File(path) => path.clone(),
            Database::Postgres(_) => unreachable!("these stories are about a file"),
        }
    }

    /// The size of the database's write-ahead log.
    pub fn log_bytes(&self) -> u64 {
        std::fs::metadata(self.database().with_extension("db-wal")).unwrap().len()
    }
}
