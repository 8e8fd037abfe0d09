//! The command line: what an operator asks of the binary besides serving.

mod backup;
mod doctor;
mod export;
mod health;
mod restore;
mod settings;
mod terminal;
mod users;

use crate::config::{Flags, Sources};
use crate::{activation, assets, serve};
use anyhow::Result;
use clap::{Parser, Subcommand};
use listenfd::ListenFd;
use std::ffi::OsString;
use terminal::say;

/// Roomful: a self-hosted, real-time chat server with its web client inside.
#[derive(Debug, Parser)]
#[command(name = "roomful", version, about, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server (what happens without a command, too).
    Serve {
        /// Replaces the server that uses the data directory, if there is one: takes its listening socket and its place,
        /// and nobody is turned away meanwhile. Should this one not be able to start, the other goes on.
        #[arg(long)]
        take_over: bool,
    },
    /// Keeps accounts. Works beside a running server.
    #[command(subcommand)]
    User(users::UserCommand),
    /// Writes everything the server keeps to one file. Works beside a running server.
    Backup(backup::Backup),
    /// Puts a backup into the place of the data directory. The server must be stopped; what was there is kept.
    Restore(restore::Restore),
    /// Says what is wrong, and what to do about it. Works beside a running server.
    Doctor(doctor::Doctor),
    /// Writes everything as JSON Lines for other programs. Works beside a running server.
    Export(export::Export),
    /// Asks the running server whether it is ready; the exit code tells.
    Health,
    /// Checks and shows the settings.
    #[command(subcommand)]
    Config(settings::ConfigCommand),
    /// Says which version this is.
    Version,
}

/// Does what the command line asks.
///
/// # Errors
/// What stood in the way, for people.
pub fn run(
    arguments: Arguments,
    environment: impl Iterator<Item = (OsString, OsString)>,
    passed: ListenFd,
) -> Result<()> {
    let sources = Sources::new(arguments.flags, environment);
    match arguments.command.unwrap_or(Command::Serve { take_over: false }) {
        Command::Serve { take_over } => {
            serve::run(&sources.load()?, activation::listener(passed)?, take_over)
        }
        Command::User(command) => users::keep(&sources.load()?, command),
        Command::Backup(backup) => backup.run(&sources.load()?),
        Command::Restore(restore) => restore.run(&sources.load()?),
        Command::Doctor(doctor) => doctor.run(&sources),
        Command::Export(export) => export.run(&sources.load()?),
        Command::Health => health::run(&sources.load()?),
        Command::Config(command) => settings::run(&command, &sources),
        Command::Version => {
            say(&format!("roomful {} (web client {})", env!("CARGO_PKG_VERSION"), assets::BUILD))
        }
    }
}
