//! Where the values of settings come from, and which of them counts.

use super::Config;
use super::settings::{SETTINGS, Setting};
use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use toml::Value;
use toml::de::DeTable;

const PREFIX: &str = "ROOMFUL_";
const CONFIG: &str = "config";

/// Settings given on the command line.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    config: Option<PathBuf>,
    values: Vec<(&'static str, String)>,
}

/// All that settings can come from, apart from files.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The command line.
    pub flags: Flags,
    /// The environment, or any part of it.
    pub environment: Vec<(String, String)>,
    /// Where `roomful.toml` is looked for.
    pub folder: PathBuf,
}

/// Where a value came from. The later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The default.
    Default,
    /// This line of the TOML file.
    File(usize),
    /// A variable `ROOMFUL_…`.
    Environment,
    /// A flag.
    Flag,
}

/// Settings, and where they came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values that count.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Things that are no mistakes but might surprise.
    pub notes: Vec<String>,
    origins: [Origin; SETTINGS.len()],
}

impl Sources {
    /// These flags and this environment, in the folder the process runs in.
    pub fn new(flags: Flags, environment: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let environment = environment.map(|(name, value)| (text(name), text(value))).collect();
        Self { flags, environment, folder: PathBuf::new() }
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// One line for each value that is not understood and each name that is no setting.
    pub fn load(&self) -> Result<Loaded> {
        let mut loading = Loading::default();
        let file = self.file()?;
        if let Some(path) = &file {
            let text =
                fs::read_to_string(path).with_context(|| format!("the config file {}", path.display()))?;
            let named = || format!("the config file {} is not TOML", path.display());
            let table: toml::Table = text.parse().with_context(named)?;
            let lines = lines(&text).with_context(named)?;
            for (name, value) in table {
                let line = lines.get(&name).copied().unwrap_or_default();
                loading.take(Origin::File(line), &name, &name, Ok(value));
            }
        }
        for (variable, value) in &self.environment {
            let Some(name) = variable.strip_prefix(PREFIX).map(str::to_ascii_lowercase) else { continue };
            match find(&name) {
                Some(setting) => loading.take(Origin::Environment, &name, variable, setting.read(value)),
                None if name == CONFIG => {}
                None => loading.unknown_variable(variable, &name),
            }
        }
        for (name, value) in &self.flags.values {
            let read = find(name).map_or_else(|| Err(String::new()), |setting| setting.read(value));
            loading.take(Origin::Flag, name, &format!("--{}", dashed(name)), read);
        }
        loading.finish(file)
    }

    /// `--config`, `ROOMFUL_CONFIG`, `./roomful.toml`, then `config.toml` in the data directory.
    fn file(&self) -> Result<Option<PathBuf>> {
        let variable = |name: &str| {
            let found = self.environment.iter().find(|(key, _)| key.strip_prefix(PREFIX) == Some(name));
            found.map(|(_, value)| value.as_str())
        };
        if let Some(path) = self.flags.config.clone().or_else(|| variable("CONFIG").map(PathBuf::from)) {
            let path = self.folder.join(path);
            if !path.is_file() {
                bail!("there is no config file {}", path.display());
            }
            return Ok(Some(path));
        }
        let flag =
            self.flags.values.iter().find(|(name, _)| *name == "data").map(|(_, value)| value.as_str());
        let data = flag.or_else(|| variable("DATA")).map_or_else(|| Config::default().data, PathBuf::from);
        let places = [self.folder.join("roomful.toml"), self.folder.join(data).join("config.toml")];
        Ok(places.into_iter().find(|path| path.is_file()))
    }
}

impl Loaded {
    /// Every setting with its value, as TOML, and where it came from if `origin` asks for that. None of them is a secret.
    pub fn print(&self, origin: bool) -> String {
        let mut text = String::new();
        for (setting, from) in SETTINGS.iter().zip(self.origins) {
            let line = format!("{} = {}", setting.name, (setting.show)(&self.config));
            let _ = match origin {
                true => writeln!(text, "{line:<48} # {}", self.shown(from, setting)),
                false => writeln!(text, "{line}"),
            };
        }
        text
    }

