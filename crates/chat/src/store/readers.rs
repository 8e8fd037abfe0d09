//! Connections that only read.

use super::opening::{self, Database};
use crate::error::{Error, Result};
use crate::sql::{Postgres, Sql, SqlResult, Sqlite, params};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many reads go on at once: enough to keep two cores busy, few enough to keep page caches small.
const AT_ONCE: u32 = 4;
/// How long reads under way may take when the database is closed.
const LAST: Duration = Duration::from_secs(2);

/// A handful of connections that only read, opened when first needed and lent to one read at a time.
pub(super) struct Readers {
    database: Database,
    /// None once it was closed.
    idle: Arc<Mutex<Option<Vec<Reader>>>>,
    permits: Arc<Semaphore>,
}

/// A connection that only reads.
enum Reader {
    Sqlite(Box<Sqlite>),
    Postgres(Box<Postgres>),
}

impl Readers {
    pub(super) fn open(database: &Database) -> SqlResult<Self> {
        let first = Reader::open(database)?;
        Ok(Self {
            database: database.clone(),
            idle: Arc::new(Mutex::new(Some(vec![first]))),
            permits: Arc::new(Semaphore::new(AT_ONCE as usize)),
        })
    }

    /// Runs `work` on a thread that may block, in one read transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Sql<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Stopping)?;
        let idle = Arc::clone(&self.idle);
        let database = self.database.clone();
        let read = tokio::task::spawn_blocking(move || {
            let lend = || idle.lock().unwrap_or_else(PoisonError::into_inner).as_mut().and_then(Vec::pop);
            // A session may have ended since it was lent the last time.
            let lent = std::iter::from_fn(lend).find(Reader::is_alive);
            let reader = match lent {
                Some(reader) => reader,
                None => Reader::open(&database)?,
            };
            let answer = reader.begin().map_err(Error::from).and_then(work);
            // One that cannot be ended is not lent again: it would read what was there now for ever.
            if reader.end().is_ok()
                && let Some(idle) = &mut *idle.lock().unwrap_or_else(PoisonError::into_inner)
            {
                idle.push(reader);
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
        let closed = tokio::task::spawn_blocking(move || idle.into_iter().flatten().for_each(Reader::close));
        if closed.await.is_err() {
            tracing::error!("the connections that read did not close");
        }
    }
}

impl Reader {
    fn open(database: &Database) -> SqlResult<Self> {
        Ok(match database {
            Database::File(path) => Self::Sqlite(Box::new(connect(path)?)),
            Database::Postgres(address) => Self::Postgres(Box::new(Postgres::connect(address)?)),
        })
    }

    fn is_alive(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(session) => session.is_alive(),
        }
    }

    /// Begins a read, all of one moment.
    fn begin(&self) -> SqlResult<Sql<'_>> {
        match self {
            Self::Sqlite(connection) => {
                let sql = Sql::from(&**connection);
                sql.run("begin", params![])?;
                Ok(sql)
            }
            Self::Postgres(session) => {
                session.begin_lazily("begin isolation level repeatable read read only");
                Ok((&**session).into())
            }
        }
    }

    fn end(&self) -> SqlResult<()> {
        match self {
            Self::Sqlite(connection) => Sql::from(&**connection).run("rollback", params![]).map(drop),
            Self::Postgres(session) => session.rollback(),
        }
    }

    fn close(self) {
        match self {
            Self::Sqlite(connection) => drop(connection),
            Self::Postgres(session) => session.close(),
        }
    }
}

pub(super) fn connect(path: &Path) -> SqlResult<Sqlite> {
    let connection = opening::connect(path)?;
    Sql::from(&connection).script("pragma query_only = on; pragma cache_size = -1024;")?;
    Ok(connection)
}
