//! The kinds of faults.

use super::proxy::Mood;
use anyhow::{Result, bail};
use clap::ValueEnum;
use serde::Serialize;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing: people alone.
    Calm,
    /// Long texts, and readers that stall.
    Flood,
    /// Everybody drops their line every few seconds. Each fault is one second of that.
    Flap,
    /// Hundreds of connections that post without waiting, on a slow disk.
    Crush,
    /// `kill -9` at random, also while the server starts.
    Kill,
    /// Death at each named point of the code in turn. Needs --armed.
    Points,
    /// Death at each statement of a migration. Needs --armed.
    Migration,
    /// Power cuts: bytes that were not synced are dropped, torn and reordered. Needs --armed.
    Cut,
    /// The n-th read, write, truncation or sync fails, once or from then on. Needs --armed.
    Io,
    /// The disk is full, and then is not. Needs --armed.
    Full,
    /// Syncs take 50 ms, 500 ms, 2 s, 5 s. Needs --armed.
    Slow,
    /// The process is stopped and goes on.
    Pause,
    /// The clock jumps. Needs --armed.
    Clock,
    /// The process may open no more files.
    Files,
    /// A new process takes over from the old one, under load.
    Upgrade,
    /// A polite stop and a new process, under load.
    Restart,
    /// A backup while people talk, and later a restore of it, after which every client starts afresh.
    Restore,
    /// Bytes take their time.
    Delay,
    /// Lines are cut.
    Drop,
    /// Lines stop without being closed.
    Freeze,
    /// Lines carry a byte at a time.
    Trickle,
    /// Lines are reset.
    Reset,
    /// Requests are sent again, one to three times, and overtake each other.
    Replay,
    /// `kill -9` of the database while people talk: all of PostgreSQL, or one of its processes. Needs --postgres.
    DatabaseKill,
    /// PostgreSQL ends the server's sessions, at random or in the middle of a commit. Needs --postgres.
    SessionsEnd,
}

/// The databases on which a kind of fault can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// The embedded one, and PostgreSQL.
    Both,
    /// Only the embedded one.
    Sqlite,
    /// Only PostgreSQL.
    Postgres,
}

impl Kind {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether a build that can be made to break is needed.
    pub const fn needs_armed(self) -> bool {
        match self {
            Self::Crush
            | Self::Points
            | Self::Migration
            | Self::Cut
            | Self::Io
            | Self::Full
            | Self::Slow
            | Self::Clock => true,
            Self::Calm
            | Self::Flood
            | Self::Flap
            | Self::Kill
            | Self::Pause
            | Self::Files
            | Self::Upgrade
            | Self::Restart
            | Self::Restore
            | Self::Delay
            | Self::Drop
            | Self::Freeze
            | Self::Trickle
            | Self::Reset
            | Self::Replay
            | Self::DatabaseKill
            | Self::SessionsEnd => false,
        }
    }

    /// The databases on which it can be done.
    pub const fn grounds(self) -> Grounds {
        match self {
            Self::Calm
            | Self::Flood
            | Self::Flap
            | Self::Kill
            | Self::Points
            | Self::Pause
            | Self::Clock
            | Self::Files
            | Self::Upgrade
            | Self::Restart
            | Self::Delay
            | Self::Drop
            | Self::Freeze
            | Self::Trickle
            | Self::Reset
            | Self::Replay => Grounds::Both,
            // The disk that fails is under SQLite's file, and so are the migrations that stop in the middle and the
            // backups that are restored.
            Self::Crush
            | Self::Migration
            | Self::Cut
            | Self::Io
            | Self::Full
            | Self::Slow
            | Self::Restore => Grounds::Sqlite,
            Self::DatabaseKill | Self::SessionsEnd => Grounds::Postgres,
        }
    }

    /// Finds out whether it can be done on PostgreSQL, or on the embedded database if not `on_postgres`.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check(self, on_postgres: bool) -> Result<()> {
        let name = self.name();
        match (self.grounds(), on_postgres) {
            (Grounds::Both, _) | (Grounds::Sqlite, false) | (Grounds::Postgres, true) => Ok(()),
            (Grounds::Sqlite, true) => {
                bail!("{name} breaks the file of the embedded database: run it without --postgres")
            }
            (Grounds::Postgres, false) => bail!("{name} breaks a PostgreSQL server: run it with --postgres"),
        }
    }

    /// The mood of the proxy between people and the server, for faults of the line.
    pub const fn mood(self) -> Option<Mood> {
        match self {
            Self::Delay => Some(Mood::Delay),
            Self::Drop => Some(Mood::Drop),
            Self::Freeze => Some(Mood::Freeze),
            Self::Trickle => Some(Mood::Trickle),
            Self::Reset => Some(Mood::Reset),
            Self::Replay => Some(Mood::Replay),
            Self::Calm
            | Self::Flood
            | Self::Flap
            | Self::Crush
            | Self::Kill
            | Self::Points
            | Self::Migration
            | Self::Cut
            | Self::Io
            | Self::Full
            | Self::Slow
            | Self::Pause
            | Self::Clock
            | Self::Files
            | Self::Upgrade
            | Self::Restart
            | Self::Restore
            | Self::DatabaseKill
            | Self::SessionsEnd => None,
        }
    }

    /// Whether texts are long, and readers stall and take no notice of `lagged`.
    pub const fn is_loud(self) -> bool {
        matches!(self, Self::Flood)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_refused_on_a_database_that_it_cannot_break() {
        for kind in Kind::value_variants() {
            let (on_sqlite, on_postgres) = (kind.check(false), kind.check(true));
            match kind.grounds() {
                Grounds::Both => assert!(on_sqlite.is_ok() && on_postgres.is_ok(), "{kind:?}"),
                Grounds::Sqlite => {
                    let refused = on_postgres.expect_err("a refusal").to_string();
                    assert!(on_sqlite.is_ok() && refused.contains("without --postgres"), "{refused}");
                }
                Grounds::Postgres => {
                    let refused = on_sqlite.expect_err("a refusal").to_string();
                    assert!(on_postgres.is_ok() && refused.contains("with --postgres"), "{refused}");
                }
            }
        }
    }
}
