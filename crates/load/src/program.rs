//! The server that is measured: started on an empty directory and a private port, or running already.

use crate::processor::Pins;
use crate::usage::{Memory, Usage};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What kind of server is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Roomful, or another server that speaks one of its protocols.
    Roomful,
    /// The lower bound: [`crate::lower_bound`].
    LowerBound,
    /// The textbook server: [`crate::textbook`].
    Textbook,
}

impl Kind {
    /// What it is called in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Roomful => "roomful",
            Self::LowerBound => "lower bound",
            Self::Textbook => "textbook",
        }
    }
}

/// A server.
#[derive(Debug)]
pub struct Program {
    /// What it is.
    pub kind: Kind,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process, if it is on this machine and known.
    pub pid: Option<u32>,
    child: Option<Child>,
    _directory: Option<TempDir>,
}

impl Program {
    /// A server that runs already.
    ///
    /// # Errors
    /// When `url` is not `http://host:port` or the host has no address.
    pub fn running(url: &str, pid: Option<u32>) -> Result<Self> {
        let authority = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
        let address = authority
            .to_socket_addrs()
            .with_context(|| format!("{url} is not the address of a server, such as http://127.0.0.1:3000"))?
            .next()
            .with_context(|| format!("{authority} has no address"))?;
        Ok(Self { kind: Kind::Roomful, address, pid, child: None, _directory: None })
    }

    /// Starts a server and waits until it says where it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(kind: Kind, binary: &Path, pins: Option<Pins>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut command = Command::new(binary);
        match kind {
            Kind::Roomful => {
                command.arg("--data").arg(directory.path().join("data"));
                command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
            }
            Kind::LowerBound => drop(command.arg("lower-bound")),
            Kind::Textbook => drop(command.arg("textbook")),
        }
        command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut spawn = || command.spawn().with_context(|| format!("{} cannot be started", binary.display()));
        let child = match pins {
            Some(pins) => pins.start_apart(spawn)?,
            None => spawn()?,
        };
        let pid = child.id();
        let mut program = Self {
            kind,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            pid: Some(pid),
            child: Some(child),
            _directory: Some(directory),
        };
        program.address = program.read_address()?;
        Ok(program)
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        self.pid.map(Usage::of).unwrap_or_default()
    }

    /// The memory it holds.
    pub fn memory(&self) -> Memory {
        self.pid.map(Memory::of).unwrap_or_default()
    }

    fn read_address(&mut self) -> Result<SocketAddr> {
        let Some(out) = self.child.as_mut().and_then(|child| child.stdout.take()) else {
            bail!("the server says nothing");
        };
        let mut lines = BufReader::new(out);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.split_once("http://")
                && let Ok(address) = address.trim().parse()
            {
                // Read to its end, or the server would one day wait for a reader.
                std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
                return Ok(address);
            }
            line.clear();
        }
        bail!("the server ended before it listened")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Already gone is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The binary `roomful`: the one that is named, or the one beside this program.
///
/// # Errors
/// When there is none.
pub fn find_binary(named: Option<&Path>) -> Result<PathBuf> {
    let beside = std::env::current_exe()?.with_file_name("roomful");
    let binary = named.map_or(beside, Path::to_owned);
    if !binary.is_file() {
        bail!(
            "there is no {}; build it with `cargo build --release`, or name one with --binary",
            binary.display()
        );
    }
    Ok(binary.canonicalize()?)
}
