//! The binary, as an operator meets it.

use crate::support::{Ask, PASSWORD};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub fn roomful(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful"));
    command.args(arguments).current_dir(folder).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    roomful(folder, arguments).output().expect("the binary runs")
}

pub fn add_user(folder: &Path, arguments: &[&str], password: &str) -> Output {
    let arguments = [&["user", "add"], arguments].concat();
    let mut child = roomful(folder, &arguments).stdin(Stdio::piped()).spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    writeln!(stdin, "{password}").expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// A server as a process of its own; ends with the test.
pub struct Process {
    pub child: Child,
    pub banner: String,
    pub address: SocketAddr,
}

impl Process {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let arguments = [&["--listen", "127.0.0.1:0"], arguments].concat();
        Self::started(roomful(folder, &arguments))
    }

    /// A server that may open only so many files.
    pub fn start_with_files(folder: &Path, files: u32, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        let binary = env!("CARGO_BIN_EXE_roomful");
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string(), binary]);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::started(command)
    }

    fn started(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary runs");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut banner = String::new();
        // The last line of the banner, with and without an owner.
        while !banner.contains("30 minutes") {
            let Some(Ok(line)) = lines.next() else { break };
            banner += &(line + "\n");
        }
        let address =
            banner.split_once("http://").and_then(|(_, rest)| rest.split_once('\n')).expect("an address").0;
        let address = address.parse().expect("an address");
        Self { child, banner, address }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is there").success());
    }

    fn log(mut self) -> String {
        let mut log = String::new();
        self.child.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; all that counts is that it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_server_on_an_empty_directory_says_all_that_is_needed() {
    let folder = TempDir::new().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    for part in [
        &format!("Roomful {}", env!("CARGO_PKG_VERSION")),
        "data     roomful-data",
        "config   none",
        "guests   admitted from this machine only (guests = auto)",
        "/setup#token=rfo_",
    ] {
        assert!(server.banner.contains(part), "{part:?} in {}", server.banner);
    }
    let mode = std::fs::metadata(folder.path().join("roomful-data")).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    Ask::new(server.address, "GET", "/readyz").send().await.ok();
}

#[test]
fn a_second_server_on_the_same_directory_is_refused_and_told_why() {
    let folder = TempDir::new().expect("a folder");
    let first = Process::start(folder.path(), &[]);
    let second = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.contains(&format!("process {} at {}", first.child.id(), first.address)), "{said}");
    assert!(said.contains("--data"), "{said}");
}

#[tokio::test]
async fn accounts_are_kept_beside_a_running_server() {
    let folder = TempDir::new().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    let added = add_user(folder.path(), &["Ana", "--role", "owner"], PASSWORD);
    assert!(added.status.success(), "{}", text(&added.stderr));
    let body = json!({ "name": "Ana", "password": PASSWORD });
    let session = Ask::new(server.address, "POST", "/api/v1/session").json(&body).await.ok();
    assert_eq!(session["role"], "owner");
    let again = add_user(folder.path(), &["ana"], PASSWORD);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("The name ana is taken"), "{}", text(&again.stderr));
    let short = add_user(folder.path(), &["Ben"], "short");
    assert!(text(&short.stderr).contains("at least 8 characters"), "{}", text(&short.stderr));
}

#[test]
fn accounts_are_listed_for_people_and_programs() {
    let folder = TempDir::new().expect("a folder");
    for name in ["Ben", "Ana"] {
        assert!(add_user(folder.path(), &[name], PASSWORD).status.success());
    }
    let table = run(folder.path(), &["user", "list"]);
    let lines: Vec<_> = text(&table.stdout).lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].starts_with("Ana ") && lines[1].contains("member"), "{lines:?}");
    let json: serde_json::Value =
        serde_json::from_slice(&run(folder.path(), &["user", "list", "--json"]).stdout).expect("JSON");
    assert_eq!(json[1]["name"], "Ben");
    assert!(json[1]["created_at"].is_i64());
}

#[test]
fn a_password_is_never_an_argument() {
    let folder = TempDir::new().expect("a folder");
    assert_eq!(run(folder.path(), &["user", "add", "Ana", PASSWORD]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["user", "add", "Ana", "--password", PASSWORD]).status.code(), Some(2));
}

#[test]
fn settings_are_checked_and_shown_without_a_server() {
    let folder = TempDir::new().expect("a folder");
    assert!(text(&run(folder.path(), &["config", "check"]).stdout).contains("The settings are right"));
    let shown = run(folder.path(), &["config", "print", "--name", "The Pond"]);
    assert!(text(&shown.stdout).contains("name = \"The Pond\"\n"), "{}", text(&shown.stdout));
    let shown = run(folder.path(), &["config", "print", "--origin", "--name", "The Pond"]);
    let line = text(&shown.stdout).lines().find(|line| line.starts_with("name = ")).expect("a line");
    assert!(line.ends_with("# --name"), "{line}");
    let defaults = run(folder.path(), &["config", "print", "--defaults"]);
    std::fs::write(folder.path().join("roomful.toml"), &defaults.stdout).expect("a file");
    assert!(run(folder.path(), &["config", "check"]).status.success());
    std::fs::write(folder.path().join("roomful.toml"), "gests = \"on\"").expect("a file");
    for command in ["check", "print"] {
        let wrong = run(folder.path(), &["config", command]);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(text(&wrong.stderr).contains("did you mean `guests`?"), "{}", text(&wrong.stderr));
    }
    assert!(text(&run(folder.path(), &["version"]).stdout).starts_with("roomful "));
}

