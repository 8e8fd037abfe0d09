//! The real binary, started and looked at from outside.

use protocol::RoomId;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running server on a directory of its own.
pub struct Program {
    child: Child,
    pub address: String,
    pub setup: String,
    pub directory: TempDir,
}

impl Program {
    /// Starts on an empty directory and waits for the setup link, the last thing the banner says.
    pub fn start() -> Self {
        Self::start_on(None)
    }

    /// The same, on the empty PostgreSQL database at an address if there is one.
    pub fn start_on(database: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command(directory.path());
        command.args(database.iter().flat_map(|database| ["--database", database]));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let link = lines.find_map(|line| line.unwrap().split("/setup#token=").nth(1).map(str::to_owned));
        let address = address(directory.path());
        Self { child, address, setup: link.unwrap(), directory }
    }

    pub fn database(&self) -> PathBuf {
        self.directory.path().join("data").join("roomful.db")
    }

    /// Resident memory in KiB: all of it, and what is not backed by a file.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let figure = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (figure("VmRSS:"), figure("RssAnon:"))
    }

    /// Seconds of processor used so far, by the program and by the kernel for it.
    pub fn cpu(&self) -> (f64, f64) {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // Clock ticks of 10 ms, as everywhere on Linux.
        let seconds = |index: usize| fields[index].parse::<f64>().unwrap() / 100.0;
        (seconds(11), seconds(12))
    }

    /// Bytes given to the disk so far.
    pub fn written(&self) -> u64 {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
        line.parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command that starts the server on `directory`, on a free port told in a file of the directory.
pub fn command(directory: &Path) -> Command {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::fs::write(directory.join("address"), &address).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful"));
    command.current_dir(directory).args(["--data", "data", "--listen", &address]).stderr(Stdio::null());
    command
}

pub fn address(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("address")).unwrap()
}

/// The first byte of an answer, if the server answers.
pub fn first_byte(address: &str) -> std::io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    socket.read_exact(&mut [0])
}

/// The answer to a post, the same however often it is tried.
pub fn acknowledged(address: &str, token: &str, room: RoomId) -> std::io::Result<()> {
    let body = r#"{"text":"I am back","nonce":"first"}"#;
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(
        format!(
            "POST /api/v1/rooms/{room}/messages HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )?;
    let mut status = [0; 12];
    socket.read_exact(&mut status)?;
    if &status == b"HTTP/1.1 201" { Ok(()) } else { Err(std::io::ErrorKind::Other.into()) }
}
