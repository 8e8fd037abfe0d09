//! The database under the writer: what a transaction is there, and the way back after a failure.

use super::condition::Condition;
use super::opening::OpenError;
use super::run::Rest;
use super::wal::Wal;
use super::{identity, session};
use crate::sql::{Postgres, Sql, SqlError, SqlResult, Sqlite, params};
use crate::stream::Committed;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// The connection that writes.
pub(super) enum Engine {
    /// A file, and its write-ahead log.
    Sqlite(Box<(Sqlite, Wal)>),
    /// A session with a server.
    Postgres(Box<Remote>),
}

/// A database that is reached by sessions.
pub(super) struct Remote {
    address: String,
    /// None while the server is away.
    session: Option<Postgres>,
    /// Which database it is, and which server has served it last.
    identity: Option<String>,
}

/// What is found where a database did not answer, or was full.
pub(super) enum Recovered {
    /// The database, as it was.
    AsItWas,
    /// Another database in its place. What this process knows is not of that one.
    Another,
}

impl Engine {
    /// Opens the file at `path`, whose tables are up to date, and starts the thread that keeps its log short.
    pub(super) fn file(
        path: &Path,
        mut connection: Sqlite,
        stopping: Arc<AtomicBool>,
        condition: watch::Sender<Condition>,
    ) -> Result<(Self, Vec<JoinHandle<()>>), OpenError> {
        let (wal, thread) = Wal::watch(path, &mut connection, stopping, condition)?;
        Ok((Self::Sqlite(Box::new((connection, wal))), vec![thread]))
    }

    /// Begins the one session that writes to the database at `address`, and brings its tables up to date.
    pub(super) fn session(address: &str) -> Result<Self, OpenError> {
        let session = session::begin(address)?;
        identity::claim((&session).into())?;
        Self::remote(address, session)
    }

    /// Begins a session that writes to the database at `address` beside the server that runs on it.
    pub(super) fn beside(address: &str) -> Result<Self, OpenError> {
        Self::remote(address, session::beside(address)?)
    }

    fn remote(address: &str, session: Postgres) -> Result<Self, OpenError> {
        let identity = identity::of((&session).into())?;
        let remote = Remote { address: address.to_owned(), session: Some(session), identity };
        Ok(Self::Postgres(Box::new(remote)))
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> SqlResult<Sql<'_>> {
        match self {
            Self::Sqlite(parts) => {
                let sql = Sql::from(&parts.0);
                sql.run("begin immediate", params![])?;
                Ok(sql)
            }
            Self::Postgres(remote) => {
                let session = remote.session()?;
                session.begin_lazily("begin isolation level read committed");
                Ok(session.into())
            }
        }
    }

    /// Writes the rest, and ends the transaction.
    pub(super) fn commit(&self, rest: Rest) -> SqlResult<()> {
        match self {
            Self::Sqlite(parts) => Sql::from(&parts.0).run("commit", params![]).map(drop),
            Self::Postgres(remote) => rest.commit(remote.session()?),
        }
    }

    /// Ends a transaction that failed, if it has not ended by itself.
    pub(super) fn rollback(&mut self) {
        match self {
            Self::Sqlite(parts) => {
                if !parts.0.connection().is_autocommit()
                    && let Err(error) = Sql::from(&parts.0).run("rollback", params![])
                {
                    tracing::warn!(%error, "a failed transaction could not be rolled back");
                }
            }
            Self::Postgres(remote) => {
                // A session whose transaction cannot be ended goes, and its transaction with it.
                if remote.session.as_ref().is_some_and(|session| session.rollback().is_err()) {
                    remote.session = None;
                }
            }
        }
    }

    /// Gives up a connection that is of no use any more.
    pub(super) fn give_up(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(remote) => remote.session = None,
        }
    }

    /// Does what is due between two batches.
    pub(super) fn tend(&mut self) {
        match self {
            Self::Sqlite(parts) => parts.1.tend(parts.0.connection()),
            Self::Postgres(_) => {}
        }
    }

    /// Tries whether the database takes something again, and whether it is still the same.
    pub(super) fn recover(&mut self) -> SqlResult<Recovered> {
        match self {
            Self::Sqlite(parts) => {
                // A WAL whose pages all replace pages of the database leaves space for the probe once it is checkpointed.
                parts.1.checkpoint_beside();
                probe((&parts.0).into(), "hex(zeroblob(131072))").map(|()| Recovered::AsItWas)
            }
            Self::Postgres(remote) => remote.recover(),
        }
    }

    /// Whether what a transaction was to tell is in the database.
    pub(super) fn has(&self, told: &[Committed]) -> SqlResult<bool> {
        let event = told.iter().find_map(|told| match told {
            Committed::Event { room, event } => Some((room, event.seq)),
            Committed::Joined { .. }
            | Committed::Left { .. }
            | Committed::Personal { .. }
            | Committed::SessionEnded { .. } => None,
        });
        // A transaction without an event only ends sessions: to tell so needlessly costs a client one sign-in check.
        let Some((room, seq)) = event else { return Ok(true) };
        let sql = match self {
            Self::Sqlite(parts) => (&parts.0).into(),
            Self::Postgres(remote) => Sql::from(remote.session()?),
        };
        sql.exists("select 1 from events where room = ?1 and seq = ?2", params![room, seq])
    }

    /// Ends the connection. Closing a database checkpoints its WAL. Of a broken disk nobody knows how much of
    /// the WAL it still has, so a broken database is left as it is.
    pub(super) fn end(self, is_broken: bool) {
        match self {
            Self::Sqlite(parts) if is_broken => std::mem::forget(parts),
            Self::Sqlite(parts) => parts.1.end(parts.0.connection()),
            Self::Postgres(remote) => remote.session.into_iter().for_each(Postgres::close),
        }
    }
}

impl Remote {
    fn session(&self) -> SqlResult<&Postgres> {
        self.session.as_ref().ok_or_else(|| SqlError::Lost("the server is away".to_owned()))
    }

    fn recover(&mut self) -> SqlResult<Recovered> {
        let session = match self.session.take().filter(Postgres::is_alive) {
            Some(session) => session,
            None => session::resume(&self.address)?,
        };
        // An older copy in its place, or a standby that took over, may lack what people were told. Another server that
        // wrote meanwhile has told its own people of it, and none of ours.
        if identity::of((&session).into())? != self.identity {
            return Ok(Recovered::Another);
        }
        let probed = probe((&session).into(), NOISE);
        if !probed.as_ref().is_err_and(SqlError::is_lost) {
            self.session = Some(session);
        }
        probed.map(|()| Recovered::AsItWas)
    }
}

/// As long as a large batch, and of a kind that PostgreSQL cannot make shorter.
const NOISE: &str =
    "(select string_agg(md5(cast(number as text)), '') from generate_series(1, 8192) as number)";

/// Writes something of the size of a large batch, which `filling` makes, and takes it away again.
fn probe(sql: Sql<'_>, filling: &str) -> SqlResult<()> {
    sql.run("delete from meta where name = 'space'", params![])?;
    sql.run(&format!("insert into meta (name, value) values ('space', {filling})"), params![])?;
    sql.run("delete from meta where name = 'space'", params![]).map(drop)
}
