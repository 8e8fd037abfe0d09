//! A server as a process of its own, and Ana, who talks to it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse";

/// Variables that say how a process breaks.
pub type Breaks<'a> = &'a [(&'a str, &'a str)];

/// A folder with a server's data in it, and Ana's account.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    assert!(add_user(folder.path(), "Ana", &[]).success());
    folder
}

fn roomful(folder: &Path, arguments: &[&str], breaks: Breaks<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful"));
    command.args(arguments).current_dir(folder).env_clear().envs(breaks.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Makes an account with a process that breaks as `breaks` says.
pub fn add_user(folder: &Path, name: &str, breaks: Breaks<'_>) -> ExitStatus {
    let mut child = roomful(folder, &["user", "add", name], breaks).spawn().unwrap();
    // Dead before it asked.
    let _ = writeln!(child.stdin.take().unwrap(), "{PASSWORD}");
    child.wait().unwrap()
}

/// A running server; killed with the test.
pub struct Process {
    child: Child,
    address: SocketAddr,
    token: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Dead already, in most of these stories.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back. None when the server died over it.
pub type Answer = Option<(u16, Value)>;

impl Process {
    /// Starts a server that breaks as `breaks` says, and signs Ana in. None when it breaks that soon.
    pub fn start(folder: &Path, breaks: Breaks<'_>) -> Option<Self> {
        let mut child = roomful(folder, &["--listen", "127.0.0.1:0"], breaks).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| line.split_once("http://").map(|(_, address)| address.to_owned()));
        let Some(address) = address else {
            child.wait().unwrap();
            return None;
        };
        let mut process = Self { child, address: address.parse().unwrap(), token: String::new() };
        let signing_in = json!({ "name": "Ana", "password": PASSWORD, "token": true });
        let (status, session) = process.ask("POST", "/api/v1/session", Some(&signing_in))?;
        process.token = session["token"].as_str().unwrap_or_else(|| panic!("{status} {session}")).to_owned();
        Some(process)
    }

    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let mut stream = TcpStream::connect(self.address).ok()?;
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    /// Says `text` in the lobby, under a nonce of the same letters.
    pub fn say(&self, text: &str) -> Answer {
        self.say_in("lobby", text)
    }

    pub fn say_in(&self, room: &str, text: &str) -> Answer {
        let said = json!({ "text": text, "nonce": text });
        self.ask("POST", &format!("/api/v1/rooms/{room}/messages"), Some(&said))
    }

    /// Everything that was said in the lobby, in order.
    pub fn texts(&self) -> Vec<String> {
        let (mut texts, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/api/v1/rooms/lobby/messages?after={after}&limit=100");
            let (_, page) = self.ask("GET", &path, None).unwrap();
            for message in page["messages"].as_array().unwrap() {
                texts.push(message["text"].as_str().unwrap().to_owned());
                after = message["seq"].as_u64().unwrap();
            }
            if page["more_after"] != true {
                return texts;
            }
        }
    }

    pub fn is_ready(&self) -> bool {
        self.ask("GET", "/readyz", None).is_some_and(|(status, _)| status == 200)
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
    }

    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
