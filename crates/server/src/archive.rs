//! The file that a backup is: a tar archive with the database, the files beside it, and a manifest that says what they
//! must be.

mod reader;
mod writer;

pub use reader::unpack;
pub use writer::Writer;

use crate::directory::{DATABASE, OWN};
use anyhow::{Result, bail};
use chat::backup::Contents;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::{self, Read, Write};

/// The version of the layout. A reader refuses a higher one.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
/// As `sha256sum -c` reads it.
const MANIFEST_SUM: &str = "manifest.json.sha256";

/// The most files in a backup, and the most bytes of its manifest.
const MOST_FILES: usize = 100_000;
const MOST_MANIFEST: u64 = 64 << 20;
/// The longest path in a data directory, and the deepest.
const LONGEST: usize = 1_024;
const DEEPEST: usize = 16;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this layout.
    format: u32,
    /// The version of the program that wrote it.
    pub roomful: String,
    /// When, in milliseconds since 1970 UTC.
    pub taken_at: i64,
    /// What the database holds.
    pub database: Contents,
    /// The files in the order of the archive; the database is the first.
    pub files: Vec<Entry>,
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands in the data directory.
    pub path: String,
    /// How long it is.
    pub bytes: u64,
    /// The SHA-256 of its contents, in hexadecimal.
    sha256: String,
}

impl Manifest {
    /// Of a backup taken now.
    fn new(database: Contents, taken_at: i64, files: Vec<Entry>) -> Self {
        Self { format: FORMAT, roomful: env!("CARGO_PKG_VERSION").to_owned(), taken_at, database, files }
    }

    /// Refuses what no backup of ours holds. Nothing else stands between a path in here and the disk.
    fn check(&self) -> Result<()> {
        if self.files.first().is_none_or(|first| first.path != DATABASE) {
            bail!("its manifest names no database");
        }
        let mut paths = HashSet::new();
        for Entry { path, .. } in &self.files[1..] {
            if !is_fit(path) || is_own(path) || !paths.insert(path.to_lowercase()) {
                bail!("its manifest names a file {path:?}, which cannot be");
            }
        }
        Ok(())
    }
}

/// Whether a path is, or lies in, what belongs to a running server or to SQLite; also where case makes no difference.
fn is_own(path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    OWN.iter().any(|own| own.eq_ignore_ascii_case(first))
}

/// Whether a path stays inside the folder it is put into, and can be written there.
pub fn is_fit(path: &str) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.chars().any(char::is_control)
    };
    path.len() <= LONGEST && path.split('/').count() <= DEEPEST && path.split('/').all(is_name)
}

/// Copies `from` to `to` and answers the bytes and their sum. `going` is told of each piece and answers whether to go on.
fn copy_summed(
    from: &mut impl Read,
    to: &mut impl Write,
    going: &mut dyn FnMut(u64) -> bool,
) -> io::Result<(u64, String)> {
    let (mut sum, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok((bytes, hex(&sum.finalize())));
        }
        sum.update(&piece[..read]);
        to.write_all(&piece[..read])?;
        bytes += read as u64;
        if !going(read as u64) {
            return Err(io::Error::other("it was stopped before it was done"));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod hostile_tests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_fit() {
        for path in ["config.toml", "files/ab/cdef", "Grüße.txt", ".hidden", "a b"] {
            assert!(is_fit(path), "{path:?}");
        }
        let (long, deep) = ("x".repeat(256), "a/".repeat(16) + "b");
        let unfit =
            ["", "/etc/passwd", "..", "../up", "a/../b", "a//b", "a/", "./a", "a\0b", "a\nb", &long, &deep];
        for path in unfit {
            assert!(!is_fit(path), "{path:?}");
        }
    }

    #[test]
    fn a_manifest_that_names_what_cannot_be_is_refused() {
        let contents =
            Contents { schema: 1, epoch: "e".to_owned(), users: 0, rooms: 0, messages: 0, events: 0 };
        let entry = |path: &str| Entry { path: path.to_owned(), bytes: 0, sha256: String::new() };
        let with = |paths: &[&str]| {
            Manifest::new(contents.clone(), 0, paths.iter().map(|path| entry(path)).collect()).check()
        };
        assert!(with(&[DATABASE, "config.toml", "files/a"]).is_ok());
        let wrong: [&[&str]; 12] = [
            &[],
            &["config.toml"],
            &[DATABASE, "../up"],
            &[DATABASE, DATABASE],
            &[DATABASE, "roomful.db-wal"],
            &[DATABASE, "handover.sock/x"],
            &[DATABASE, "lock/x"],
            &[DATABASE, "ROOMFUL.DB"],
            &[DATABASE, "Roomful.db-WAL/x"],
            &[DATABASE, "roomful.db/x/y"],
            &[DATABASE, "a", "a"],
            &[DATABASE, "a", "A"],
        ];
        for paths in wrong {
            assert!(with(paths).is_err(), "{paths:?}");
        }
    }
}
