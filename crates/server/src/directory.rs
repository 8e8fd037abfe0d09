//! The data directory: everything the server keeps, and the lock that keeps a second server out.

use crate::config::Config;
use crate::owners;
use anyhow::{Context, Result, anyhow, bail};
use chat::Database;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder that holds all a server keeps, open to its owner alone.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// Opens the folder that `config` names, making it when there is none.
    ///
    /// # Errors
    /// When it cannot be made, is no folder, or cannot be closed to others.
    pub fn open(config: &Config) -> Result<Self> {
        let path = &*config.data;
        let folder = || format!("the data directory {}", path.display());
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(folder)?;
        }
        let directory = Self(path.to_owned());
        directory.close_to_others().with_context(folder)?;
        if config.database.is_some() {
            return Ok(directory);
        }
        directory.look_for_a_lost_database();
        // The file is made here with the right mode, and SQLite gives the same mode to the files that it puts beside it. A
        // copy keeps the mode, wherever it goes.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        options.open(directory.database()).with_context(folder)?;
        Ok(directory)
    }

    /// Warns where a server has been whose database is gone or was emptied: a server that starts here begins anew.
    fn look_for_a_lost_database(&self) {
        let holds = |path: &Path| fs::metadata(path).is_ok_and(|file| file.len() > 0);
        if holds(&self.database()) {
            return;
        }
        let signs = fs::read_dir(&self.0).into_iter().flatten().flatten().filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.as_str() {
                // Empty until a server has served.
                LOCK | "roomful.db-wal" | "roomful.db-journal" => holds(&entry.path()),
                HANDOVER | "roomful.db-unchecked" => true,
                _ => is_from_an_upgrade(&name),
            }
        });
        let mut signs: Vec<_> = signs.map(|sign| sign.file_name().to_string_lossy().into_owned()).collect();
        if signs.is_empty() {
            return;
        }
        signs.sort();
        tracing::warn!(
            database = %self.database().display(),
            beside = signs.join(", "),
            "the database is empty or gone, and a server has been here before: this one begins anew. If that is not \
             meant, stop it, keep a copy of the folder, and restore a backup"
        );
    }

    /// The folder that a server with these settings has kept, as it is.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(config: &Config) -> Result<Self> {
        if config.database.is_none() {
            return Self::existing(&config.data);
        }
        if !config.data.is_dir() {
            bail!(
                "there is no folder {}. Name the right one with --data, or as the setting `data`",
                config.data.display()
            );
        }
        Ok(Self(config.data.clone()))
    }

    /// Where a server with these settings keeps what is said.
    ///
    /// # Errors
    /// When that is a file, and there is none.
    pub fn database_kept(config: &Config) -> Result<Database> {
        match &config.database {
            Some(database) => Ok(database.clone()),
            None => Ok(Self::existing(&config.data)?.database().into()),
        }
    }

    /// The folder at `path` that some server has kept, as it is.
    ///
    /// # Errors
    /// When there is none.
    pub fn existing(path: &Path) -> Result<Self> {
        let directory = Self(path.to_owned());
        if !directory.database().is_file() {
            bail!(
                "there is no data of a server in {}. Name the right folder with --data, or as the setting `data`",
                path.display()
            );
        }
        Ok(directory)
    }

    /// Others on this machine may not look inside. A folder that holds other things, too, is left as it is: closing it
    /// is for its owner to decide.
    fn close_to_others(&self) -> Result<()> {
        if fs::metadata(&self.0)?.permissions().mode() & 0o077 == 0 {
            return Ok(());
        }
        let is_empty = fs::read_dir(&self.0)?.next().is_none();
        if is_empty || self.database().exists() || self.lock_file().exists() {
            fs::set_permissions(&self.0, Permissions::from_mode(0o700))?;
        } else {
            tracing::warn!(folder = %self.0.display(), "others on this machine can read the data directory");
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The database inside it.
    pub fn database(&self) -> PathBuf {
        self.0.join(DATABASE)
    }

    /// Where what is said is kept: in the file inside it, unless `config` names another database.
    pub fn database_of(&self, config: &Config) -> Database {
        config.database.clone().unwrap_or_else(|| self.database().into())
    }

    /// The database for people, in front of what is wrong with it.
    pub fn database_shown(&self, config: &Config) -> String {
        format!("the database {}", self.database_of(config).shown())
    }

    /// The socket on which a running server hears of the server that is to follow it.
    pub fn handover(&self) -> PathBuf {
        self.0.join(HANDOVER)
    }

    /// Claims the folder for this server until the lock is dropped, or the process ends in any way.
    ///
    /// # Errors
    /// When another server has it; the message says which.
    pub fn lock(&self) -> Result<Lock> {
        self.try_lock()?.map_err(|holder| {
            anyhow!(
                "another server uses the data directory {}: {holder}. Stop it, replace it while it runs with `roomful \
                 serve --take-over`, or give this one a directory of its own with --data",
                self.0.display()
            )
        })
    }

    /// Claims the folder, or answers who has it.
    ///
    /// # Errors
    /// When the lock cannot be opened.
    pub fn try_lock(&self) -> Result<std::result::Result<Lock, String>> {
        let path = self.lock_file();
        let named = || format!("the lock {}", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).with_context(named)?;
        // A lock that root made would keep out a server that runs as another user.
        owners::give(&path, &fs::metadata(&self.0)?).with_context(named)?;
        match file.try_lock() {
            Ok(()) => Ok(Ok(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(Err(holder(&mut file)?)),
            Err(TryLockError::Error(error)) => Err(error).with_context(named),
        }
    }

    /// What the last server wrote into the lock: its process, and where it listens. That server may have ended since. Trying
    /// the lock would tell, but could keep out a server that starts at this very moment.
    pub fn signed(&self) -> Option<String> {
        fs::read_to_string(self.lock_file()).ok().filter(|text| !text.trim().is_empty())
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join(LOCK)
    }

    /// What the folder holds beside the database and what belongs to that: regular files by their path inside it, in
    /// order; and what is neither such a file nor a folder.
    ///
    /// # Errors
    /// When a folder cannot be read, or a name in it is not text.
    pub fn contents(&self) -> Result<Beside> {
        let mut found = Beside::default();
        walk(&self.0, "", &mut found)?;
        found.files.retain(|path| !OWN.contains(&path.as_str()) && !is_from_an_upgrade(path));
        found.files.sort();
        (found.unfinished, found.files) =
            found.files.into_iter().partition(|path| path.ends_with(UNFINISHED));
        Ok(found)
    }
}

/// The database's name in the folder.
pub const DATABASE: &str = "roomful.db";
const LOCK: &str = "lock";
const HANDOVER: &str = "handover.sock";
/// What belongs to a running server or to SQLite.
pub const OWN: [&str; 7] = [
    DATABASE,
    "roomful.db-wal",
    "roomful.db-shm",
    "roomful.db-journal",
    "roomful.db-unchecked",
    LOCK,
    HANDOVER,
];

/// Whether a file is the copy that an upgrade keeps of the database as it was, or one that it is writing.
fn is_from_an_upgrade(path: &str) -> bool {
    path.starts_with("roomful-before-v")
}

/// How the name of a file ends that is still being written.
pub const UNFINISHED: &str = ".partial";

/// What a data directory holds beside its database.
#[derive(Debug, Default)]
pub struct Beside {
    /// Regular files.
    pub files: Vec<String>,
    /// Regular files that somebody writes, or wrote when they were killed.
    pub unfinished: Vec<String>,
    /// Links, which lead to somewhere else.
    pub links: Vec<String>,
}

fn walk(folder: &Path, prefix: &str, found: &mut Beside) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("the folder {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name =
            name.to_str().with_context(|| format!("the name of {} is not text", entry.path().display()))?;
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if kind.is_symlink() {
            found.links.push(path);
        } else if kind.is_file() {
            found.files.push(path);
        }
    }
    Ok(())
}

fn holder(lock: &mut File) -> Result<String> {
    let mut holder = String::new();
    lock.read_to_string(&mut holder)?;
    let holder = holder.trim();
    Ok(if holder.is_empty() { "a process that is starting".to_owned() } else { holder.to_owned() })
}

/// A claimed data directory.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Notes in the lock which process holds it, for a server that finds it taken.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn sign(&mut self, address: SocketAddr) -> Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        writeln!(self.0, "process {} at {address}", std::process::id())?;
        Ok(())
    }
}
