//! One server gives its place to the next, and nobody notices.

use super::process::{Process, add_user, roomful};
use super::support::{in_time, room, texts};
use crate::support::PASSWORD;
use client::{Api, Client, Events, Simple, SimpleReceived};
use protocol::RoomId;
use protocol::simple::SimpleFrame;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const ANYWHERE: [&str; 2] = ["--listen", "127.0.0.1:0"];
const TALKERS: usize = 20;

/// People who post without a pause until they are told to stop.
struct Talkers {
    said: Arc<AtomicU64>,
    enough: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<String>>>,
}

impl Talkers {
    fn new() -> Self {
        Self { said: Arc::default(), enough: Arc::default(), tasks: Vec::new() }
    }

    /// Somebody with a client of ours, for whom a post that fails is the end.
    fn client(&mut self, client: Client, lobby: RoomId) {
        let (name, said, enough) = (self.tasks.len(), Arc::clone(&self.said), Arc::clone(&self.enough));
        self.tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            while !enough.load(Ordering::Relaxed) {
                let text = format!("{name}.{}", mine.len());
                client.post(lobby, &text).await.unwrap();
                said.fetch_add(1, Ordering::Relaxed);
                mine.push(text);
            }
            mine
        }));
    }

    /// A script that says again what it did not hear itself say before it was sent away.
    fn script(&mut self, address: String) {
        let (name, said, enough) = (self.tasks.len(), Arc::clone(&self.said), Arc::clone(&self.enough));
        self.tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            let mut simple = enter(&address, name).await;
            while !enough.load(Ordering::Relaxed) {
                let text = format!("{name}.{}", mine.len());
                while !is_heard(&mut simple, &text).await {
                    simple = enter(&address, name).await;
                }
                said.fetch_add(1, Ordering::Relaxed);
                mine.push(text);
            }
            mine
        }));
    }

    /// Waits until so many more posts were acknowledged.
    async fn say(&self, more: u64) {
        let until = self.said.load(Ordering::Relaxed) + more;
        let said = async {
            while self.said.load(Ordering::Relaxed) < until {
                assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a post failed");
                tokio::task::yield_now().await;
            }
        };
        in_time("posts to go on", said).await;
    }

    /// All that was acknowledged.
    async fn end(self) -> Vec<String> {
        self.enough.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(in_time("a talker to end", task).await.unwrap());
        }
        all
    }
}

async fn enter(address: &str, name: usize) -> Simple {
    let simple = Simple::connect_to(address, "/ws", None).await.unwrap();
    assert!(simple.join("lobby", &format!("script {name}")).await);
    simple
}

/// Says something once; whether it was heard before the connection ended.
async fn is_heard(simple: &mut Simple, text: &str) -> bool {
    simple.chat(text).await;
    loop {
        match in_time("one's own words", simple.next()).await {
            SimpleReceived::Frame(SimpleFrame::Chat(said)) if said.chat.text == text => return true,
            SimpleReceived::Frame(SimpleFrame::Error { message }) => panic!("{text} was refused: {message}"),
            SimpleReceived::Closed(closing) => {
                assert_eq!(closing.code, Some(1012));
                return false;
            }
            _ => {}
        }
    }
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["Ana", "Ben"] {
        add_user(folder.path(), name);
    }
    folder
}

/// Everybody was shown what was acknowledged, each once, and nothing else. Answers with the longest time between two
/// commits, in milliseconds.
async fn all_were_shown(watchers: Vec<(Client, Events)>, lobby: RoomId, said: &[String]) -> i64 {
    const LAST: &str = "that was all";
    let (said, mut longest) = (said.iter().cloned().collect::<HashSet<_>>(), 0);
    watchers[0].0.post(lobby, LAST).await.unwrap();
    for (client, mut news) in watchers {
        in_time("agreement", client.agrees()).await.unwrap();
        let mut shown = Vec::new();
        loop {
            let (_, message) = in_time("the last message", news.next_message()).await.unwrap();
            shown.push((message.body.text, message.at));
            if shown.last().is_some_and(|(text, _)| text == LAST) {
                break;
            }
        }
        longest = shown.windows(2).map(|pair| pair[1].1 - pair[0].1).max().unwrap_or(longest);
        shown.pop();
        assert_eq!(shown.len(), said.len(), "each once");
        assert_eq!(shown.into_iter().map(|(text, _)| text).collect::<HashSet<_>>(), said);
    }
    longest
}

