//! The server that is measured: started on an empty directory and a private port, or running already.

use crate::arguments::Target;
use crate::usage::{Memory, Usage};
use crate::way::Way;
use anyhow::{Context, Result, bail};
use client::Address;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
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
    /// The kind's name in reports.
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
    /// Its kind.
    pub kind: Kind,
    /// The way to it.
    pub way: Way,
    /// Its process, if it is on this machine and known.
    pub pid: Option<u32>,
    /// The server that was started here, and its folder.
    _running: Option<(Running, TempDir)>,
}

impl Program {
    /// A server that runs already.
    ///
    /// # Errors
    /// When `url` is not `http://host:port` or `https://host:port`, the host has no address, or the system trusts no
    /// certificate.
    pub fn running(url: &str, target: &Target) -> Result<Self> {
        let mut address = Address::from(url);
        if let Some(file) = &target.trust {
            address = address.trusting(file)?;
        }
        let mut way = Way::to(address)?;
        way.deflate = target.deflate;
        Ok(Self { kind: Kind::Roomful, way, pid: target.pid, _running: None })
    }

    /// Starts a server and waits until it says where it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(kind: Kind, binary: &Path, target: &Target) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        // Only Roomful knows these settings. The others stay the yardsticks that they are.
        let is_ours = kind == Kind::Roomful;
        let certificate = (target.tls && is_ours).then(|| certificate_in(directory.path())).transpose()?;
        let mut command = Command::new(binary);
        match kind {
            Kind::Roomful => {
                command.arg("--data").arg(directory.path().join("data"));
                command.args(["--listen", "127.0.0.1:0", "--log", "error"]);
                if let Some((certificate, key)) = &certificate {
                    command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
                }
            }
            Kind::LowerBound => drop(command.arg("lower-bound")),
            Kind::Textbook => drop(command.arg("textbook")),
        }
        command.current_dir(directory.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut spawn = || command.spawn().with_context(|| format!("{} cannot be started", binary.display()));
        let mut child = Running(match target.pins() {
            Some(pins) => pins.start_apart(spawn)?,
            None => spawn()?,
        });
        let mut address = child.read_address()?;
        if let Some((certificate, _)) = &certificate {
            address = address.trusting(certificate)?;
        }
        let mut way = Way::to(address)?;
        way.deflate = target.deflate && is_ours;
        Ok(Self { kind, way, pid: Some(child.0.id()), _running: Some((child, directory)) })
    }

    /// The server's name in reports.
    pub fn name(&self) -> &'static str {
        match (self.kind, self.way.is_encrypted(), self.way.deflate) {
            (Kind::Roomful, true, true) => "roomful over TLS, deflated",
            (Kind::Roomful, true, false) => "roomful over TLS",
            (Kind::Roomful, false, true) => "roomful, deflated",
            (kind, ..) => kind.name(),
        }
    }

    /// The same server, for a second load beside the first. The server ends with this value and not with the returned
    /// one.
    pub fn beside(&self) -> Self {
        Self { kind: self.kind, way: self.way.clone(), pid: self.pid, _running: None }
    }

    /// Its use of processors so far.
    pub fn usage(&self) -> Usage {
        self.pid.map(Usage::of).unwrap_or_default()
    }

    /// The memory it holds.
    pub fn memory(&self) -> Memory {
        self.pid.map(Memory::of).unwrap_or_default()
    }
}

/// A server that was started here, and ends with it.
#[derive(Debug)]
struct Running(Child);

impl Running {
    fn read_address(&mut self) -> Result<Address> {
        let Some(out) = self.0.stdout.take() else {
            bail!("the server says nothing");
        };
        let mut lines = BufReader::new(out);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let url = line.find("http").map(|at| line[at..].trim());
            if let Some(url) = url
                && let Some((_, authority)) = url.split_once("://")
                && authority.parse::<SocketAddr>().is_ok()
            {
                let address = Address::from(url);
                // The output is read to its end, or the server would one day wait for a reader.
                std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
                return Ok(address);
            }
            line.clear();
        }
        bail!("the server ended before it listened")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A new certificate and its key, in files.
fn certificate_in(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(&certificate, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    Ok((certificate, key))
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
