//! The binary `roomful` as a process: started, killed without a word, and back on the same port.

use crate::account::{Account, Answer, ask};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse";

/// A running server with its data directory; both end with the test.
pub struct Server {
    process: Process,
    address: SocketAddr,
    setup: String,
    data: TempDir,
}

struct Process {
    child: Child,
    /// Kept open, as a terminal would be.
    out: BufReader<ChildStdout>,
}

impl Server {
    /// A server that nobody owns yet.
    pub fn without_owner(flags: &[&str]) -> Self {
        let data = TempDir::new().unwrap();
        let mut process = Process::start(data.path(), "127.0.0.1:0", flags);
        let (address, setup) = (process.address(), process.line("setup"));
        Self { process, address, setup, data }
    }

    /// A server that Ana owns, and Ana.
    pub async fn of_ana() -> (Self, Account) {
        Self::of_ana_with(&[]).await
    }

    /// The same with other settings than the defaults.
    pub async fn of_ana_with(flags: &[&str]) -> (Self, Account) {
        let server = Self::without_owner(flags);
        let (_, token) = server.setup.split_once('=').unwrap();
        let owner = json!({ "token": token, "name": "Ana", "password": PASSWORD });
        let ana = Account::of(server.address, &server.post("/api/v1/setup", &owner).await);
        (server, ana)
    }

    /// The address of a place in the client.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The link in the banner, for whoever is to own the server.
    pub fn setup_link(&self) -> &str {
        &self.setup
    }

    /// A member of the server, made as an operator makes one.
    pub async fn member(&self, name: &str) -> Account {
        let mut command = roomful(self.data.path());
        command.args(["user", "add", name]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut adding = command.spawn().unwrap();
        adding.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(adding.wait().unwrap().success());
        Account::of(
            self.address,
            &self.post("/api/v1/session", &json!({ "name": name, "password": PASSWORD })).await,
        )
    }

    /// Somebody without an account.
    pub async fn guest(&self, name: &str) -> Account {
        Account::of(self.address, &self.post("/api/v1/guests", &json!({ "name": name })).await)
    }

    /// Asks something as nobody in particular.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        ask(self.address, "POST", path, &[], Some(body)).await
    }

    /// The page as the server sends it, before any script runs.
    pub async fn page(&self, path: &str, cookie: &str) -> String {
        ask(self.address, "GET", path, &[("cookie", cookie)], None).await.text
    }

    /// `kill -9`: nothing is said to anybody, nothing is written any more.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts again where it was.
    pub fn come_back(&mut self) {
        self.process = Process::start(self.data.path(), &self.address.to_string(), &[]);
        assert_eq!(self.process.address(), self.address);
    }

    /// Gives its place to another one, and has ended when that is done.
    pub fn is_followed(&mut self) {
        let listen = self.address.to_string();
        let mut next = Process::start(self.data.path(), &listen, &["serve", "--take-over"]);
        assert_eq!(next.address(), self.address);
        let before = std::mem::replace(&mut self.process, next).ends();
        assert!(before.success());
    }

    /// Starts again at an address where no browser looks for it, and gives that.
    pub fn come_back_elsewhere(&mut self) -> SocketAddr {
        self.process = Process::start(self.data.path(), "127.0.0.1:0", &[]);
        self.process.address()
    }
}

impl Process {
    fn start(data: &Path, listen: &str, flags: &[&str]) -> Self {
        let mut command = roomful(data);
        let mut child =
            command.args(["--listen", listen]).args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn address(&mut self) -> SocketAddr {
        self.line("address").strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// What the banner says under a name. Lines before it are passed over.
    fn line(&mut self, name: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "the server ended without saying `{name}`");
            if let Some((_, value)) =
                line.trim().split_once(char::is_whitespace).filter(|(found, _)| *found == name)
            {
                return value.trim().to_owned();
            }
        }
    }

    fn ends(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    fn kill(&mut self) {
        // Already dead is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary on a data directory, deaf to the settings of whoever runs the tests.
fn roomful(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful"));
    command.env_clear().current_dir(data).args(["--log", "warn", "--data"]).arg(data.join("data"));
    command
}
