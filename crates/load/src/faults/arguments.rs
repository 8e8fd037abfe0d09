//! The command line of `roomful-faults`.

use super::kind::Kind;
use crate::program::find_binary;
use anyhow::{Result, bail};
use clap::Parser;
use std::path::PathBuf;

/// Breaks a real server on purpose while people talk over it, and compares what they were told and shown with what
/// the server kept.
///
/// Ends with 1 when an invariant was broken, and with 2 when it could not try.
#[derive(Debug, Clone, Parser)]
#[command(name = "roomful-faults", version, about)]
pub struct FaultArguments {
    /// The kind of faults.
    #[arg(required_unless_present = "prove", default_value = "calm")]
    pub(crate) kind: Kind,
    /// Gives the armed server each of the bugs in turn. A harness that misses one proves nothing.
    #[arg(long)]
    pub(crate) prove: bool,
    /// Rounds are on PostgreSQL: each job starts a private server, and each round has a database of its own on it.
    #[arg(long, conflicts_with = "prove")]
    pub(crate) postgres: bool,
    /// How many rounds, each on an empty data directory.
    #[arg(long, default_value_t = 1)]
    pub(crate) rounds: u64,
    /// How many faults come in each round.
    #[arg(long, default_value_t = 20)]
    pub(crate) faults: u32,
    /// How many people there are.
    #[arg(long, default_value_t = 8)]
    pub(crate) people: usize,
    /// The seed of the first round; the others follow from it. Without it the clock gives one.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Runs the one round of this seed again.
    #[arg(long, conflicts_with_all = ["seed", "rounds"])]
    pub(crate) replay: Option<u64>,
    /// How many rounds run at once.
    #[arg(long, default_value_t = 2)]
    pub(crate) jobs: usize,
    /// The server's program. Without it, the `roomful` beside this program.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) server: Option<PathBuf>,
    /// A server built with the feature `armed`, for faults from inside.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) armed: Option<PathBuf>,
    /// The folder for the remains of rounds that failed.
    #[arg(long, value_name = "FOLDER", default_value = "roomful-faults")]
    pub(crate) keep: PathBuf,
    /// Writes the figures to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes a page for people to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
}

impl FaultArguments {
    /// The command that runs the round of a seed again.
    pub(crate) fn again(&self, seed: u64) -> String {
        let Self { faults, people, .. } = self;
        let on = if self.postgres { " --postgres" } else { "" };
        format!("roomful-faults {}{on} --faults {faults} --people {people} --replay {seed}", self.kind.name())
    }

    /// The server that faults of this kind are done to.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn binary(&self, kind: Kind) -> Result<PathBuf> {
        if kind.needs_armed() { self.armed_binary() } else { find_binary(self.server.as_deref()) }
    }

    /// The server that can be made to break.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn armed_binary(&self) -> Result<PathBuf> {
        let Some(armed) = self.armed.as_deref().filter(|armed| armed.is_file()) else {
            bail!(
                "this needs a server that can be made to break: build one with `cargo build -p roomful-server --features \
                 armed` and name it with --armed"
            );
        };
        Ok(armed.canonicalize()?)
    }
}
