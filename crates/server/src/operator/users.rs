//! `roomful user`: accounts, kept beside a running server.

use super::terminal::say;
use crate::config::{Config, Loaded};
use crate::directory::Directory;
use anyhow::{Context, Result, bail};
use chat::{Account, Chat, Clock, Database};
use clap::{Subcommand, ValueEnum};
use protocol::Role;
use serde_json::json;
use std::io::{self, BufRead, IsTerminal};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleName {
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

#[tokio::main(flavor = "current_thread")]
pub(super) async fn keep(loaded: &Loaded, command: UserCommand) -> Result<()> {
    let database = database(&loaded.config, matches!(command, UserCommand::List { .. }))?;
    let named = format!("the database {}", database.shown());
    let (chat, mut committed) = Chat::open_beside(database, Clock::system()).await.context(named)?;
    // The stream of what this process commits must be read, and is dropped: there is no connection to tell.
    tokio::spawn(async move { while committed.recv().await.is_some() {} });
    let done = match command {
        UserCommand::Add { name, role } => add(&chat, &name, role.into()).await,
        UserCommand::List { json } => list(&chat, json).await,
    };
    chat.close().await;
    done
}

/// The database, which is made unless somebody only wants to look at it.
fn database(config: &Config, looks: bool) -> Result<Database> {
    if let Some(database) = &config.database {
        return Ok(database.clone());
    }
    if looks && !config.data.exists() {
        bail!("There is no data directory {}. Name the right one with --data.", config.data.display());
    }
    Ok(Directory::open(config)?.database().into())
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
