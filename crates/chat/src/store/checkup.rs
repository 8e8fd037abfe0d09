//! Looking through a database that was not closed.

use super::opening::OpenError;
use super::{checks, readers};
use crate::sql::{SqlError, Sqlite};
use rusqlite::{ErrorCode, InterruptHandle};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// What is known of the database as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It was closed as it should be the last time and nothing was wrong with it, so nobody looks.
    Unneeded,
    /// Somebody is looking.
    UnderWay,
    /// Nothing is wrong with it.
    Sound,
    /// Something is; what.
    Damaged(String),
}

/// A thread that looks, beside everything else.
pub(super) struct Checkup {
    mark: PathBuf,
    checked: watch::Sender<Checked>,
    looking: Option<(InterruptHandle, Mutex<Option<JoinHandle<()>>>)>,
}

impl Checkup {
    /// Looks, if the database was left `unclean`, or ever since it was nobody has seen that nothing is wrong with it.
    pub(super) fn start(path: &Path, unclean: bool) -> Result<Self, OpenError> {
        let mark = mark_of(path);
        if !unclean && !mark.exists() {
            return Ok(Self { mark, checked: watch::Sender::new(Checked::Unneeded), looking: None });
        }
        // A clean stop folds the log away, which alone tells so far that the database was not closed.
        leave(&mark);
        let sqlite = readers::connect(path)?;
        let checked = watch::Sender::new(Checked::UnderWay);
        let interrupt = sqlite.connection().get_interrupt_handle();
        let (tell, marked) = (checked.clone(), mark.clone());
        let thread = std::thread::Builder::new().name("checkup".into()).spawn(move || {
            let found = look(&sqlite);
            tell.send_if_modified(|known| {
                // Somebody may have met damage meanwhile, where nobody looks.
                let news = !matches!(known, Checked::Damaged(_));
                if news && found == Checked::Sound {
                    unmark(&marked);
                }
                if news {
                    *known = found;
                }
                news
            });
        })?;
        Ok(Self { mark, checked, looking: Some((interrupt, Mutex::new(Some(thread)))) })
    }

    /// Takes note that somebody who read met what cannot be: that is known from now on, and looked at again at the next
    /// start.
    pub(super) fn met(&self, error: &SqlError) {
        let SqlError::Sqlite(error) = error else { return };
        if !matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
            return;
        }
        self.checked.send_if_modified(|known| {
            let news = !matches!(known, Checked::Damaged(_));
            if news {
                leave(&self.mark);
                *known = damaged(error.to_string());
            }
            news
        });
    }

    pub(super) fn checked(&self) -> watch::Receiver<Checked> {
        self.checked.subscribe()
    }

    /// Looks no further: the last connection to close folds the log, and that should be the writer's.
    pub(super) fn stop(&self) {
        let Some((interrupt, thread)) = &self.looking else { return };
        interrupt.interrupt();
        let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("looking through the database ended in a panic");
        }
    }
}

/// Stands beside a database that must be looked through, until nothing was found wrong with it. A file, for a damaged
/// database is not the place to write to.
fn mark_of(path: &Path) -> PathBuf {
    let mut mark = path.as_os_str().to_owned();
    mark.push("-unchecked");
    mark.into()
}

fn leave(mark: &Path) {
    if let Err(error) = OpenOptions::new().append(true).create(true).mode(0o600).open(mark) {
        tracing::warn!(%error, mark = %mark.display(), "a stop before the database is looked through will hide that it must be");
    }
}

fn unmark(mark: &Path) {
    match fs::remove_file(mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, mark = %mark.display(), "the next start will look through the database again");
        }
        Ok(()) | Err(_) => {}
    }
}

fn look(sqlite: &Sqlite) -> Checked {
    let quick = sqlite.connection().query_row("pragma quick_check(1)", [], |row| row.get::<_, String>(0));
    let found = match quick {
        Ok(found) if found != "ok" => Ok(Some(found)),
        Ok(_) => checks::misnumbered(sqlite.into()).map(|holes| holes.into_iter().next()),
        Err(error) => Err(error.into()),
    };
    match found {
        Ok(None) => {
            tracing::info!(
                "the server was not stopped once; the database was looked through since and is sound"
            );
            Checked::Sound
        }
        Err(SqlError::Sqlite(error))
            if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
        {
            Checked::UnderWay
        }
        Ok(Some(damage)) => damaged(damage),
        Err(error) => damaged(error.to_string()),
    }
}

fn damaged(damage: String) -> Checked {
    tracing::error!(damage, "the database is damaged; keep a copy of it, and restore a backup");
    Checked::Damaged(damage)
}
