//! Writing a backup, from the first byte to the last.

use super::{Entry, MANIFEST, MANIFEST_SUM, Manifest, copy_summed, hex, is_fit};
use anyhow::{Context, Result, bail};
use chat::backup::Contents;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::time::UNIX_EPOCH;
use tar::{Builder, EntryType, Header};

/// A backup under way.
pub struct Writer<W: Write> {
    tar: Builder<W>,
    files: Vec<Entry>,
}

impl<W: Write> Writer<W> {
    /// Begins a backup.
    pub fn new(out: W) -> Self {
        Self { tar: Builder::new(out), files: Vec::new() }
    }

    /// Adds a file that stands at `path` in the data directory. `going` is told of each piece and answers whether to go
    /// on.
    ///
    /// # Errors
    /// When it cannot be read, grows or shrinks meanwhile, its path is not fit, or nothing more can be written.
    pub fn add(&mut self, path: &str, mut file: File, going: &mut dyn FnMut(u64) -> bool) -> Result<()> {
        if !is_fit(path) {
            bail!(
                "the name of the file {path:?} in the data directory cannot be kept; rename it or move it away"
            );
        }
        let metadata = file.metadata()?;
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let mut header = self.header(path, metadata.len());
        header.set_mtime(modified.map_or(0, |at| at.as_secs()));
        header.set_cksum();
        let out = self.tar.get_mut();
        out.write_all(header.as_bytes())?;
        let (bytes, sha256) = copy_summed(&mut (&mut file).take(metadata.len()), out, going)?;
        if bytes != metadata.len() || file.read(&mut [0])? != 0 {
            bail!("the file {path} changed while it was copied; try again");
        }
        pad(out, bytes)?;
        self.files.push(Entry { path: path.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// Ends the backup with what it holds. `taken_at` is in milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// When nothing more can be written.
    pub fn finish(mut self, database: Contents, taken_at: i64) -> Result<W> {
        let manifest = Manifest::new(database, taken_at, std::mem::take(&mut self.files));
        let manifest = serde_json::to_string_pretty(&manifest)? + "\n";
        let sum = format!("{}  {MANIFEST}\n", hex(&Sha256::digest(manifest.as_bytes())));
        for (name, text) in [(MANIFEST, manifest), (MANIFEST_SUM, sum)] {
            let mut header = header(text.len() as u64);
            header.set_path(name)?;
            header.set_mtime(u64::try_from(taken_at / 1_000).unwrap_or(0));
            header.set_cksum();
            self.tar.append(&header, text.as_bytes())?;
        }
        self.tar.into_inner().context("the end of the backup")
    }

    /// Names in the archive are for people with `tar tf`; what counts is the order, which is the manifest's. So a path
    /// that the format has no room for goes under a number.
    fn header(&self, path: &str, bytes: u64) -> Header {
        let mut header = header(bytes);
        if header.set_path(format!("data/{path}")).is_err() {
            let _ = header.set_path(format!("long-names/{}", self.files.len()));
        }
        header
    }
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(bytes);
    header
}

/// The format is made of blocks of 512 bytes.
fn pad(out: &mut impl Write, bytes: u64) -> std::io::Result<()> {
    let over = (bytes % 512) as usize;
    if over == 0 { Ok(()) } else { out.write_all(&[0; 512][over..]) }
}
