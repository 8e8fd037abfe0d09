//! The command line: what an operator asks of the binary besides serving.

use crate::config::{self, Flags, Loaded, Sources};
use crate::directory::Directory;
use crate::tls::Certificate;
use crate::{activation, assets, serve};
use anyhow::{Context, Result, bail};
use chat::{Account, Chat, Clock};
use clap::{Parser, Subcommand, ValueEnum};
use listenfd::ListenFd;
use protocol::Role;
use serde_json::json;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal, Write};

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
    User(UserCommand),
    /// Checks and shows the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Says which version this is.
    Version,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Makes an account. The password is asked for on the terminal, or read as one line from standard input.
    Add {
        /// The name to go by.
        #[arg(id = "user", value_name = "NAME")]
        name: String,
        /// What they may do on this server.
        #[arg(long, default_value = "member")]
        role: RoleName,
    },
    /// Lists the accounts.
    List {
        /// As JSON, for programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads all settings and says what is wrong with them.
    Check,
    /// Shows every setting with its value and where that came from.
    Print {
        /// The defaults with their explanations instead: a file to start from.
        #[arg(long)]
        defaults: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    Member,
    Moderator,
    Admin,
    Owner,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Member => Self::Member,
            RoleName::Moderator => Self::Moderator,
            RoleName::Admin => Self::Admin,
            RoleName::Owner => Self::Owner,
        }
    }
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
        Command::User(command) => keep_users(&sources.load()?, command),
        Command::Config(ConfigCommand::Print { defaults: true }) => say(config::example().trim_end()),
        Command::Config(ConfigCommand::Print { defaults: false }) => say(sources.load()?.print().trim_end()),
        Command::Config(ConfigCommand::Check) => check(&sources.load()?),
        Command::Version => {
            say(&format!("roomful {} (web client {})", env!("CARGO_PKG_VERSION"), assets::BUILD))
        }
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

#[tokio::main(flavor = "current_thread")]
async fn keep_users(loaded: &Loaded, command: UserCommand) -> Result<()> {
    let lists = matches!(command, UserCommand::List { .. });
    if lists && !loaded.config.data.exists() {
        bail!("There is no data directory {}. Name the right one with --data.", loaded.config.data.display());
    }
    let directory = Directory::open(&loaded.config.data)?;
    let (chat, mut committed) = Chat::open(&directory.database(), Clock::system())
        .await
        .with_context(|| serve::database(&directory))?;
    // What this process commits, its own connections would hear of; there are none.
    tokio::spawn(async move { while committed.recv().await.is_some() {} });
    let done = match command {
        UserCommand::Add { name, role } => add(&chat, &name, role.into()).await,
        UserCommand::List { json } => list(&chat, json).await,
    };
    chat.close().await;
    done
}

async fn add(chat: &Chat, name: &str, role: Role) -> Result<()> {
    let account = chat.add_user(name, &password()?, role).await?;
    say(&format!("{} can sign in now ({}).", account.user.name, word(account.role)))
}

/// The password, from the terminal or the first line of standard input. Never an argument: everybody on the machine
/// can read those.
fn password() -> Result<String> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Once more: ")? != password {
        bail!("the two passwords differ");
    }
    Ok(password)
}

async fn list(chat: &Chat, as_json: bool) -> Result<()> {
    let accounts = chat.accounts().await?;
    if as_json {
        let accounts: Vec<_> = accounts
            .iter()
            .map(|Account { user, role, created_at }| {
                json!({ "id": user.id, "name": user.name, "role": role, "created_at": created_at })
            })
            .collect();
        return say(&serde_json::to_string_pretty(&accounts)?);
    }
    let width = accounts.iter().map(|account| account.user.name.chars().count()).max().unwrap_or(0).max(4);
    say(&format!("{:width$}  {:<9}  since", "name", "role"))?;
    for account in accounts {
        let since = jiff::Timestamp::from_millisecond(account.created_at)?.strftime("%Y-%m-%d");
        say(&format!("{:width$}  {:<9}  {since}", account.user.name, word(account.role)))?;
    }
    Ok(())
}

const fn word(role: Role) -> &'static str {
    match role {
        Role::Guest => "guest",
        Role::Member => "member",
        Role::Moderator => "moderator",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

/// Prints a line. Unlike `println!` it does not panic when whoever reads has gone (`roomful user list | head -1`).
fn say(line: &str) -> Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
