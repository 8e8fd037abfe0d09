//! The server stops, or dies, and comes back.

use super::process::{Process, add_user};
use super::support::{client, client_at, closing, connection, everyone_agrees, in_time, room, texts};
use crate::support::Server;
use client::Link;
use std::collections::HashSet;
use std::sync::Arc;
use tempfile::TempDir;

/// Stops a server and starts another one on its directory and address.
async fn restart(server: Server) -> Server {
    let (address, data) = (server.address(), Arc::clone(&server.data));
    server.running.drain().await;
    // A process that another test is just starting holds a copy of the directory's lock until it runs its own program.
    let start = || tokio::spawn(Server::start_in(Arc::clone(&data), move |config| config.listen = address));
    let started = async {
        loop {
            if let Ok(server) = start().await {
                return server;
            }
        }
    };
    in_time("the server to start again", started).await
}

#[tokio::test]
async fn a_restart_loses_nothing() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let lobby = room(&ana, "lobby");
    for number in 0..20 {
        ana.post(lobby, &format!("before {number}")).await.unwrap();
    }
    ben.disconnect().await;
    ben.enqueue(lobby, "written while nobody listened").await.unwrap();
    let server = restart(server).await;
    ben.reconnect().await.unwrap();
    ana.hears("written while nobody listened").await.unwrap();
    ana.post(lobby, "after").await.unwrap();
    ben.hears("after").await.unwrap();
    assert_eq!((texts(&ana, lobby).len(), texts(&ben, lobby).len()), (22, 22));
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn whoever_is_there_when_the_server_drains_is_told_1012_and_comes_back() {
    let server = Server::start().await;
    let (ana, mut script) =
        (server.ana().await, super::script::Script::in_room(&server, "lobby", "Dot").await);
    let (mut bare, device) = (connection(&ana).await, client(&ana).await);
    let server = restart(server).await;
    assert_eq!(closing(&mut bare).await.0, Some(1012));
    assert_eq!(script.closes().await, Some(1012));
    device.wait_until("another hello", |state| state.hellos == 2 && state.link == Link::Open).await.unwrap();
    device.post(room(&device, "lobby"), "back").await.unwrap();
    everyone_agrees(&server, &[&device]).await;
}

#[tokio::test]
async fn kill_9_while_sends_are_queued_loses_nothing_acknowledged_and_doubles_nothing() {
    let folder = TempDir::new().unwrap();
    add_user(folder.path(), "Ana");
    add_user(folder.path(), "Ben");
    let mut server = Process::start(folder.path(), &["--listen", "127.0.0.1:0"]);
    let (ana, ben) = (server.client("Ana").await, server.client("Ben").await);
    let lobby = room(&ana, "lobby");
    let mut written = HashSet::new();
    for round in 0..3 {
        for number in 0..200 {
            let text = format!("{round}.{number}");
            ana.enqueue(lobby, &text).await.unwrap();
            written.insert(text);
        }
        // Some are on the disk, some on the wire, some not sent.
        let some = format!("{round}.{}", 20 * (round + 1));
        ben.hears(&some).await.unwrap();
        let acknowledged = texts(&ben, lobby);
        server.kill_9();
        server = Process::start(folder.path(), &["--listen", &server.address.to_string()]);
        ana.wait_until("everything to be posted", |state| state.outbox.pending().is_empty()).await.unwrap();
        ben.hears(&format!("{round}.199")).await.unwrap();
        let kept: HashSet<String> = texts(&ben, lobby).into_iter().collect();
        assert!(acknowledged.iter().all(|text| kept.contains(text)), "what Ben was shown is still there");
    }
    for client in [&ana, &ben] {
        client.agrees().await.unwrap();
        let seen = texts(client, lobby);
        assert_eq!(seen.len(), written.len(), "each once");
        assert_eq!(seen.into_iter().collect::<HashSet<_>>(), written);
    }
}

#[tokio::test]
async fn a_read_mark_survives_an_orderly_stop() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let device = client(&ben).await;
    let lobby = room(&ana, "lobby");
    let said = ana.post(lobby, "read this").await.unwrap();
    device.hears("read this").await.unwrap();
    device.mark_read(lobby, said.seq).await.unwrap();
    let server = restart(server).await;
    let another = client_at(server.address(), &ben).await;
    assert_eq!(another.read(|state| state.unread(lobby)), Some(0));
    device.wait_until("another hello", |state| state.hellos == 2).await.unwrap();
    everyone_agrees(&server, &[&ana, &device, &another]).await;
}
