//! `roomful backup`: everything that is kept, of one moment, in one file, while people talk.

mod pg_dump;

use super::terminal::{Progress, Stop, bytes, count, tell, warn};
use crate::archive::Writer;
use crate::config::{Config, Loaded};
use crate::directory::{Beside, DATABASE, Directory, UNFINISHED};
use crate::owners::sync_folder;
use anyhow::{Context, Result, anyhow, bail};
use chat::backup::{self, Contents};
use chat::{Clock, Database};
use clap::Args;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write, or `-` for standard output.
    file: PathBuf,
    /// Replaces the file if there is one.
    #[arg(long)]
    force: bool,
    /// Takes the backup even though events are missing from the database.
    #[arg(long)]
    damaged: bool,
}

impl Backup {
    pub(super) fn run(self, loaded: &Loaded) -> Result<()> {
        let progress = &mut Progress::new(Stop::listen()?);
        let taken = match &loaded.config.database {
            Some(Database::Postgres(address)) => self.of_postgres(address, &loaded.config, progress)?,
            Some(Database::File(_)) | None => self.of_directory(&loaded.config, progress)?,
        };
        let Contents { users, rooms, messages, .. } = taken;
        let held = [
            count(users, "user", "users"),
            count(rooms, "room", "rooms"),
            count(messages, "message", "messages"),
        ];
        progress.clear();
        tell(&format!("Backed up {} to {}.", held.join(", "), self.file.display()));
        Ok(())
    }

    fn of_directory(&self, config: &Config, progress: &mut Progress) -> Result<Contents> {
        let directory = Directory::existing(&config.data)?;
        let beside = directory.contents()?;
        for link in &beside.links {
            warn(&format!("the backup leaves out {link}, which is a link to somewhere else"));
        }
        if self.is_to_standard_output() {
            self.to_standard_output(&directory, &beside, progress)
        } else {
            self.to_file(&directory, &beside, progress)
        }
    }

    fn is_to_standard_output(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    fn to_file(&self, directory: &Directory, beside: &Beside, progress: &mut Progress) -> Result<Contents> {
        let file = &self.file;
        let folder = self.folder()?;
        if folder.canonicalize()?.starts_with(directory.path().canonicalize()?) {
            bail!(
                "{} is inside the data directory and would be lost with it; name another place",
                file.display()
            );
        }
        may_be_written(file, self.force)?;
        let database = database_bytes(directory);
        let others: u64 = beside.files.iter().map(|path| length(&directory.path().join(path))).sum();
        // The copy of the database, and the backup that it goes into.
        has_room(folder, 2 * database + others)?;
        let unfinished = Unfinished::create(&with(file, UNFINISHED))?;
        let copy = Unfinished::create(&with(file, &format!(".database{UNFINISHED}")))?;
        let taken = self
            .write(directory, beside, &copy, BufWriter::new(&unfinished.file), progress)
            .with_context(|| format!("the backup was not written to {}", file.display()))?;
        unfinished.finish(file, folder)?;
        Ok(taken)
    }

    fn folder(&self) -> Result<&Path> {
        let folder = match self.file.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => bail!("{} is a folder; name a file in it", self.file.display()),
        };
        if !folder.is_dir() {
            bail!("there is no folder {}", folder.display());
        }
        Ok(folder)
    }

    fn to_standard_output(
        &self,
        directory: &Directory,
        beside: &Beside,
        progress: &mut Progress,
    ) -> Result<Contents> {
        refuse_terminal()?;
        has_room(directory.path(), database_bytes(directory))?;
        // The data directory is the one place that is sure to be there, to be private, and to have had room for a database
        // before.
        let copy =
            Unfinished::create(&directory.path().join(format!("backup-{}{UNFINISHED}", std::process::id())))?;
        self.write(directory, beside, &copy, BufWriter::new(io::stdout().lock()), progress)
            .context("the backup was not written")
    }