    fn shown(&self, origin: Origin, setting: &Setting) -> String {
        match origin {
            Origin::Default => "default".to_owned(),
            Origin::File(line) => format!("{}:{line}", self.file_shown()),
            Origin::Environment => format!("{PREFIX}{}", setting.name.to_ascii_uppercase()),
            Origin::Flag => format!("--{}", dashed(setting.name)),
        }
    }

    /// The config file for people: its path, or that there is none.
    pub fn file_shown(&self) -> String {
        self.file.as_deref().map_or_else(|| "none".to_owned(), |path: &Path| path.display().to_string())
    }
}

struct Loading {
    config: Config,
    origins: [Origin; SETTINGS.len()],
    faults: Vec<String>,
    notes: Vec<String>,
}

impl Default for Loading {
    fn default() -> Self {
        let origins = [Origin::Default; SETTINGS.len()];
        Self { config: Config::default(), origins, faults: Vec::new(), notes: Vec::new() }
    }
}

impl Loading {
    /// Takes a value for the setting `name`; `said` is how its source calls it.
    fn take(&mut self, origin: Origin, name: &str, said: &str, value: Result<Value, String>) {
        let Some(at) = SETTINGS.iter().position(|setting| setting.name == name) else {
            self.faults.push(format!("`{said}` is not a setting{}", guess(name, str::to_owned)));
            return;
        };
        match value.and_then(|value| (SETTINGS[at].set)(&mut self.config, &value)) {
            Ok(()) => self.origins[at] = origin,
            Err(fault) => self.faults.push(format!("`{said}` {fault}")),
        }
    }

    /// Platforms invent variables of our prefix (`ROOMFUL_PORT_3000_TCP` beside a service of this name), so only what
    /// looks like a slip of the finger is a fault.
    fn unknown_variable(&mut self, variable: &str, name: &str) {
        let meant = guess(name, |name| format!("{PREFIX}{}", name.to_ascii_uppercase()));
        let line = format!("`{variable}` is not a setting{meant}");
        if meant.is_empty() { self.notes.push(line) } else { self.faults.push(line) }
    }

    fn finish(mut self, file: Option<PathBuf>) -> Result<Loaded> {
        if self.config.tls_cert.is_some() != self.config.tls_key.is_some() {
            self.faults.push("`tls_cert` and `tls_key` go together: set both or neither".to_owned());
        }
        if self.faults.is_empty() {
            return Ok(Loaded { config: self.config, file, notes: self.notes, origins: self.origins });
        }
        let place = file.map(|path| format!(" (config file: {})", path.display())).unwrap_or_default();
        bail!("the settings are not right{place}:\n  {}", self.faults.join("\n  "))
    }
}

/// The line on which each setting of a file stands.
fn lines(text: &str) -> Result<HashMap<String, usize>, toml::de::Error> {
    let table = DeTable::parse(text)?;
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    Ok(table.get_ref().keys().map(|name| (name.get_ref().to_string(), line(name.span().start))).collect())
}

fn find(name: &str) -> Option<&'static Setting> {
    const ALL: &[Setting] = &SETTINGS;
    ALL.iter().find(|setting| setting.name == name)
}

/// `: did you mean …?` when a setting's name is close.
fn guess(name: &str, spelled: impl Fn(&str) -> String) -> String {
    let close = |setting: &&Setting| strsim::jaro_winkler(setting.name, name);
    let best = SETTINGS.iter().max_by(|a, b| close(a).total_cmp(&close(b)));
    match best.filter(|best| close(best) > 0.8) {
        Some(best) => format!("; did you mean `{}`?", spelled(best.name)),
        None => String::new(),
    }
}

fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(CONFIG).long(CONFIG).value_name("FILE").global(true);
        let config = config.value_parser(clap::value_parser!(PathBuf));
        let command = command.next_help_heading("Settings").arg(config.help("The TOML file with settings"));
        SETTINGS.iter().fold(command, |command, setting| {
            let about = setting.about.replace('\n', " ");
            let default = (setting.show)(&Config::default());
            let help = format!("{about} [default: {default}]");
            command.arg(
                Arg::new(setting.name).long(dashed(setting.name)).value_name("VALUE").global(true).help(help),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>(CONFIG).cloned();
        let values = SETTINGS.iter().filter_map(|setting| {
            matches.get_one::<String>(setting.name).map(|value| (setting.name, value.clone()))
        });
        self.values = values.collect();
        Ok(())
    }
}
