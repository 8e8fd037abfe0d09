//! Looking through a database that was not closed.

use super::readers;
use rusqlite::{Connection, InterruptHandle};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::watch;

/// What is known of the database as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It was closed as it should be the last time, so nobody looks.
    Unneeded,
    /// Somebody is looking.
    UnderWay,
    /// Nothing is wrong with it.
    Sound,
    /// Something is; what.
    Damaged(String),
}

/// Each room's log must hold its events 1, 2, 3 … up to its head. The first room where it does not, and how.
const CONTIGUITY: &str = "select format('room %d has %d events up to seq %d, and its head is %d', r.key,
        count(e.seq), coalesce(max(e.seq), 0), r.head)
    from rooms r left join events e on e.room = r.key group by r.key
    having count(e.seq) <> r.head or coalesce(max(e.seq), 0) <> r.head or coalesce(min(e.seq), 1) <> 1 limit 1";

/// A thread that looks, beside everything else.
pub(super) struct Checkup {
    checked: watch::Sender<Checked>,
    looking: Option<(InterruptHandle, Mutex<Option<JoinHandle<()>>>)>,
}

impl Checkup {
    pub(super) fn unneeded() -> Self {
        Self { checked: watch::Sender::new(Checked::Unneeded), looking: None }
    }

    pub(super) fn start(path: &Path) -> Result<Self, super::OpenError> {
        let connection = readers::connect(path)?;
        let checked = watch::Sender::new(Checked::UnderWay);
        let interrupt = connection.get_interrupt_handle();
        let tell = checked.clone();
        let thread = std::thread::Builder::new().name("checkup".into()).spawn(move || {
            tell.send_replace(look(&connection));
        })?;
        Ok(Self { checked, looking: Some((interrupt, Mutex::new(Some(thread)))) })
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

fn look(connection: &Connection) -> Checked {
    let text = |statement| connection.query_row(statement, [], |row| row.get::<_, String>(0));
    let found =
        text("pragma quick_check(1)").map(|found| (found != "ok").then_some(found)).and_then(|damage| {
            if damage.is_some() {
                Ok(damage)
            } else {
                rusqlite::OptionalExtension::optional(text(CONTIGUITY))
            }
        });
    match found {
        Ok(None) => {
            tracing::info!(
                "the server was not stopped the last time; the database was looked through and is sound"
            );
            Checked::Sound
        }
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
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