    /// Writes the database first: the files beside it may be newer than the database, and must not be older.
    fn write(
        &self,
        directory: &Directory,
        beside: &Beside,
        copy: &Unfinished,
        out: impl Write,
        progress: &mut Progress,
    ) -> Result<Contents> {
        let taken_at = Clock::system().now();
        let contents = backup::copy(&directory.database(), &copy.path, &mut |done, all| {
            progress.show("Copying the database", done, all)
        })
        .with_context(|| format!("the database {}", directory.database().display()))?;
        self.refuse_holes(&backup::holes(&copy.path)?)?;
        let mut files = vec![(DATABASE, copy.path.clone())];
        files.extend(beside.files.iter().map(|path| (path.as_str(), directory.path().join(path))));
        let all: u64 = files.iter().map(|(_, path)| length(path)).sum();
        let (mut writer, mut done) = (Writer::new(out), 0);
        for (name, path) in files {
            let file = match File::open(&path) {
                // The file was deleted since, and so is no part of what is kept.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                file => file.with_context(|| format!("the file {}", path.display()))?,
            };
            writer.add(name, file, &mut |piece| {
                done += piece;
                progress.show("Writing the backup", done, all)
            })?;
        }
        writer.finish(contents.clone(), taken_at)?.flush()?;
        Ok(contents)
    }

    /// A backup takes the place of older ones, which may hold what is missing from this one.
    fn refuse_holes(&self, holes: &[String]) -> Result<()> {
        let holes = holes.join("; ");
        if holes.is_empty() {
            return Ok(());
        }
        if !self.damaged {
            bail!(
                "the database is damaged: {holes}. roomful doctor tells more; keep your older backups, or take this one with --damaged"
            );
        }
        warn(&format!("the backup is of a database that is damaged: {holes}"));
        Ok(())
    }
}

fn refuse_terminal() -> Result<()> {
    if io::stdout().is_terminal() {
        bail!("a backup is nothing for a terminal; send it to a file or a program");
    }
    Ok(())
}

/// Refuses a name that the backup may not take. With `force` it may take the place of another file, but never that of
/// something else, such as a device or a link.
pub(super) fn may_be_written(file: &Path, force: bool) -> Result<()> {
    match fs::symlink_metadata(file) {
        Ok(there) if there.is_dir() => bail!("{} is a folder; name a file in it", file.display()),
        Ok(there) if !there.is_file() => bail!("{} is no ordinary file; name another", file.display()),
        Ok(_) if !force => {
            bail!("there is {} already; name another file, or replace it with --force", file.display())
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A file under a name of its own for as long as it is being written. Unless it is given its final name, it is removed.
pub(super) struct Unfinished {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

impl Unfinished {
    /// Makes the file anew, for its owner alone, in the place of one that a killed process has left behind.
    ///
    /// # Errors
    /// When it cannot be made, or somebody else is writing it.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let named = || format!("the file {}", path.display());
        let is_written = || anyhow!("another backup is being written to {}", path.display());
        match fs::symlink_metadata(path) {
            Ok(left) => {
                // A link is not followed, and what is no file is not opened: nobody writes to either.
                let held = left.is_file().then(|| File::open(path).ok()).flatten();
                if held.as_ref().is_some_and(|held| matches!(held.try_lock(), Err(TryLockError::WouldBlock)))
                {
                    return Err(is_written());
                }
                fs::remove_file(path).with_context(named)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(named),
        }
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).with_context(named)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file }),
            Err(TryLockError::WouldBlock) => Err(is_written()),
            Err(TryLockError::Error(error)) => Err(error).with_context(named),
        }
    }
}

impl Unfinished {
    /// Gives the file its name in `folder`, once it is on the disk.
    fn finish(self, name: &Path, folder: &Path) -> Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, name)?;
        Ok(sync_folder(folder)?)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Where the file was renamed, nothing stands under the old name any more.
        let _ = fs::remove_file(&self.path);
    }
}

pub(super) fn with(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The bytes of the database and of its WAL.
pub(super) fn database_bytes(directory: &Directory) -> u64 {
    let database = directory.database();
    length(&database) + length(&with(&database, "-wal"))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

/// Refuses to begin what would end in a full disk.
pub(super) fn has_room(folder: &Path, needed: u64) -> Result<()> {
    let free = free_bytes(folder)?;
    if free < needed {
        bail!(
            "there is too little room in {}: this takes {} and {} are free",
            folder.display(),
            bytes(needed),
            bytes(free)
        );
    }
    Ok(())
}

/// How much of the disk that holds a folder is free for us.
pub(super) fn free_bytes(folder: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(folder).with_context(|| format!("the folder {}", folder.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
