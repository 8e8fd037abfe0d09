//! Reading a backup that may be damaged, cut off, or made by somebody who means harm.

use super::{Entry, FORMAT, MANIFEST, MANIFEST_SUM, MOST_FILES, MOST_MANIFEST, Manifest, copy_summed, hex};
use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tar::{Archive, EntryType};

/// What an archive turned out to hold.
#[derive(Default)]
struct Found {
    files: Vec<(u64, String)>,
    manifest: Option<Vec<u8>>,
    sum: Option<Vec<u8>>,
}

/// Writes the files of a backup into the empty folder `into`, named by their places in the manifest: 0, 1, 2 … No name in
/// the archive ever becomes a path. Everything is on the disk, and is what the manifest says, when this answers.
/// `going` is told of each piece and answers whether to go on.
///
/// # Errors
/// When it is no backup, is of a newer layout, is not whole, or a file is not what was written.
pub fn unpack(backup: impl Read, into: &Path, going: &mut dyn FnMut(u64) -> bool) -> Result<Manifest> {
    let ended = Cell::new(false);
    let mut archive = Archive::new(Watched { backup, ended: &ended });
    let mut found = Found::default();
    // Raw: extensions that name, link, stretch or make sparse are entries like any other, and refused.
    for entry in archive.entries()?.raw(true) {
        let is_first = found.files.is_empty();
        let entry = entry.map_err(|error| explained(&error, ended.get(), is_first))?;
        take(entry, into, &mut found, going)?;
    }
    let (Some(manifest), Some(sum)) = (found.manifest, found.sum) else {
        bail!("it is not whole: it ends before its manifest");
    };
    if sum.get(..64) != Some(hex(&Sha256::digest(&manifest)).as_bytes()) {
        bail!("it is damaged: its manifest is not what was written");
    }
    let manifest = read(&manifest)?;
    compare(&manifest.files, &found.files)?;
    Ok(manifest)
}

fn take<R: Read>(
    mut entry: tar::Entry<'_, R>,
    into: &Path,
    found: &mut Found,
    going: &mut dyn FnMut(u64) -> bool,
) -> Result<()> {
    if entry.header().entry_type() != EntryType::Regular || found.files.len() > MOST_FILES {
        bail!("it is not a backup of Roomful");
    }
    let bytes = entry.size();
    let is_named = |name: &str| entry.path_bytes().as_ref() == name.as_bytes();
    let kept = match (is_named(MANIFEST), is_named(MANIFEST_SUM)) {
        (true, _) => &mut found.manifest,
        (_, true) => &mut found.sum,
        (false, false) => {
            let mut options = OpenOptions::new();
            let path = into.join(found.files.len().to_string());
            let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
            let copied = copy_summed(&mut entry, &mut file, going)?;
            whole(bytes, copied.0)?;
            file.sync_all()?;
            found.files.push(copied);
            return Ok(());
        }
    };
    if bytes > MOST_MANIFEST || kept.is_some() {
        bail!("it is not a backup of Roomful");
    }
    let text = kept.insert(Vec::new());
    whole(bytes, entry.read_to_end(text)? as u64)
}

fn whole(said: u64, came: u64) -> Result<()> {
    if said == came { Ok(()) } else { bail!("it is not whole: it ends in the middle of a file") }
}

fn read(manifest: &[u8]) -> Result<Manifest> {
    #[derive(serde::Deserialize)]
    struct Layout {
        format: u32,
        roomful: String,
    }
    let layout: Layout = serde_json::from_slice(manifest).context("its manifest cannot be read")?;
    if layout.format > FORMAT {
        bail!(
            "it was made by Roomful {}, which writes backups this one cannot read: use that one",
            layout.roomful
        );
    }
    let manifest: Manifest = serde_json::from_slice(manifest).context("its manifest cannot be read")?;
    manifest.check()?;
    Ok(manifest)
}

fn compare(said: &[Entry], came: &[(u64, String)]) -> Result<()> {
    if said.len() != came.len() {
        bail!("it is damaged: it holds {} files, and its manifest names {}", came.len(), said.len());
    }
    for (said, (bytes, sha256)) in said.iter().zip(came) {
        if (said.bytes, &said.sha256) != (*bytes, sha256) {
            bail!("it is damaged: {} is not what was written", said.path);
        }
    }
    Ok(())
}

/// A backup that is read, and whether its end was reached: the library tells that in a dozen ways.
struct Watched<'a, R> {
    backup: R,
    ended: &'a Cell<bool>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let read = self.backup.read(piece)?;
        self.ended.set(self.ended.get() || (read == 0 && !piece.is_empty()));
        Ok(read)
    }
}

/// The library's words are about archives; an operator gave us a file.
fn explained(error: &io::Error, ended: bool, is_first: bool) -> anyhow::Error {
    match (ended, is_first) {
        (true, _) => anyhow!("it is not whole: it ends early"),
        (false, true) => anyhow!("it is not a backup of Roomful"),
        (false, false) => anyhow!("it is damaged: {error}"),
    }
}