#[test]
fn a_server_that_begins_anew_where_one_has_been_says_so() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("roomful-data");
    for (round, said) in [(1, false), (2, false), (3, true), (4, true), (5, false)] {
        match round {
            3 => std::fs::write(data.join("roomful.db"), "").expect("ours"),
            4 => std::fs::remove_file(data.join("roomful.db")).expect("ours"),
            _ => {}
        }
        let mut server = Process::start(folder.path(), &[]);
        server.signal("TERM");
        server.child.wait().expect("it ends");
        let log = server.log();
        assert_eq!(log.contains("a server has been here before"), said, "{round}: {log}");
    }
}

#[test]
fn a_signal_ends_the_server_cleanly_and_in_time() {
    for signal in ["TERM", "INT"] {
        let folder = TempDir::new().expect("a folder");
        let mut server = Process::start(folder.path(), &[]);
        let started = Instant::now();
        server.signal(signal);
        assert_eq!(server.child.wait().expect("it ends").code(), Some(0), "{signal}");
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(
            !folder.path().join("roomful-data/roomful.db-wal").exists(),
            "the log is folded into the database"
        );
    }
}

/// A request whose body never comes.
async fn hang(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nHost: {address}\r\nExpect: 100-continue\r\n\
         Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("a connection");
    // The server asks for the body once it reads it: from here on the request is under way.
    let mut asked = [0; 12];
    stream.read_exact(&mut asked).await.expect("an answer");
    assert_eq!(&asked, b"HTTP/1.1 100");
    stream
}

#[tokio::test]
async fn a_request_that_hangs_does_not_keep_the_server() {
    let folder = TempDir::new().expect("a folder");
    let mut server = Process::start(folder.path(), &[]);
    let _hanging = hang(server.address).await;
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once() {
    let folder = TempDir::new().expect("a folder");
    let mut server = Process::start(folder.path(), &[]);
    let _hanging = hang(server.address).await;
    server.signal("TERM");
    let mut log = BufReader::new(server.child.stderr.take().expect("piped")).lines();
    assert!(log.any(|line| line.is_ok_and(|line| line.contains("a second signal stops at once"))));
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.child.wait().expect("it ends").code(), Some(1));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn a_folder_that_holds_other_things_is_not_closed_to_others() {
    let folder = TempDir::new().expect("a folder");
    let mode = |path: &Path| std::fs::metadata(path).expect("a folder").permissions().mode() & 0o777;
    for name in ["empty", "full"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path().join(name), open).expect("ours");
    }
    std::fs::write(folder.path().join("full/notes.txt"), "mine").expect("a file");
    for (name, expected) in [("empty", 0o700), ("full", 0o755)] {
        assert!(run(folder.path(), &["user", "list", "--data", name]).status.success());
        assert_eq!(mode(&folder.path().join(name)), expected, "{name}");
    }
}

#[tokio::test]
async fn the_log_knows_addresses_and_no_secrets() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    let server = Process::start(folder.path(), &["--log", "trace"]);
    let sign_in = |password: &str| {
        let ask = Ask::new(server.address, "POST", "/api/v1/session?secret=query");
        let body = json!({ "name": "Ben", "password": password, "token": true });
        async move { ask.json(&body).await }
    };
    sign_in("wrong guess").await.refused(401);
    let token = sign_in(PASSWORD).await.ok()["token"].as_str().expect("a token").to_owned();
    let post = Ask::new(server.address, "POST", "/api/v1/rooms/lobby/messages");
    let post = post.header("authorization", &format!("Bearer {token}"));
    post.json(&json!({ "text": "between us" })).await.ok();
    let setup = server.banner.split_once("token=").map(|(_, token)| token[..20].to_owned()).expect("a link");
    server.signal("TERM");
    let log = server.log();
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
    }
    for part in ["\"not let in\"", "\"signed in\"", "127.0.0.1", "/api/v1/rooms/lobby/messages"] {
        assert!(log.contains(part), "{part} in {log}");
    }
    for secret in ["wrong guess", PASSWORD, &token, "between us", "secret=query", &setup] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

/// The time a process has spent on a processor.
fn busy(process: &Process) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.child.id())).expect("it lives");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    // Linux tells a hundred ticks a second, whatever its own clock does.
    Duration::from_millis(ticks * 10)
}

#[tokio::test]
async fn a_server_that_runs_out_of_files_waits_for_one_without_spinning() {
    let folder = TempDir::new().expect("a folder");
    let process = Process::start_with_files(folder.path(), 56, &["--handshake-s", "2"]);
    assert!(process.banner.contains("(56 open files)"), "{}", process.banner);
    let (before, since) = (busy(&process), Instant::now());
    let mut idle = Vec::new();
    for _ in 0..120 {
        idle.push(TcpStream::connect(process.address).await.expect("the system takes it"));
    }

    // Each is closed in its turn, and then the next is accepted.
    for mut stream in idle {
        let mut nothing = Vec::new();
        let _ = stream.read_to_end(&mut nothing).await;
    }

    let (spent, passed) = (busy(&process) - before, since.elapsed());
    assert!(passed > Duration::from_secs(3), "they were all accepted at once");
    assert!(spent < passed / 4, "{spent:?} of {passed:?}");
    assert_eq!(Ask::new(process.address, "GET", "/healthz").send().await.status.as_u16(), 200);
}
