//! `roomful restore`: a backup becomes the data directory, and what was there before is kept.

use super::backup::{has_room, with};
use super::terminal::{Progress, Stop, count, say, time};
use crate::archive::{Manifest, unpack};
use crate::config::Loaded;
use crate::directory::{DATABASE, Directory, Lock};
use crate::owners::{give, sync_folder};
use anyhow::{Context, Result, anyhow, bail};
use chat::{Database, Way, backup};
use clap::Args;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Reads and verifies all of it, and restores nothing.
    #[arg(long)]
    check: bool,
}

impl Restore {
    pub(super) fn run(self, loaded: &Loaded) -> Result<()> {
        if let Some(Database::Postgres(address)) = &loaded.config.database {
            return Err(self.is_for_postgres(address));
        }
        let named = || format!("the backup {}", self.file.display());
        let backup = File::open(&self.file).with_context(named)?;
        let target = Target::find(&loaded.config.data)?;
        let _lock = if self.check { None } else { target.claim()? };
        let bytes = backup.metadata()?.len();
        let staging = Staging::create(&target)?;
        has_room(&target.parent, bytes)?;
        let mut progress = Progress::new(Stop::listen()?);
        let mut done = 0;
        let manifest = unpack(backup, &staging.entries(), &mut |piece| {
            done += piece;
            progress.show("Verifying", done, bytes)
        })
        .with_context(named)?;
        verify(&staging, &manifest).with_context(named)?;
        progress.clear();
        let contents = held(&manifest);
        if self.check {
            return say(&format!("{} is whole: {contents}.", self.file.display()));
        }
        let fresh = staging.assemble(&manifest, &target)?;
        let before = target.take(&fresh)?;
        report(&self.file, &contents, &target, before.as_deref())
    }
}

impl Restore {
    /// Restoring a database of PostgreSQL is the work of PostgreSQL's own program, which its administrator may have to run.
    fn is_for_postgres(&self, address: &str) -> anyhow::Error {
        let (file, address) = (self.file.display(), Way::to(address).address);
        if self.check {
            return anyhow!("PostgreSQL's own program reads this backup: pg_restore --list {file}");
        }
        anyhow!(
            "PostgreSQL's own program restores this backup. Stop the server, and run:\n\n    pg_restore --clean \
             --if-exists --no-owner --single-transaction -d '{address}' {file}\n\nIt takes the password from PGPASSWORD \
             or asks for it. Then start the server. Everybody's programs fetch everything anew by themselves"
        )
    }
}

fn held(manifest: &Manifest) -> String {
    let database = &manifest.database;
    format!(
        "{}, {}, {}, taken {} by Roomful {}",
        count(database.users, "user", "users"),
        count(database.rooms, "room", "rooms"),
        count(database.messages, "message", "messages"),
        time(manifest.taken_at),
        manifest.roomful
    )
}

/// The database is one of ours, is whole, and is the one that the manifest speaks of.
fn verify(staging: &Staging, manifest: &Manifest) -> Result<()> {
    let found = backup::inspect(&staging.entries().join("0")).context("its database")?;
    if found == manifest.database { Ok(()) } else { bail!("its manifest speaks of another database") }
}

fn report(file: &Path, contents: &str, target: &Target, before: Option<&Path>) -> Result<()> {
    say(&format!("Restored {} to {}: {contents}.", file.display(), target.path.display()))?;
    if let Some(before) = before {
        say(&format!("What was there before is in {}. Delete it once all is well.", before.display()))?;
    }
    say("Start the server now. Everybody's programs fetch everything anew by themselves.")?;
    say("Who was signed in when the backup was taken is signed in again, even if they signed out since.")
}

/// The data directory, there or not, as a name in its folder.
struct Target {
    path: PathBuf,
    parent: PathBuf,
    stamp: String,
}

impl Target {
    fn find(data: &Path) -> Result<Self> {
        let path = if data.exists() {
            data.canonicalize()?
        } else {
            let parent =
                data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let parent = parent.canonicalize().with_context(|| format!("the folder {}", parent.display()))?;
            parent.join(data.file_name().with_context(|| format!("{} names no folder", data.display()))?)
        };
        let parent =
            path.parent().with_context(|| format!("the data directory cannot be {}", path.display()))?;
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut target = Self { parent: parent.to_owned(), stamp: now.clone(), path };
        // Another restore in the same second has left its name behind.
        let mut again = 2_u32;
        while [STAGING, BEFORE].iter().any(|what| fs::symlink_metadata(target.beside(what)).is_ok()) {
            target.stamp = format!("{now}-{again}");
            again += 1;
        }
        Ok(target)
    }

    /// Makes sure that the directory can be taken, and that no server uses it until the lock is dropped.
    fn claim(&self) -> Result<Option<Lock>> {
        if !self.path.exists() {
            return Ok(None);
        }
        if fs::metadata(&self.path)?.dev() != fs::metadata(&self.parent)?.dev() {
            return Err(self.is_mounted());
        }
        let is_empty = fs::read_dir(&self.path)?.next().is_none();
        if !is_empty && !self.path.join(DATABASE).exists() {
            bail!(
                "{} holds other things and no data of a server; name the right folder with --data",
                self.path.display()
            );
        }
        if is_empty {
            return Ok(None);
        }
        let lock = Directory::existing(&self.path)?.try_lock()?;
        lock.map(Some).map_err(|holder| {
            anyhow!("a server uses {}: {holder}. Stop it first, then restore", self.path.display())
        })
    }