async fn watcher(server: &Process, name: &str) -> (Client, Events) {
    let client = server.client(name).await;
    let news = client.events();
    (client, news)
}

#[tokio::test]
async fn twenty_talkers_and_four_scripts_talk_through_three_handovers_and_no_post_fails() {
    talk_through(3).await;
}

#[tokio::test]
#[ignore = "takes a minute; the same as the one above, for longer"]
async fn twenty_talkers_and_four_scripts_talk_through_twenty_five_handovers() {
    let longest = talk_through(25).await;
    println!("the longest time without a commit: {longest} ms");
}

/// Posts without a pause while one server after the other takes over. The longest time between two commits, in
/// milliseconds.
async fn talk_through(handovers: u32) -> i64 {
    let folder = folder();
    let mut server = Process::start(folder.path(), &ANYWHERE);
    let watchers = vec![watcher(&server, "Ana").await, watcher(&server, "Ben").await];
    let (lobby, address) = (room(&watchers[0].0, "lobby"), server.address.to_string());
    let mut talkers = Talkers::new();
    let token = Api::new(&address).sign_in("Ben", PASSWORD).await.unwrap().token.unwrap();
    for _ in 0..TALKERS {
        let options = super::support::options();
        talkers.client(Client::connect_with(&address, &token, options).await.unwrap(), lobby);
    }
    (0..4).for_each(|_| talkers.script(address.clone()));
    for _ in 0..handovers {
        talkers.say(100).await;
        let next = Process::take_over(folder.path()).await;
        assert_eq!(next.address, server.address);
        assert!(std::mem::replace(&mut server, next).ends().await.success());
    }
    talkers.say(100).await;
    let said = talkers.end().await;
    all_were_shown(watchers, lobby, &said).await
}

/// Ana's and Ben's clients on a server that talks, with what was said.
async fn still_talks(clients: &[&Client; 2], lobby: RoomId) {
    clients[0].post(lobby, "are you there?").await.unwrap();
    clients[1].hears("are you there?").await.unwrap();
}

#[tokio::test]
async fn a_second_server_that_did_not_ask_is_refused_and_told_how_to_ask() {
    let folder = folder();
    let _server = Process::start(folder.path(), &ANYWHERE);
    let second = roomful(folder.path(), &ANYWHERE).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success());
    assert!(said.contains("another server uses the data directory"), "{said}");
    assert!(said.contains("--take-over"), "{said}");
}

#[tokio::test]
async fn without_a_server_there_is_nothing_to_take_over_and_it_just_starts() {
    let folder = folder();
    let server = Process::start(folder.path(), &["serve", "--take-over", "--listen", "127.0.0.1:0"]);
    server.client("Ana").await;
}

#[tokio::test]
async fn a_server_that_could_not_serve_takes_nothing_over() {
    let folder = folder();
    let server = Process::start(folder.path(), &ANYWHERE);
    let clients = [&server.client("Ana").await, &server.client("Ben").await];
    let lobby = room(clients[0], "lobby");
    let broken = ["serve", "--take-over", "--tls-cert", "none.pem", "--tls-key", "none.pem"];
    let second = roomful(folder.path(), &broken).stderr(Stdio::piped()).output().unwrap();
    assert!(!second.status.success());
    still_talks(&clients, lobby).await;
    assert_eq!(clients.map(|client| client.read(|state| state.hellos)), [1, 1], "nobody was sent away");
}

/// Asks for a server's place as a server would, up to the point where it is given away.
fn ask(folder: &Path) -> (UnixStream, BufReader<UnixStream>) {
    let mut line = UnixStream::connect(folder.join("roomful-data/handover.sock")).unwrap();
    let mut heard = BufReader::new(line.try_clone().unwrap());
    line.write_all(b"take over 1\n").unwrap();
    hears(&mut heard, "listener");
    (line, heard)
}

fn hears(from: &mut impl BufRead, what: &str) {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), what);
}

