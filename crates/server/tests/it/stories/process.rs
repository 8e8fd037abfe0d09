//! The binary as a process of its own.

use super::support::{in_time, options};
use crate::support::{PASSWORD, database_in};
use client::{Api, Client};
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

/// A server that ends with the test.
pub struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
}

impl Process {
    /// Starts a server in a folder, and waits until it serves.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::of(roomful(folder, arguments))
    }

    /// Starts what becomes a server, and waits until it serves.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.ok()?.split_once("http://")?.1.parse().unwrap()));
        Self { child, lines, address: address.expect("it serves") }
    }

    /// Starts a server that takes over, beside what goes on here, and waits until it serves.
    pub async fn take_over(folder: &Path) -> Self {
        let command = roomful(folder, &["serve", "--take-over"]);
        tokio::task::spawn_blocking(move || Self::of(command)).await.unwrap()
    }

    /// Ends it as a power cut would, as far as a process can.
    pub fn kill_9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it as soon as its log has said something.
    pub async fn dies_after(mut self, said: &'static str) {
        let killed = tokio::task::spawn_blocking(move || {
            let log = BufReader::new(self.child.stderr.take().unwrap());
            let found = log.lines().any(|line| line.unwrap().contains(said));
            self.kill_9();
            assert!(found, "it never said {said:?}");
        });
        in_time(said, killed).await.unwrap();
    }

    /// One that does not serve yet, as soon as its log has said something; with the rest of its log.
    pub fn that_said(mut command: Command, said: &str) -> (Self, Lines<BufReader<ChildStderr>>) {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.any(|line| line.unwrap().contains(said)), "it never said {said:?}");
        (Self { child, lines, address: ([127, 0, 0, 1], 0).into() }, log)
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
    }

    /// Waits until it has ended by itself, and answers how.
    pub async fn ends(mut self) -> ExitStatus {
        let ended = tokio::task::spawn_blocking(move || {
            // The end of its output is its end.
            self.lines.by_ref().for_each(drop);
            self.child.wait().unwrap()
        });
        in_time("the end of a process", ended).await.unwrap()
    }

    pub async fn client(&self, name: &str) -> Client {
        let address = self.address.to_string();
        let token = Api::new(&address).sign_in(name, PASSWORD).await.unwrap().token.unwrap();
        Client::connect_with(address, token, options()).await.unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; all that counts is that it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, in a folder of its own and without any other environment.
pub fn roomful(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful"));
    command.args(arguments).current_dir(folder).env_clear().env("ROOMFUL_LOG", "off");
    command.envs(database_in(folder).map(|database| ("ROOMFUL_DATABASE", database)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Makes an account without a server.
pub fn add_user(folder: &Path, name: &str) {
    let mut child = roomful(folder, &["user", "add", name]).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    assert!(child.wait().unwrap().success());
}
