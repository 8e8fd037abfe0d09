//! Connections that only read.

use crate::error::{Error, Result};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many reads go on at once: enough to keep two cores busy, few enough to keep page caches small.
const AT_ONCE: u32 = 4;
/// How long reads under way may take when the database is closed.
const LAST: Duration = Duration::from_secs(2);

/// A handful of read-only connections, opened when first needed and lent to one read at a time.
pub(super) struct Readers {
    path: PathBuf,
    /// None once it was closed.
    idle: Arc<Mutex<Option<Vec<Connection>>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let first = connect(path)?;
        Ok(Self {
            path: path.to_owned(),
            idle: Arc::new(Mutex::new(Some(vec![first]))),
            permits: Arc::new(Semaphore::new(AT_ONCE as usize)),
        })
    }

    /// Runs `work` on a thread that may block, in one read transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Stopping)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let lent = idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(Vec::pop);
            let connection = match lent {
                Some(connection) => connection,
                None => connect(&path)?,
            };
            run(&connection, "begin")?;
            let answer = work(&connection);
            // One that cannot be ended is not lent again: it would read what was there now for ever.
            if run(&connection, "rollback").is_ok()
                && let Some(idle) = &mut *idle.lock().unwrap_or_else(PoisonError::into_inner)
            {
                idle.push(connection);
            }
            drop(permit);
            answer
        });
        read.await.map_err(|_| Error::Stopping)?
    }

    /// Waits for the reads under way, and closes the connections.
    pub(super) async fn close(&self) {
        if timeout(LAST, self.permits.acquire_many(AT_ONCE)).await.is_err() {
            tracing::warn!("somebody still reads while the database is closed");
        }
        self.permits.close();
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last connection to go may fold the log.
        let closed = tokio::task::spawn_blocking(move || drop(idle));
        if closed.await.is_err() {
            tracing::error!("the connections that read did not close");
        }
    }
}

/// Runs one of the two ends of a read, prepared once for all reads.
fn run(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = super::connect(path)?;
    connection.execute_batch("pragma query_only = on; pragma cache_size = -1024;")?;
    Ok(connection)
}
