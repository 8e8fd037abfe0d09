//! The disk that SQLite writes to, which can be made to fail.
//!
//! `ROOMFUL_DISK` says how, in one or more parts with `;` between them:
//!
//! - `hold`: what was not synced is held in memory. Everybody in this process reads it; a `kill -9` loses it, as a power
//!   cut would. What was synced is in the file.
//! - `cut:seed=7,after=120`: like `hold`, and the power is cut at the 120th write, truncation or sync. Of what was not
//!   synced the seed decides, piece by piece, what is lost, what is kept, what is torn at sectors of 512 bytes, and in
//!   which order it arrived. Then the process aborts. Without `after` the seed also chooses the moment, among the first
//!   thousand. With `lose_all` nothing unsynced is kept.
//! - `fail:op=sync,nth=5`: the fifth `read`, `write`, `truncate` or `sync` fails with an input/output error; with
//!   `from_then_on` all after it, too. With `file=db`, `file=wal` or `file=journal` only that file's count.
//! - `full:nth=40,until=/path`: from the 40th write on the disk is full, except while there is a file at `/path`.
//! - `slow:ms=500`: a sync takes that much longer.
//!
//! The database, its WAL (SQLite's write-ahead log) and its rollback journal are on this disk. The shared memory beside
//! the WAL and temporary files are not. A sync reaches the operating system and not the platter: this disk must not
//! forget, and the machine under it keeps its power.

#[cfg(feature = "armed")]
mod held;
#[cfg(feature = "armed")]
mod medium;
#[cfg(feature = "armed")]
mod plan;
#[cfg(feature = "armed")]
mod vfs;

/// The variable that says how the disk fails.
#[cfg(feature = "armed")]
const CHOSEN: &str = "ROOMFUL_DISK";

/// Puts the disk under SQLite, for every connection that is opened from now on.
///
/// # Errors
/// None: this build has no such disk.
#[cfg(not(feature = "armed"))]
#[inline(always)]
pub const fn mount() -> std::io::Result<()> {
    Ok(())
}

/// Puts the disk under SQLite, for every connection that is opened from now on, if one is chosen.
///
/// # Errors
/// When what is chosen is not understood, or SQLite does not take it.
#[cfg(feature = "armed")]
pub fn mount() -> std::io::Result<()> {
    use std::sync::OnceLock;

    static MOUNTED: OnceLock<Result<(), String>> = OnceLock::new();
    let mounted = MOUNTED.get_or_init(|| {
        let Ok(chosen) = std::env::var(CHOSEN) else { return Ok(()) };
        vfs::mount(medium::Medium::new(chosen.parse()?))
    });
    mounted.clone().map_err(|error| std::io::Error::other(format!("{CHOSEN}: {error}")))
}
