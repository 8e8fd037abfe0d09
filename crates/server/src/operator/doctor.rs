//! `roomful doctor`: what is wrong, and what to do about it.

mod database;
mod directory;
mod machine;
mod network;

use super::health;
use super::terminal::say;
use crate::config::{Loaded, Sources};
use crate::directory::Directory;
use anyhow::{Result, bail};
use chat::DatabaseError;
use chat::checks::{self, Findings};
use clap::Args;
use serde_json::{Value, json};
use std::net::SocketAddr;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Says what is looked at, and looks at nothing.
    #[arg(long, conflicts_with_all = ["fix", "json"])]
    list: bool,
    /// Mends what can be mended without a risk: modes, and files that unfinished work left behind.
    #[arg(long)]
    fix: bool,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// One thing to look at.
struct Check {
    name: &'static str,
    about: &'static str,
    look: Look,
}

enum Look {
    /// At the installation.
    Around(fn(&Patient<'_>) -> Finding),
    /// At what was found in the database.
    Inside(checks::Check),
}

/// The checks of the installation, in the order in which they are told. They come before those of the database, since
/// they explain what is found there.
const AROUND: [Check; 13] = [
    around("settings", "The settings are right, and there is nothing odd about them.", network::settings),
    around("exposure", "Passwords do not travel where others can read them.", network::exposure),
    around("certificate", "The TLS certificate is valid, fits public_url, and lasts.", network::certificate),
    around("directory", "There is a data directory that belongs to one user.", directory::owner),
    around("modes", "Nobody else on this machine can read what the server keeps.", directory::modes),
    around("leftovers", "No unfinished backup, restore or upload takes up room.", directory::leftovers),
    around("files", "Every file in the data directory is one that the server knows.", directory::files),
    around("space", "The disk has room for more.", machine::space),
    around("clock", "The clock is right, as far as can be told from here.", machine::clock),
    around("open_files", "The server may open enough files for its connections.", machine::open_files),
    around("server", "A server that runs answers, and can write.", machine::server),
    around("database", "The database can be opened, and is of a version that is known.", database::version),
    around("consumers", "What works behind the conversation keeps up with it.", database::consumers),
];

const fn around(name: &'static str, about: &'static str, look: fn(&Patient<'_>) -> Finding) -> Check {
    Check { name, about, look: Look::Around(look) }
}

fn checks() -> impl Iterator<Item = Check> {
    let inside =
        |check: checks::Check| Check { name: check.name(), about: check.about(), look: Look::Inside(check) };
    AROUND.into_iter().chain(checks::Check::ALL.into_iter().map(inside))
}

/// The installation that the doctor looks at.
struct Patient<'a> {
    loaded: &'a Loaded,
    /// The data directory; none where no server ever ran.
    directory: Option<Directory>,
    findings: Option<Result<Findings, DatabaseError>>,
    /// Where a server answers, if one does.
    running: Option<SocketAddr>,
    fix: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// What came of a check.
struct Finding {
    verdict: Verdict,
    what: String,
    /// What to do.
    advice: Option<String>,
}

impl Finding {
    fn ok(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, what: what.into(), advice: None }
    }

    fn warn(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, what: what.into(), advice: Some(advice.into()) }
    }

    fn fail(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(what, advice) }
    }

    fn nothing_there() -> Self {
        Self::ok("Nothing to look at.")
    }
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Doctor {
    /// # Errors
    /// When something is wrong that needs somebody, so that the process ends with 1.
    pub(super) fn run(self, sources: &Sources) -> Result<()> {
        if self.list {
            return checks().try_for_each(|check| say(&format!("{:<12} {}", check.name, check.about)));
        }
        let found = match sources.load() {
            Ok(loaded) => look(&Patient::new(&loaded, self.fix)),
            // Without settings nobody knows where to look further.
            Err(error) => {
                let advice = "Mend the settings; nothing else was looked at.";
                vec![("settings", Finding::fail(format!("{error:#}"), advice))]
            }
        };
        let worst = |verdict| found.iter().filter(|(_, finding)| finding.verdict == verdict).count();
        let (failed, warned) = (worst(Verdict::Fail), worst(Verdict::Warn));
        if self.json {
            say(&serde_json::to_string_pretty(&as_json(&found, failed == 0))?)?;
        } else {
            print(&found)?;
        }
        match (failed, warned) {
            (0, 0) if self.json => Ok(()),
            (0, 0) => say("All is well."),
            (0, _) if self.json => Ok(()),
            (0, _) => say("Nothing is broken; see the warnings."),
            _ => bail!("{failed} of {} checks failed", found.len()),
        }
    }
}

impl<'a> Patient<'a> {
    fn new(loaded: &'a Loaded, fix: bool) -> Self {
        let config = &loaded.config;
        let directory = Directory::of(config).ok();
        let findings = Directory::database_kept(config).ok().map(|database| checks::check(&database));
        let running = directory.as_ref().and_then(|directory| {
            directory.signed()?;
            let address = health::address(directory, config);
            std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_secs(1))
                .ok()
                .map(|_| address)
        });
        Self { loaded, directory, findings, running, fix }
    }

    fn is_on_postgres(&self) -> bool {
        self.loaded.config.database.is_some()
    }
}

fn look(patient: &Patient<'_>) -> Vec<(&'static str, Finding)> {
    let look = |check: Check| match check.look {
        Look::Around(look) => (check.name, look(patient)),
        Look::Inside(inside) => (check.name, database::inside(patient, inside)),
    };
    checks().map(look).collect()
}

fn print(found: &[(&'static str, Finding)]) -> Result<()> {
    for (name, Finding { verdict, what, advice }) in found {
        // Lines that follow the first are indented.
        let indented = |text: &str| text.replace('\n', &format!("\n{:18} ", ""));
        say(&format!("{:<5} {name:<12} {}", verdict.word(), indented(what)))?;
        if let Some(advice) = advice {
            say(&format!("{:18} → {}", "", indented(advice)))?;
        }
    }
    Ok(())
}

fn as_json(found: &[(&'static str, Finding)], ok: bool) -> Value {
    let checks = found.iter().map(|(name, Finding { verdict, what, advice })| {
        json!({ "name": name, "verdict": verdict.word(), "what": what, "advice": advice })
    });
    json!({ "ok": ok, "checks": checks.collect::<Vec<_>>() })
}

/// The first few of many things, as one line each.
fn some(lines: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<_> = lines.iter().take(SHOWN).cloned().collect();
    if lines.len() > SHOWN {
        shown.push(format!("and {} more", lines.len() - SHOWN));
    }
    shown.join("\n")
}
