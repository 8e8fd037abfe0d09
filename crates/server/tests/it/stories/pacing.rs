//! Posts wait for a room's readers, and only that room's.

use super::script::Script;
use super::support::{
    all_have, client, connection, everyone_agrees, in_time, next_event, next_reply, room, texts,
};
use crate::support::{Actor, Server};
use client::Connection;
use protocol::simple::SimpleFrame;
use protocol::{Command, ErrorCode, EventKind, Nonce, RoomId};
use serde_json::json;
use server::pacing::{Bounds, UnderWay, Verdict};

/// A server whose rooms take one post at a time, and let `waiting` more wait.
async fn one_at_a_time(waiting: usize) -> Server {
    Server::start_with(|config| config.pacing = Bounds { bytes: 1, waiting }).await
}

/// Something is on its way to a room's readers for as long as this is held.
fn loud(server: &Server, room: RoomId) -> UnderWay {
    match server.running.app().pacing.ask(room, 0) {
        Verdict::Admitted(under_way) => under_way,
        Verdict::Waits(_) | Verdict::Refused(_) => panic!("nobody has said anything yet"),
    }
}

async fn lobby_of(who: &Actor) -> RoomId {
    let rooms = who.get("/api/v1/rooms").await.ok();
    let lobby = rooms["mine"].as_array().unwrap().iter().find(|room| room["name"] == "lobby").unwrap();
    lobby["id"].as_str().unwrap().parse().unwrap()
}

async fn post(connection: &mut Connection, room: RoomId, text: &str) -> u64 {
    let nonce = Nonce::new(uuid::Uuid::now_v7().simple().to_string()).unwrap();
    connection.send(Command::PostMessage { room, text: text.to_owned(), nonce }).await.unwrap()
}

async fn next_text(connection: &mut Connection) -> String {
    match next_event(connection).await.kind {
        EventKind::MessagePosted { text, .. } => text,
        other => panic!("{other:?} in place of a message"),
    }
}

#[tokio::test]
async fn a_post_that_waits_holds_those_behind_it_and_nobody_elses() {
    let server = one_at_a_time(8).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let garden = ana.open("garden", "closed").await;
    ana.bring(garden, &ben).await;
    let lobby = lobby_of(&ana).await;
    let (mut anas, mut bens) = (connection(&ana).await, connection(&ben).await);

    let crowd = loud(&server, lobby);
    let mut asked = Vec::new();
    for (room, text) in [(lobby, "one"), (lobby, "two"), (garden, "three"), (lobby, "four")] {
        asked.push(post(&mut anas, room, text).await);
    }
    post(&mut bens, garden, "from ben").await;
    assert_eq!(next_text(&mut bens).await, "from ben");
    // Had one of hers been written, Ana would have heard of that first.
    assert_eq!(next_text(&mut anas).await, "from ben");

    drop(crowd);
    for id in asked {
        let reply = next_reply(&mut anas).await;
        assert_eq!((reply.id, reply.error), (Some(id), None));
    }
    for text in ["one", "two", "three", "four"] {
        assert_eq!(next_text(&mut bens).await, text);
    }
}

#[tokio::test]
async fn beyond_the_queue_everybody_hears_when_to_come_back_and_nothing_is_lost() {
    let server = one_at_a_time(1).await;
    let (ana, ben, dot) = (server.ana().await, server.ben().await, server.dot().await);
    let lobby = lobby_of(&ana).await;
    let (persistent, mut anas) = (client(&ben).await, connection(&ana).await);
    let mut script = Script::in_room(&server, "lobby", "Sol").await;

    let crowd = loud(&server, lobby);
    let Verdict::Waits(waiting) = server.running.app().pacing.ask(lobby, 0) else { panic!("no queue") };
    post(&mut anas, lobby, "no place").await;
    let refused = next_reply(&mut anas).await.error.unwrap();
    assert_eq!(refused.code, ErrorCode::SlowDown);
    assert!(refused.retry_after_ms.is_some_and(|wait| wait > 0));
    let path = format!("/api/v1/rooms/{lobby}/messages");
    let answer = dot.post(&path, json!({ "text": "by http" })).await;
    assert_eq!(answer.refused(429), "slow_down");
    assert_eq!(answer.header("retry-after"), "1");
    script.chat("by the simple protocol").await;
    let refused = hears_error(&mut script).await;
    assert!(refused.contains("busier than its readers"), "{refused}");
    persistent.enqueue(lobby, "i shall come back").await.unwrap();

    drop((crowd, waiting));
    persistent.hears("i shall come back").await.unwrap();
    assert_eq!(texts(&persistent, lobby), ["i shall come back"]);
    everyone_agrees(&server, &[&persistent]).await;
}

async fn hears_error(script: &mut Script) -> String {
    loop {
        if let SimpleFrame::Error { message } = script.hears().await {
            return message;
        }
    }
}

#[tokio::test]
async fn who_is_no_member_learns_nothing_from_a_room_that_is_loud() {
    let server = one_at_a_time(0).await;
    let (ana, cyd) = (server.ana().await, server.cyd().await);
    let garden = ana.open("garden", "closed").await;
    let mut cyds = connection(&cyd).await;

    let _crowd = loud(&server, garden);
    let answer = cyd.post(&format!("/api/v1/rooms/{garden}/messages"), json!({ "text": "hi" })).await;
    assert_eq!(answer.refused(404), "not_found");
    post(&mut cyds, garden, "hi").await;
    assert_eq!(next_reply(&mut cyds).await.error.unwrap().code, ErrorCode::NotFound);
    let answer = ana.post(&format!("/api/v1/rooms/{garden}/messages"), json!({ "text": "hi" })).await;
    assert_eq!(answer.refused(429), "slow_down");
}

#[tokio::test]
async fn bots_that_post_as_fast_as_they_are_answered_lap_no_reader() {
    let server = Server::start_with(|config| config.pacing = Bounds { bytes: 4 << 10, waiting: 256 }).await;
    let dot = server.dot().await;
    let lobby = lobby_of(&dot).await;
    let mut readers = Vec::new();
    for _ in 0..12 {
        readers.push(client(&dot).await);
    }
    let bots = (0..8).map(|bot| {
        let who = dot.clone();
        tokio::spawn(async move {
            let mut connection = connection(&who).await;
            for number in 0..60 {
                post(&mut connection, lobby, &format!("{bot} says {number} {}", "x".repeat(600))).await;
                assert_eq!(next_reply(&mut connection).await.error, None);
            }
        })
    });
    for bot in bots.collect::<Vec<_>>() {
        in_time("a bot", bot).await.unwrap();
    }
    let clients: Vec<_> = readers.iter().collect();
    let head = readers[0].post(lobby, "that was all").await.unwrap().seq;
    all_have(&clients, lobby, head).await;
    assert_eq!(server.running.app().delivery.stats().lagged, 0);
    assert_eq!(room(&readers[0], "lobby"), lobby);
    everyone_agrees(&server, &clients).await;
}