    fn is_mounted(&self) -> anyhow::Error {
        anyhow!(
            "{path} is where a disk or volume is mounted, so it cannot be exchanged as a whole; restore to a folder \
             inside it with --data {path}/roomful-data, and start the server with the same",
            path = self.path.display()
        )
    }

    /// `roomful-data.before-restore-20260101T000000Z`.
    fn beside(&self, what: &str) -> PathBuf {
        with(&self.path, &format!(".{what}-{}", self.stamp))
    }

    /// Puts `fresh` in the directory's place in one step, and answers where the old one is. At any moment there is a whole
    /// one at the path; and the old one never stands under another name than there or that of what was before, so that
    /// whoever is killed in between leaves nothing under a wrong one that is not in the backup, too.
    fn take(&self, fresh: &Path) -> Result<Option<PathBuf>> {
        let named = || format!("putting the restored data into the place of {}", self.path.display());
        if !self.path.exists() {
            fs::rename(fresh, &self.path).with_context(named)?;
            sync_folder(&self.parent)?;
            return Ok(None);
        }
        let before = self.beside(BEFORE);
        fs::rename(fresh, &before).with_context(named)?;
        sync_folder(&self.parent)?;
        match renameat_with(CWD, &before, CWD, &self.path, RenameFlags::EXCHANGE) {
            Ok(()) => {}
            // A file system that cannot exchange: for a moment there is none at the path.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                fs::rename(&before, fresh).with_context(named)?;
                fs::rename(&self.path, &before).with_context(named)?;
                sync_folder(&self.parent)?;
                fs::rename(fresh, &self.path).with_context(named)?;
            }
            Err(error) => {
                let _ = fs::remove_dir_all(&before);
                return if error == Errno::BUSY {
                    Err(self.is_mounted())
                } else {
                    Err(error).with_context(named)
                };
            }
        }
        sync_folder(&self.parent)?;
        // An empty folder is nothing to keep.
        Ok(if fs::remove_dir(&before).is_ok() { None } else { Some(before) })
    }
}

/// A folder beside the data directory in which a backup is unpacked; goes with its value. `doctor` knows it by its name.
pub(super) struct Staging {
    path: PathBuf,
    _lock: File,
}

const STAGING: &str = "restoring";
/// What a restore calls the directory that it put another one in the place of.
const BEFORE: &str = "before-restore";
/// In a staging folder: locked while it is in use.
const STAGING_LOCK: &str = "lock";

/// The folders that restores have left beside a data directory because they were killed. What they hold is copies of
/// what is in a backup.
pub(super) fn abandoned(data: &Path) -> Vec<PathBuf> {
    let is_free = |path: &PathBuf| match File::open(path.join(STAGING_LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => true,
    };
    named(data, STAGING).filter(is_free).collect()
}

/// The folders beside a data directory that hold what was there before restores, which only their owner may delete.
pub(super) fn set_aside(data: &Path) -> Vec<PathBuf> {
    named(data, BEFORE).collect()
}

fn named(data: &Path, what: &str) -> impl Iterator<Item = PathBuf> {
    let beside = data.parent().zip(data.file_name());
    beside.into_iter().flat_map(move |(parent, name)| {
        let beginning = format!("{}.{what}-", name.to_string_lossy());
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        entries
            .filter(move |entry| entry.file_name().to_string_lossy().starts_with(&beginning))
            .map(|entry| entry.path())
    })
}

impl Staging {
    fn create(target: &Target) -> Result<Self> {
        // Folders that earlier restores left may be why there is no room.
        for left in abandoned(&target.path) {
            fs::remove_dir_all(&left).with_context(|| format!("the folder {}", left.display()))?;
        }
        let path = target.beside(STAGING);
        let make = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        make(&path).with_context(|| {
            format!(
                "a folder beside the data directory, in {}, to unpack the backup in",
                target.parent.display()
            )
        })?;
        let lock = File::create(path.join(STAGING_LOCK))?;
        let staging = Self { path, _lock: lock };
        staging._lock.try_lock().map_err(|_| anyhow!("somebody else has {}", staging.path.display()))?;
        make(&staging.entries())?;
        make(&staging.fresh())?;
        Ok(staging)
    }

    fn entries(&self) -> PathBuf {
        self.path.join("entries")
    }

    fn fresh(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Makes a data directory of the entries: in another life, on the disk, and owned by whoever owned the old one. It
    /// answers where it stands.
    fn assemble(&self, manifest: &Manifest, target: &Target) -> Result<PathBuf> {
        let fresh = self.fresh();
        let owner = fs::metadata(if target.path.exists() { &target.path } else { &target.parent })?;
        give(&fresh, &owner)?;
        for (at, entry) in manifest.files.iter().enumerate() {
            let mut folder = fresh.clone();
            let (folders, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
            for part in folders.split('/').filter(|part| !part.is_empty()) {
                folder.push(part);
                if !folder.exists() {
                    DirBuilder::new().mode(0o700).create(&folder)?;
                    give(&folder, &owner)?;
                }
            }
            let path = folder.join(name);
            fs::rename(self.entries().join(at.to_string()), &path)?;
            give(&path, &owner)?;
        }
        backup::renew_epoch(&fresh.join(DATABASE)).context("the restored database")?;
        sync_all(&fresh)?;
        Ok(fresh)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The files were synced as they were written; here follow the names.
fn sync_all(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    Ok(sync_folder(folder)?)
}
