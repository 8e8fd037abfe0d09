//! The server that has the faults: a real process on a data directory that outlives it.

use crate::usage::Memory;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(20);
/// How often to look, in a wait.
const LOOK: Duration = Duration::from_millis(3);
/// Below the ports that the kernel gives to clients. So no client takes the server's port by accident while the
/// server is down.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A server process, its data directory and its output.
#[derive(Debug)]
pub struct Victim {
    binary: PathBuf,
    folder: PathBuf,
    /// The address of its database, if that is not in its data directory.
    database: Option<String>,
    address: SocketAddr,
    child: Option<Child>,
    began: Instant,
    /// The most resident memory seen, in bytes.
    pub peak: u64,
}

/// Environment variables of one life of the server: they tell an armed build what to break.
pub type Variables = Vec<(&'static str, String)>;

impl Victim {
    /// A server that will keep everything in `folder`, or in `database`, and always listen on the same port.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new(binary: &Path, folder: &Path, database: Option<String>) -> Result<Self> {
        let port = free_port()?;
        Ok(Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            database,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            child: None,
            began: Instant::now(),
            peak: 0,
        })
    }

    /// The address at which it listens in every life.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The program.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The folder with its data directory and its output.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Everything that it has printed, in all its lives.
    pub fn output(&self) -> String {
        std::fs::read(self.folder.join("server.log"))
            .map(|output| String::from_utf8_lossy(&output).into_owned())
            .unwrap_or_default()
    }

    /// Begins a life without waiting until it listens.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(&mut self, variables: &Variables) -> Result<()> {
        self.end();
        let mut command = self.program(variables)?;
        command.args(["--listen", &self.address.to_string(), "--heartbeat-s", "1", "--log", "info"]);
        self.child = Some(self.launch(command)?);
        self.began = Instant::now();
        Ok(())
    }

    /// Lets a new process take over from the one that lives. Returns whether the old one ended by itself, and well,
    /// within `time` after the new one served.
    ///
    /// # Errors
    /// When the new process does not come to serve.
    pub async fn give_way(&mut self, variables: &Variables, time: Duration) -> Result<bool> {
        let banner = self.folder.join("banner");
        let mut command = self.program(variables)?;
        command.args(["serve", "--take-over", "--listen", &self.address.to_string()]);
        command.args(["--heartbeat-s", "1", "--log", "info"]).stdout(File::create(&banner)?);
        let next = self.launch(command)?;
        let old = self.child.replace(next);
        self.began = Instant::now();
        // The new process prints nothing before it serves.
        while std::fs::metadata(&banner)?.len() == 0 {
            if !self.lives() || self.began.elapsed() > START {
                bail!("the new process did not take over; the end of its output:\n{}", tail(&self.output()));
            }
            sleep(LOOK).await;
        }
        self.open_output()?.write_all(&std::fs::read(&banner)?)?;
        let Some(mut old) = old else { return Ok(true) };
        let ended = ends(&mut old, time).await;
        // It may be gone already.
        let _ = old.kill();
        let _ = old.wait();
        Ok(ended.is_some_and(|status| status.success()))
    }

    /// Runs a command of the program for operators to its end.
    ///
    /// # Errors
    /// When it cannot be run, or does not end well.
    pub async fn command(&mut self, arguments: &[&str], variables: &Variables) -> Result<()> {
        let mut command = self.program(variables)?;
        command.args(arguments);
        let mut child = self.launch(command)?;
        if ends(&mut child, START).await.is_some_and(|status| status.success()) {
            return Ok(());
        }
        let _ = child.kill();
        let _ = child.wait();
        bail!("{} failed; the end of the output:\n{}", arguments.join(" "), tail(&self.output()))
    }

    fn program(&self, variables: &Variables) -> Result<Command> {
        let output = self.open_output()?;
        let mut command = Command::new(&self.binary);
        command.arg("--data").arg(self.data());
        if let Some(database) = &self.database {
            command.env("ROOMFUL_DATABASE", database);
        }
        command.envs(variables.iter().map(|(name, value)| (*name, value)));
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(command)
    }

    fn launch(&self, mut command: Command) -> Result<Child> {
        command.spawn().with_context(|| format!("{} cannot be started", self.binary.display()))
    }

    /// Begins a life and waits until it listens.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub async fn start(&mut self, variables: &Variables) -> Result<()> {
        self.spawn(variables)?;
        if !self.listens().await? {
            bail!("the server ended before it listened; the end of its output:\n{}", tail(&self.output()));
        }
        Ok(())
    }

    /// Waits until it listens; false when it ended before.
    ///
    /// # Errors
    /// When it neither listens nor ends in time.
    pub async fn listens(&mut self) -> Result<bool> {
        while self.began.elapsed() < START {
            if !self.lives() {
                return Ok(false);
            }
            if tokio::net::TcpStream::connect(self.address).await.is_ok() {
                return Ok(true);
            }
            sleep(LOOK).await;
        }
        bail!("the server neither listened nor ended; the end of its output:\n{}", tail(&self.output()))
    }

    /// Ends the life at once, as a crash does.
    pub fn kill(&mut self) {
        self.look();
        self.end();
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops its threads where they are.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets its threads go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Lets the living process open so many files and no more; None: as many as before.
    pub fn limit_files(&self, files: u64) {
        if let Some(pid) = self.pid() {
            // A process that has just gone has no limits.
            let _ =
                prlimit(Some(pid), Resource::Nofile, Rlimit { current: Some(files), maximum: Some(20_000) });
        }
    }

    /// Open files of the living process.
    pub fn files(&self) -> u64 {
        self.child.as_ref().map_or(0, |child| {
            std::fs::read_dir(format!("/proc/{}/fd", child.id())).map_or(0, |files| files.count() as u64)
        })
    }

    /// Waits until the life is over by itself; false when it is not in time.
    pub async fn ends_within(&mut self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if !self.lives() {
                return true;
            }
            self.look();
            sleep(LOOK).await;
        }
        false
    }

    /// Whether there is a process now.
    pub fn lives(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Notes how much memory it has now.
    pub fn look(&mut self) {
        if let Some(child) = &self.child {
            self.peak = self.peak.max(Memory::resident(child.id()));
        }
    }

    fn open_output(&self) -> Result<File> {
        let path = self.folder.join("server.log");
        OpenOptions::new().append(true).create(true).open(&path).with_context(|| path.display().to_string())
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // A process that has just gone needs none.
            let _ = kill_process(pid, signal);
        }
    }

    fn pid(&self) -> Option<Pid> {
        self.child.as_ref().and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?))
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.end();
    }
}

/// How a process ended, if it does in time.
async fn ends(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        sleep(LOOK).await;
    }
    None
}

fn free_port() -> Result<u16> {
    // Programs that run side by side begin at different places.
    let first = (std::process::id() as u16).wrapping_mul(97);
    for _ in 0..PORTS.len() {
        let step = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + first.wrapping_add(step) % (PORTS.end - PORTS.start);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between {} and {} is free", PORTS.start, PORTS.end)
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
