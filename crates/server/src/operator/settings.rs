//! `roomful config`: the settings, checked and shown.

use super::terminal::say;
use crate::config::{self, Loaded, Sources};
use crate::tls::Certificate;
use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Reads all settings and says what is wrong with them.
    Check,
    /// Shows every setting with its value.
    Print {
        /// Says behind each where it came from: a flag, the environment, a line of the config file, or the default.
        #[arg(long, conflicts_with = "defaults")]
        origin: bool,
        /// The defaults with their explanations instead: a file to start from.
        #[arg(long)]
        defaults: bool,
    },
}

/// Does what `command` asks.
///
/// # Errors
/// When the settings are not right.
pub(super) fn run(command: &ConfigCommand, sources: &Sources) -> Result<()> {
    match command {
        ConfigCommand::Print { defaults: true, .. } => say(config::example().trim_end()),
        ConfigCommand::Print { origin, .. } => say(sources.load()?.print(*origin).trim_end()),
        ConfigCommand::Check => check(&sources.load()?),
    }
}

fn check(loaded: &Loaded) -> Result<()> {
    for note in &loaded.notes {
        say(&format!("note: {note}"))?;
    }
    if let (Some(certificate), Some(key)) = (&loaded.config.tls_cert, &loaded.config.tls_key) {
        Certificate::open(certificate, key)?;
    }
    say(&format!("The settings are right. Config file: {}.", loaded.file_shown()))
}
