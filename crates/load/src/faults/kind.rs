//! What is done to the server.

use clap::ValueEnum;
use serde::Serialize;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing: people alone.
    Calm,
    /// `kill -9` at random, also while it starts.
    Kill,
}

impl Kind {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether a build that can be made to break is needed.
    pub const fn needs_armed(self) -> bool {
        match self {
            Self::Calm | Self::Kill => false,
        }
    }
}
