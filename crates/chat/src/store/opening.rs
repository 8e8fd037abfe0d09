//! Opening a database, and why one cannot be opened.

use crate::error::DatabaseError;
use crate::sql::{SqlError, Sqlite};
use percent_encoding::percent_decode_str;
use rusqlite::{Connection, OpenFlags};
use sabotage::Bug;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// The file of an embedded one.
    File(PathBuf),
    /// The address of a PostgreSQL database, `postgres://user:password@host/name`. It may hold a password, so that it is
    /// never printed.
    Postgres(String),
}

impl Database {
    /// The PostgreSQL database at an address.
    ///
    /// # Errors
    /// When it is no address of one, with a sentence that goes on after the name of a setting.
    pub fn at(address: &str) -> Result<Self, String> {
        if !address.starts_with("postgres://") && !address.starts_with("postgresql://") {
            return Err("must be empty or an address such as postgres://user:password@host/name".to_owned());
        }
        // Programs do not agree where the parameters of such an address begin.
        if address.split_once('@').is_some_and(|(who, _)| who.contains('?')) {
            return Err("has a ? in the name or the password: write it as %3F".to_owned());
        }
        Ok(Self::Postgres(address.to_owned()))
    }

    /// The database for people: the path of a file, or an address without its password.
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Postgres(address) => without_password(address),
        }
    }
}

/// The way to a PostgreSQL database for PostgreSQL's own programs.
#[derive(Clone, PartialEq, Eq)]
pub struct Way {
    /// The address for `--dbname`. It holds no password, so that everybody on the machine may see it in a list of
    /// processes.
    pub address: String,
    /// The password, for `PGPASSWORD` in a program's environment.
    pub password: Option<String>,
}

impl Way {
    /// The way to the database at an address of ours. The programs check the server's certificate where Roomful does.
    pub fn to(address: &str) -> Self {
        let bare = without_password(address);
        let (front, parameters) = bare.split_once('?').unwrap_or((&bare, ""));
        let mut kept: Vec<&str> = parameters.split('&').filter(|one| !one.is_empty()).collect();
        let strict = ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full"];
        if kept.iter().any(|one| strict.contains(one)) {
            kept.retain(|one| !one.starts_with("sslmode="));
            kept.push("sslmode=verify-full");
            if !kept.iter().any(|one| one.starts_with("sslrootcert=")) {
                kept.push("sslrootcert=system");
            }
        }
        let address_of =
            if kept.is_empty() { front.to_owned() } else { format!("{front}?{}", kept.join("&")) };
        Self { address: address_of, password: password(address) }
    }
}

/// The password in an address, wherever it stands.
fn password(address: &str) -> Option<String> {
    let (front, parameters) = address.split_once('?').unwrap_or((address, ""));
    let of_parameters = parameters.split('&').find_map(|one| one.strip_prefix("password="));
    let of_name = || front.split_once("://")?.1.rsplit_once('@')?.0.split_once(':').map(|(_, secret)| secret);
    let found = of_parameters.or_else(of_name)?;
    Some(percent_decode_str(found).decode_utf8_lossy().into_owned())
}