#[tokio::test]
async fn a_server_whose_successor_dies_before_it_serves_goes_on() {
    let folder = folder();
    let server = Process::start(folder.path(), &ANYWHERE);
    let clients = [&server.client("Ana").await, &server.client("Ben").await];
    let lobby = room(clients[0], "lobby");
    // Before it is ready.
    drop(ask(folder.path()));
    still_talks(&clients, lobby).await;
    assert_eq!(clients.map(|client| client.read(|state| state.hellos)), [1, 1], "nobody was sent away");
    // When everything was let go.
    let (mut line, mut heard) = ask(folder.path());
    line.write_all(b"ready\n").unwrap();
    let waits = clients[0].enqueue(lobby, "said while nobody writes").await.unwrap();
    hears(&mut heard, "yours");
    drop((line, heard));
    clients[1].hears("said while nobody writes").await.unwrap();
    let is_posted = |state: &client::State| state.outbox.get(&waits).is_none();
    clients[0].wait_until("the post to be acknowledged", is_posted).await.unwrap();
    still_talks(&clients, lobby).await;
    // And it can be followed still.
    let next = Process::take_over(folder.path()).await;
    assert!(server.ends().await.success());
    still_talks(&clients, lobby).await;
    assert_eq!(texts(clients[0], lobby).len(), 4);
    assert_eq!(next.client("Ana").await.me().name, "Ana");
}

#[tokio::test]
async fn a_server_that_is_stopped_while_it_waits_for_another_ends_alone() {
    let folder = folder();
    let server = Process::start(folder.path(), &ANYWHERE);
    let clients = [&server.client("Ana").await, &server.client("Ben").await];
    let lobby = room(clients[0], "lobby");
    // Somebody else is asked first, so that the newcomer waits.
    let held = ask(folder.path());
    let waiting = talkative(folder.path(), &["serve", "--take-over"]);
    let (waiting, _log) = Process::that_said(waiting, "asking the server that uses the data directory");
    waiting.terminate();
    assert!(waiting.ends().await.success());
    drop(held);
    let next = Process::take_over(folder.path()).await;
    assert!(server.ends().await.success());
    still_talks(&clients, lobby).await;
    drop(next);
}

#[tokio::test]
async fn whoever_connects_and_says_nothing_does_not_hold_up_the_next_server() {
    let folder = folder();
    let server = Process::start(folder.path(), &ANYWHERE);
    let silent = UnixStream::connect(folder.path().join("roomful-data/handover.sock")).unwrap();
    let next = talkative(folder.path(), &["serve", "--take-over"]);
    let (next, _log) = Process::that_said(next, "it has not answered yet");
    assert!(server.ends().await.success(), "it was followed while somebody was silent");
    drop((next, silent));
}

#[tokio::test]
async fn kill_9_of_the_old_server_in_mid_handover_loses_nothing() {
    let folder = folder();
    let mut server = Process::of(talkative(folder.path(), &ANYWHERE));
    let listen = server.address.to_string();
    let watchers = vec![watcher(&server, "Ana").await, watcher(&server, "Ben").await];
    let lobby = room(&watchers[0].0, "lobby");
    let mut talkers = Talkers::new();
    for _ in 0..4 {
        talkers.client(server.client("Ben").await, lobby);
    }
    for _ in 0..3 {
        talkers.say(50).await;
        let next = talkative(folder.path(), &["serve", "--take-over", "--listen", &listen]);
        let next = tokio::task::spawn_blocking(move || Process::of(next));
        server.dies_after("another process takes over").await;
        server = next.await.unwrap();
    }
    talkers.say(50).await;
    let said = talkers.end().await;
    all_were_shown(watchers, lobby, &said).await;
}

/// A server that can be watched.
fn talkative(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = roomful(folder, arguments);
    command.env("ROOMFUL_LOG", "info").stderr(Stdio::piped());
    command
}

/// A server to which a socket is passed as systemd does it.
fn activated(folder: &Path, socket: &TcpListener) -> Process {
    let server = roomful(folder, &[]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0"]).arg(server.get_program());
    shell.args(server.get_args()).current_dir(folder).env_clear().env("ROOMFUL_LOG", "off");
    shell.stdin(OwnedFd::from(socket.try_clone().unwrap())).stdout(Stdio::piped()).stderr(Stdio::null());
    Process::of(shell)
}

#[tokio::test]
async fn on_a_socket_of_systemd_whoever_comes_during_a_restart_waits_and_is_served() {
    let folder = folder();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = activated(folder.path(), &socket);
    assert_eq!(server.address, socket.local_addr().unwrap());
    let clients = [&server.client("Ana").await, &server.client("Ben").await];
    let lobby = room(clients[0], "lobby");
    server.terminate();
    assert!(server.ends().await.success());
    let mut early = std::net::TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    early.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let _server = activated(folder.path(), &socket);
    let mut answer = String::new();
    early.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    still_talks(&clients, lobby).await;
}
