//! `roomful export`: everything as JSON Lines.

use super::backup::{Unfinished, may_be_written, with};
use super::terminal::tell;
use crate::config::Loaded;
use crate::directory::{Directory, UNFINISHED};
use crate::owners::sync_folder;
use anyhow::{Context, Result};
use chat::{Clock, Database, DatabaseError};
use clap::Args;
use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file to write; standard output without one.
    file: Option<PathBuf>,
    /// Replaces the file if there is one.
    #[arg(long)]
    force: bool,
}

impl Export {
    pub(super) fn run(self, loaded: &Loaded) -> Result<()> {
        let database = Directory::database_kept(&loaded.config)?;
        let Some(file) = self.file else {
            return match export(&database, &mut BufWriter::new(io::stdout().lock())) {
                // The reader has read enough (`roomful export | head`).
                Err(DatabaseError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                done => done.map(drop).with_context(|| format!("the database {}", database.shown())),
            };
        };
        may_be_written(&file, self.force)?;
        let unfinished = Unfinished::create(&with(&file, UNFINISHED))?;
        let lines = export(&database, &mut BufWriter::new(&unfinished.file))
            .with_context(|| format!("the database {}", database.shown()))
            .with_context(|| format!("{} was not written", file.display()))?;
        unfinished.file.sync_all()?;
        fs::rename(&unfinished.path, &file)?;
        sync_folder(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        tell(&format!("Exported {lines} lines to {}.", file.display()));
        Ok(())
    }
}

fn export(database: &Database, out: &mut dyn Write) -> Result<u64, DatabaseError> {
    chat::export(database, Clock::system().now(), out)
}
