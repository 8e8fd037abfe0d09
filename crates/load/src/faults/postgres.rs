//! The PostgreSQL under the rounds of one job: a private server, a database for each round, and what breaks either.

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use testbed::Server;

/// How long processes that were killed may take to be gone.
const GOING: Duration = Duration::from_secs(10);
/// How often to look.
const LOOK: Duration = Duration::from_millis(1);
/// How PostgreSQL is made to say that it found no session to end.
const NONE: &str = "no such session";

/// A PostgreSQL server that rounds use one after another. Clones are of the same one.
#[derive(Clone)]
pub struct Postgres {
    server: Arc<Mutex<Server>>,
    databases: Arc<AtomicU32>,
}

/// The database of a round.
#[derive(Debug)]
pub struct Database {
    postgres: Postgres,
    name: String,
    /// The address by which the server that is tried finds it.
    pub address: String,
}

/// The sessions that are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Every one, wherever it is.
    All,
    /// The next one that is seen to commit.
    Committing,
}

impl Postgres {
    /// Starts a server. It ends with the last clone.
    ///
    /// # Errors
    /// When there is no PostgreSQL here, or it does not start.
    pub fn start() -> Result<Self> {
        let server = Server::temporary().context("a PostgreSQL server for the rounds")?;
        Ok(Self { server: Arc::new(Mutex::new(server)), databases: Arc::default() })
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn database(&self) -> Result<Database> {
        let name = format!("round_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let address = self.lock().database(&name).context("a database for a round")?;
        Ok(Database { postgres: self.clone(), name, address })
    }

    fn lock(&self) -> MutexGuard<'_, Server> {
        // A server that failed to start is none, and says so at the next call.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("databases", &self.databases).finish_non_exhaustive()
    }
}

/// What blocks a thread; people go on talking meanwhile.
impl Database {
    /// `kill -9` of all of PostgreSQL at once: its processes have no time to write anything.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self) -> Result<()> {
        self.apart(|server, _| {
            let Some(first) = server.process().and_then(pid) else { bail!("PostgreSQL does not run") };
            // While the first one is stopped, none of the others is replaced, and no process id is used again.
            kill_process(first, Signal::STOP).context("stopping PostgreSQL")?;
            let others = children(first);
            for other in &others {
                // One that has just ended needs no signal.
                let _ = kill_process(*other, Signal::KILL);
            }
            server.kill()?;
            // The next server refuses to start beside one of them.
            let until = Instant::now() + GOING;
            while others.iter().any(|other| lives(*other)) {
                if Instant::now() > until {
                    bail!("a process of PostgreSQL outlives kill -9");
                }
                std::thread::sleep(LOOK);
            }
            Ok(())
        })
        .await
    }

    /// Starts PostgreSQL again, which repairs what a crash left, and waits until it can be used.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&self) -> Result<()> {
        self.apart(|server, _| server.restart().context("PostgreSQL after a crash")).await
    }

    /// `kill -9` of one of the processes that serve the round, whichever `rng` picks. PostgreSQL then ends all sessions and
    /// repairs itself. Returns whether there was one.
    ///
    /// # Errors
    /// When PostgreSQL does not run.
    pub async fn kill_one(&self, rng: &mut Rng) -> Result<bool> {
        let mut rng = rng.fork();
        self.apart(move |server, name| {
            let Some(first) = server.process().and_then(pid) else { bail!("PostgreSQL does not run") };
            // PostgreSQL's own workers are in the database, too, but come over no socket.
            let place = format!(" {name} [local]");
            let of_round = |process: &Pid| title(*process).contains(&place);
            let serving: Vec<Pid> = children(first).into_iter().filter(of_round).collect();
            let Some(one) = rng.choice(serving) else { return Ok(false) };
            Ok(kill_process(one, Signal::KILL).is_ok())
        })
        .await
    }

    /// Lets PostgreSQL end sessions of the round, as an administrator or a router in between would. Returns whether there
    /// was one to end.
    ///
    /// # Errors
    /// When PostgreSQL does not run.
    pub async fn end_sessions(&self, which: Sessions) -> Result<bool> {
        self.apart(move |server, name| {
            let (looks, only) = match which {
                Sessions::All => (1, ""),
                // So many looks are a moment.
                Sessions::Committing => (1_000, "and state = 'active' and query like '%commit%'"),
            };
            let ended = server.run(&format!(
                "do $$ declare seen boolean; begin for look in 1..{looks} loop perform pg_stat_clear_snapshot();
                 perform pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'
                 and backend_type = 'client backend' {only};
                 seen := found; exit when seen; end loop; if not seen then raise exception '{NONE}'; end if; end $$"
            ));
            match ended {
                Err(error) if error.to_string().contains(NONE) => Ok(false),
                ended => ended.map(|()| true).context("ending sessions"),
            }
        })
        .await
    }

    /// Removes the database of a round that is over.
    ///
    /// # Errors
    /// When PostgreSQL refuses.
    pub async fn remove(self) -> Result<()> {
        self.apart(|server, name| {
            server.run(&format!("drop database {name} with (force)")).context("removing a database")
        })
        .await
    }

    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Server, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (postgres, name) = (self.postgres.clone(), self.name.clone());
        tokio::task::spawn_blocking(move || work(&mut postgres.lock(), &name)).await?
    }
}

fn pid(process: u32) -> Option<Pid> {
    i32::try_from(process).ok().and_then(Pid::from_raw)
}

/// The processes that a process has started.
fn children(parent: Pid) -> Vec<Pid> {
    let number = parent.as_raw_nonzero();
    let listed = std::fs::read_to_string(format!("/proc/{number}/task/{number}/children"));
    listed.unwrap_or_default().split(' ').filter_map(|process| pid(process.parse().ok()?)).collect()
}

/// What a process says of itself: for one that serves a session, the names of the role and the database stand in it.
fn title(process: Pid) -> String {
    let title = std::fs::read(format!("/proc/{}/cmdline", process.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&title).into_owned()
}

/// Whether a process can still hold anything: one that only waits for its parent to notice its end does not.
fn lives(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_postgres_that_was_killed_leaves_no_process_and_starts_again() {
        let postgres = tokio::task::spawn_blocking(Postgres::start).await.expect("whole").expect("a server");
        let database = postgres.database().expect("a database");
        let first = pid(postgres.lock().process().expect("a process")).expect("a number");
        let all = children(first);
        assert!(all.len() > 2, "{all:?}");
        database.kill().await.expect("a kill");
        assert!(!all.into_iter().chain([first]).any(lives));
        assert!(postgres.database().is_err(), "it runs");
        database.restart().await.expect("a start");
        assert!(!database.end_sessions(Sessions::All).await.expect("an answer"), "nobody is served");
        assert!(!database.kill_one(&mut Rng::with_seed(1)).await.expect("an answer"), "nobody is served");
        database.remove().await.expect("an answer");
    }
}
