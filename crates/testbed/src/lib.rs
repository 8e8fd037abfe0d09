//! What tests need beside Roomful: a PostgreSQL server of their own, which nobody else uses and which ends with them.
//!
//! [`database`] gives a test an empty database on a server that the whole process shares. [`Server`] is one that can be
//! killed and started again.
//!
//! Must not know: any other crate of ours, and what is kept in the databases.

mod cluster;
mod guard;
mod session;

use session::Session;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use cluster::{Programs, Runner};
use guard::Guard;

/// The address of a new and empty database, on a server that starts with the first call and ends with this process.
///
/// # Panics
/// When there is no PostgreSQL here, or it does not start; the message says why.
pub fn database() -> String {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED
        .get_or_init(|| Shared::start().expect("a PostgreSQL server for this process"))
        .database()
        .expect("a database")
}

/// A PostgreSQL server with its data in one folder: it listens on a Unix socket, and on a port when asked to, and trusts
/// whoever connects. Commits are on the disk when they are answered, as everywhere.
///
/// It is stopped when this is dropped, and also when this process ends in any other way.
pub struct Server {
    programs: Programs,
    runner: Runner,
    folder: PathBuf,
    port: Option<u16>,
    guard: Option<Guard>,
    /// The folder of a server whose data nobody wants to keep. It is removed even if nothing of this process runs at its
    /// end.
    temporary: Option<TempDir>,
}

impl Server {
    /// Starts a server whose data is in `folder`, which is made when it is not there. As root, the server is run by
    /// another user, and that user must be able to reach the folder.
    ///
    /// # Errors
    /// When there is no PostgreSQL here, or it does not start; the error has its last words.
    pub fn start(folder: &Path) -> io::Result<Self> {
        Self::start_in(folder.to_owned(), None)
    }

    fn start_in(folder: PathBuf, temporary: Option<TempDir>) -> io::Result<Self> {
        let (programs, runner) = (Programs::find()?, Runner::find()?);
        fs::create_dir_all(&folder)?;
        runner.give(&folder)?;
        let mut server = Self { programs, runner, folder, port: None, guard: None, temporary };
        if server.socket().as_os_str().len() > LONGEST {
            let what = format!("{} is too long a path for a Unix socket", server.folder.display());
            return Err(io::Error::other(what));
        }
        if !server.data().join("PG_VERSION").exists() {
            server.programs.make(&server.runner, &server.data())?;
        }
        server.restart()?;
        Ok(server)
    }

    /// Starts a server whose data goes with it.
    ///
    /// # Errors
    /// When there is no PostgreSQL here, or it does not start; the error has its last words.
    pub fn temporary() -> io::Result<Self> {
        // The usual folder for such things may have too long a name for a socket in it.
        let folder = tempfile::Builder::new().prefix("pg-").tempdir_in("/tmp")?;
        Self::start_in(folder.path().to_owned(), Some(folder))
    }

    /// The address of the server's own first database.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of a new and empty database.
    ///
    /// # Errors
    /// When the server is not running.
    pub fn database(&self, name: &str) -> io::Result<String> {
        self.run(&format!("create database {name}"))?;
        Ok(self.url_of(name))
    }

    /// Runs a statement whose answer nobody wants, in the server's own first database.
    ///
    /// # Errors
    /// When the server is not running, or refuses.
    pub fn run(&self, statement: &str) -> io::Result<()> {
        Session::begin(&self.socket())?.run(statement)
    }

    /// The process id of the server, while it runs.
    pub fn process(&self) -> Option<u32> {
        self.guard.as_ref().map(Guard::process)
    }

    /// Kills the server as a crash would: with no time to write anything.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> io::Result<()> {
        self.end("KILL")
    }

    /// Stops the server in order, without waiting for those who use it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&mut self) -> io::Result<()> {
        self.end("INT")
    }

    /// Starts the server again, on a free port of the loopback as well, and says which.
    ///
    /// # Errors
    /// When it does not start; the error has its last words.
    pub fn listen(&mut self) -> io::Result<u16> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        if self.guard.is_some() {
            self.stop()?;
        }
        self.port = Some(port);
        self.restart()?;
        Ok(port)
    }

    /// Writes a file beside the server's own, which the server alone may read, and says where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, name: &str, content: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(content.as_bytes())?;
        self.runner.give(&path)?;
        Ok(path)
    }

    /// Starts the server again, after [`Server::kill`] or [`Server::stop`], and waits until it can be used.
    ///
    /// # Errors
    /// When it does not start; the error has its last words.
    pub fn restart(&mut self) -> io::Result<()> {
        if self.guard.is_some() {
            self.stop()?;
        }
        let until = Instant::now() + ENDING;
        loop {
            let server = self.programs.serve(&self.runner, &self.data(), &self.folder, self.port);
            match Guard::start(server, self.temporary.as_ref().map(TempDir::path)) {
                // The sessions of a killed server end by themselves, when they notice.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < until => {}
                started => {
                    self.guard = Some(started?);
                    return Ok(());
                }
            }
        }
    }

    fn end(&mut self, signal: &str) -> io::Result<()> {
        let guard = self.guard.take().ok_or_else(|| io::Error::other("the server does not run"))?;
        guard.end(signal)
    }

    fn url_of(&self, database: &str) -> String {
        let folder = self.folder.to_string_lossy().replace('%', "%25").replace('/', "%2F");
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("postgres://{}@{folder}{port}/{database}", cluster::ROLE)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.port.unwrap_or(cluster::PORT)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(guard) = self.guard.take() {
            // Whoever minds how it ends calls `stop`.
            let _ = guard.end("QUIT");
        }
    }
}

/// How long the sessions of a killed server may take to end.
const ENDING: Duration = Duration::from_secs(30);

/// The longest path that a Unix socket can have.
const LONGEST: usize = 107;

/// The server that all tests of this process share. It is never dropped: its guard sees to its end.
struct Shared {
    server: Server,
    session: Mutex<(Session, u32)>,
}

impl Shared {
    fn start() -> io::Result<Self> {
        let server = Server::temporary()?;
        let session = Session::begin(&server.socket())?;
        Ok(Self { server, session: Mutex::new((session, 0)) })
    }

    fn database(&self) -> io::Result<String> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.1 += 1;
        let name = format!("test_{}", session.1);
        session.0.run(&format!("create database {name}"))?;
        Ok(self.server.url_of(&name))
    }
}
