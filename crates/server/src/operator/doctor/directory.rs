//! What the doctor finds in the data directory and beside it.

use super::{Finding, Patient, Verdict, some};
use crate::directory::{Directory, OWN};
use crate::operator::restore::{abandoned, set_aside};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The files in the data directory that the server reads and does not write.
const SETTINGS: &str = "config.toml";

pub(super) fn owner(patient: &Patient<'_>) -> Finding {
    let Some(directory) = &patient.directory else {
        return Finding::fail(
            format!("There is no data of a server in {}.", patient.loaded.config.data.display()),
            "Name the right folder with --data, or as the setting `data`. If there never was a server here, start it: it makes one.",
        );
    };
    let Ok(of) = fs::metadata(directory.path()) else {
        return Finding::fail(
            "The data directory cannot be looked at.",
            "Run this as the user who runs the server.",
        );
    };
    let stranger = |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.uid() != of.uid());
    let strangers: Vec<_> = kept(directory).into_iter().filter(stranger).map(shown).collect();
    if strangers.is_empty() {
        return Finding::ok(format!("{} holds the data.", directory.path().display()));
    }
    Finding::fail(
        format!("Not everything belongs to the owner of the data directory:\n{}", some(&strangers)),
        format!("As root: chown -R --reference={0} {0}", directory.path().display()),
    )
}

pub(super) fn modes(patient: &Patient<'_>) -> Finding {
    let Some(directory) = &patient.directory else { return Finding::nothing_there() };
    let mut open = kept(directory);
    open.push(directory.path().to_owned());
    open.retain(|path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0));
    if open.is_empty() {
        return Finding::ok("Only their owner can read the files.");
    }
    let close = |path: &PathBuf| {
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    let is_read = are_read(directory.path(), &open);
    let found = mend(patient, &open, "Others on this machine can read:", "Closed to others:", close);
    let verdict = if is_read && found.verdict == Verdict::Warn { Verdict::Fail } else { found.verdict };
    Finding { verdict, ..found }
}

/// Whether the folder lets somebody else through to one of the files that they may read.
fn are_read(folder: &Path, files: &[PathBuf]) -> bool {
    let mode = |path: &Path| fs::metadata(path).map_or(0, |file| file.permissions().mode());
    let through = mode(folder);
    // First the bits of the group, then those of everybody.
    [3_u32, 0].into_iter().any(|class| {
        let reads = |path: &PathBuf| path.is_file() && mode(path) >> class & 0o4 != 0;
        through >> class & 0o1 != 0 && files.iter().any(reads)
    })
}

pub(super) fn leftovers(patient: &Patient<'_>) -> Finding {
    let Some(directory) = &patient.directory else { return Finding::nothing_there() };
    let path = directory.path().canonicalize().unwrap_or_else(|_| directory.path().to_owned());
    let mut left = abandoned(&path);
    let contents = directory.contents().unwrap_or_default();
    let unfinished = contents.unfinished.iter().map(|path| directory.path().join(path));
    // A file that is still being written is locked by its writer.
    left.extend(unfinished.filter(|path| File::open(path).is_ok_and(|file| file.try_lock().is_ok())));
    let remove =
        |path: &PathBuf| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    let found = if left.is_empty() {
        Finding::ok("No unfinished work was left behind.")
    } else {
        mend(
            patient,
            &left,
            "Unfinished work was left behind:",
            "Removed what unfinished work had left behind:",
            remove,
        )
    };
    with_set_aside(found, set_aside(&path))
}

/// The same, and what is nobody's to remove but the operator's.
fn with_set_aside(found: Finding, aside: Vec<PathBuf>) -> Finding {
    if aside.is_empty() {
        return found;
    }
    let aside: Vec<_> = aside.into_iter().map(shown).collect();
    let advice = "Delete what was there before a restore yourself, once all is well.";
    Finding {
        verdict: found.verdict.max(Verdict::Warn),
        what: format!("{}\nWhat was there before a restore still is:\n{}", found.what, some(&aside)),
        advice: Some(found.advice.map_or_else(|| advice.to_owned(), |first| format!("{first}\n{advice}"))),
    }
}

pub(super) fn files(patient: &Patient<'_>) -> Finding {
    let Some(directory) = &patient.directory else { return Finding::nothing_there() };
    let contents = match directory.contents() {
        Ok(contents) => contents,
        Err(error) => {
            return Finding::fail(format!("{error:#}."), "Rename or remove it: a backup would fail.");
        }
    };
    let strange: Vec<_> = contents.files.into_iter().filter(|path| path != SETTINGS).collect();
    if !contents.links.is_empty() {
        return Finding::warn(
            format!("Links are not followed, and left out of backups:\n{}", some(&contents.links)),
            "Put the files themselves there, or keep them elsewhere and back them up yourself.",
        );
    }
    if strange.is_empty() {
        return Finding::ok("The data directory holds nothing that the server does not know.");
    }
    Finding::warn(
        format!("The server does not know these files, which backups take along:\n{}", some(&strange)),
        "Move them elsewhere if they are not meant to be there.",
    )
}

/// Mends what was found if that was asked for, and says what it did or what to do.
fn mend(
    patient: &Patient<'_>,
    paths: &[PathBuf],
    wrong: &str,
    mended: &str,
    with: impl Fn(&PathBuf) -> io::Result<()>,
) -> Finding {
    let listed: Vec<_> = paths.iter().cloned().map(shown).collect();
    if !patient.fix {
        let what = format!("{wrong}\n{}", some(&listed));
        return Finding::warn(what, "roomful doctor --fix");
    }
    let faults = paths.iter().filter_map(|path| {
        with(path).err().filter(|_| path.exists()).map(|error| format!("{}: {error}", path.display()))
    });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() {
        return Finding::ok(format!("{mended}\n{}", some(&listed)));
    }
    Finding::fail(some(&faults), "Run this as the user who runs the server, or as root.")
}

/// Every file in the data directory.
fn kept(directory: &Directory) -> Vec<PathBuf> {
    let own = OWN.iter().map(|name| directory.path().join(name)).filter(|path| path.exists());
    let contents = directory.contents().unwrap_or_default();
    let others = contents.files.iter().chain(&contents.unfinished).map(|path| directory.path().join(path));
    own.chain(others).collect()
}

fn shown(path: impl AsRef<Path>) -> String {
    path.as_ref().display().to_string()
}
