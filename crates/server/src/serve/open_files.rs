//! How many files the process may have open: every connection is one.

use rlimit::Resource;

/// How many files this process may have open.
pub(super) fn open_files() -> u64 {
    rlimit::getrlimit(Resource::NOFILE).map_or(1_024, |(soft, _)| soft)
}

/// Raises the limit as far as it goes: shells start processes with a low one.
pub(super) fn raise_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => tracing::info!(files, "the limit of open files was raised as far as it goes"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}