/// The address without its password, wherever it may stand: behind the name, or among the parameters.
fn without_password(address: &str) -> String {
    let (front, parameters) = address.split_once('?').unwrap_or((address, ""));
    let (scheme, rest) = front.split_once("://").unwrap_or(("", front));
    let front = match rest.rsplit_once('@') {
        Some((who, at)) => format!("{scheme}://{}@{at}", who.split(':').next().unwrap_or_default()),
        None => front.to_owned(),
    };
    let secret = |name: &str| name.to_ascii_lowercase().contains("password");
    let kept: Vec<&str> = parameters
        .split('&')
        .filter(|one| !one.is_empty() && !secret(one.split('=').next().unwrap_or_default()))
        .collect();
    if kept.is_empty() { front } else { format!("{front}?{}", kept.join("&")) }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Database {
    fn from(path: &P) -> Self {
        Self::File(path.as_ref().to_owned())
    }
}

impl From<PathBuf> for Database {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// How long a statement waits for another process that writes.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The SQLite that was linked can corrupt the database.
    #[error("this build carries SQLite {0}; 3.51.3 or newer is needed, older ones can corrupt the database")]
    OldSqlite(&'static str),
    /// The database could not be read or written.
    #[error("it could not be opened")]
    Sql(#[from] SqlError),
    /// It was made by a newer program. It is left as it is.
    #[error(
        "its tables have version {found}, and this Roomful knows them up to {known}: use the newer Roomful that made \
         it, or a copy from before that one"
    )]
    Newer {
        /// The version of its tables.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// Its tables are of an older version, and cannot be brought up to date while a server uses them.
    #[error(
        "its tables have version {found}, and this Roomful needs version {known}: start a server of this version on it \
         first"
    )]
    Older {
        /// The version of its tables.
        found: u32,
        /// The version that this program needs.
        known: u32,
    },
    /// The tables could not be brought up to date. They are as they were.
    #[error("it could not be brought up to date, and is as it was")]
    Migration(#[from] refinery::Error),
    /// There is no file for a copy.
    #[error(
        "it must be brought up to date, and no copy of it could be kept beside it, so nothing was changed"
    )]
    Copy(#[source] std::io::Error),
    /// The copy could not be written.
    #[error(
        "it must be brought up to date, and no copy of it could be written beside it, so nothing was changed"
    )]
    CopySql(#[source] SqlError),
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[from] std::io::Error),
    /// Another server writes to this database.
    #[error("another Roomful serves this database already; a database has one server")]
    InUse,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error.into())
    }
}

/// Opens the file for reading and writing, so that a commit is on the disk when it is answered.
pub(super) fn connect(path: &Path) -> Result<Sqlite, SqlError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // FULL: a commit is on the disk before anybody hears of it. Memory-mapped reads would bypass error handling.
    connection.execute_batch(
        "pragma synchronous = full; pragma foreign_keys = on; pragma trusted_schema = off;
         pragma cell_size_check = on; pragma mmap_size = 0; pragma temp_store = memory;
         pragma wal_autocheckpoint = 0; pragma journal_size_limit = 67108864;",
    )?;
    if sabotage::has(Bug::NormalSync) {
        connection.pragma_update(None, "synchronous", "normal")?;
    }
    Ok(Sqlite::new(connection))
}

/// Opens the database beside a server that may be running, without any way to change it.
pub(super) fn connect_beside(path: &Path) -> Result<Sqlite, SqlError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(
        "pragma trusted_schema = off; pragma cell_size_check = on; pragma mmap_size = 0; pragma temp_store = memory;",
    )?;
    Ok(Sqlite::new(connection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password_wherever_that_stands() {
        for (address, shown) in [
            ("postgres://ana:se:cr@et@db/roomful", "postgres://ana@db/roomful"),
            (
                "postgres://ana@db/roomful?sslmode=require&password=x",
                "postgres://ana@db/roomful?sslmode=require",
            ),
            ("postgresql://db/roomful?sslpassword=x", "postgresql://db/roomful"),
            ("postgres:///roomful?host=%2Frun%2Fpg", "postgres:///roomful?host=%2Frun%2Fpg"),
        ] {
            assert_eq!(Database::at(address).map(|database| database.shown()).as_deref(), Ok(shown));
        }
        assert!(Database::at("mysql://db/roomful").is_err());
        assert!(Database::at("postgres://ana:se?cret@db/roomful").is_err_and(|why| !why.contains("cret")));
    }

    #[test]
    fn a_password_goes_beside_the_address_that_other_programs_are_given() {
        for (address, bare, password) in [
            ("postgres://ana:s%40cret@db/roomful", "postgres://ana@db/roomful", Some("s@cret")),
            ("postgres://db/roomful?password=x&port=7", "postgres://db/roomful?port=7", Some("x")),
            (
                "postgres://db/roomful?sslmode=require",
                "postgres://db/roomful?sslmode=verify-full&sslrootcert=system",
                None,
            ),
            (
                "postgres://db/roomful?sslmode=verify-ca&sslrootcert=ca.pem",
                "postgres://db/roomful?sslrootcert=ca.pem&sslmode=verify-full",
                None,
            ),
        ] {
            let way = Way::to(address);
            assert_eq!((way.address.as_str(), way.password.as_deref()), (bare, password));
        }
    }
}
