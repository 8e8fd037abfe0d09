//! Connections that only read.

use crate::error::{Error, Result};
use rusqlite::{Connection, Transaction};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// How many reads go on at once: enough to keep two cores busy, few enough to keep page caches small.
const AT_ONCE: usize = 4;

/// A handful of read-only connections, opened when first needed and lent to one read at a time.
pub(super) struct Readers {
    path: PathBuf,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let first = connect(path)?;
        Ok(Self {
            path: path.to_owned(),
            idle: Arc::new(Mutex::new(vec![first])),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// Runs `work` on a thread that may block, in one read transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Stopping)?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let lent = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match lent {
                Some(connection) => connection,
                None => connect(&path)?,
            };
            let answer = (|| {
                let transaction = connection.transaction()?;
                work(&transaction)
            })();
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            drop(permit);
            answer
        });
        read.await.map_err(|_| Error::Stopping)?
    }
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = super::connect(path)?;
    connection.execute_batch("pragma query_only = on; pragma cache_size = -1024;")?;
    Ok(connection)
}
