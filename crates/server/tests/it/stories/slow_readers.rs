//! A reader who does not keep up is cut off, resumes, and slows nobody.

use super::script::Script;
use super::support::{client, everyone_agrees, in_time, room, texts};
use super::wire::Wire;
use crate::support::{Actor, Server};
use client::Client;
use protocol::RoomId;
use serde_json::json;

/// More than fits into a tail and two sockets: nobody who reads nothing can be served from memory.
const POSTS: usize = 80;

async fn stalled(who: &Actor) -> Wire {
    let bearer = format!("Bearer {}", who.token);
    Wire::open(who.address, "/ws", &[("Sec-WebSocket-Protocol", "roomful.v1"), ("Authorization", &bearer)])
        .await
}

fn long(number: usize) -> String {
    format!("{number} {}", "x".repeat(9_000))
}

/// Posts long messages, each heard by `hearer` before the next.
async fn post_a_lot(ana: &Client, hearer: &Client, lobby: RoomId) {
    for number in 0..POSTS {
        ana.post(lobby, &long(number)).await.unwrap();
        hearer.hears(&long(number)).await.unwrap();
    }
}

/// Applies by the rule up to `head`; gives the texts of what came.
async fn apply_up_to(wire: &mut Wire, mut last: u64, head: u64) -> Vec<String> {
    let mut texts = Vec::new();
    while last < head {
        let frame = wire.hear().await.unwrap();
        if frame["type"] == "message_posted" {
            let seq = frame["seq"].as_u64().unwrap();
            assert!(seq <= last + 1, "a hole between {last} and {seq}");
            if seq > last {
                texts.push(frame["text"].as_str().unwrap().to_owned());
            }
            last = last.max(seq);
        }
    }
    texts
}

#[tokio::test]
async fn a_reader_who_falls_behind_is_told_and_resumes_without_a_hole() {
    falls_behind_and_resumes(Server::start().await).await;
}

#[tokio::test]
async fn a_reader_who_falls_behind_over_tls_is_told_and_resumes_without_a_hole() {
    falls_behind_and_resumes(Server::start_over_tls().await).await;
}

async fn falls_behind_and_resumes(server: Server) {
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let lobby = room(&ana, "lobby");
    let dot = server.dot().await;
    let mut slow = stalled(&dot).await;
    let hello = slow.hear().await.unwrap();
    let mut last = hello["rooms"][0]["head"].as_u64().unwrap();
    post_a_lot(&ana, &ben, lobby).await;
    let mut heard = Vec::new();
    loop {
        let frame = slow.hear().await.unwrap();
        match frame["type"].as_str().unwrap() {
            "lagged" => break assert_eq!(frame["room"], lobby.to_string()),
            "message_posted" => {
                last += 1;
                assert_eq!(frame["seq"], last);
                heard.push(frame["text"].as_str().unwrap().to_owned());
            }
            _ => {}
        }
    }
    slow.say(&json!({ "id": 1, "type": "resume", "room": lobby, "after": last }).to_string()).await;
    let head = ana.post(lobby, "and live again").await.unwrap().seq;
    heard.extend(apply_up_to(&mut slow, last, head).await);
    assert_eq!(heard, texts(&ana, lobby), "each once and in order");
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn a_script_that_falls_behind_is_closed_with_1013_and_nobody_else_is_slowed() {
    script_falls_behind(Server::start().await).await;
}

#[tokio::test]
async fn a_script_that_falls_behind_over_tls_is_closed_with_1013_and_nobody_else_is_slowed() {
    script_falls_behind(Server::start_over_tls().await).await;
}

async fn script_falls_behind(server: Server) {
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let lobby = room(&ana, "lobby");
    let mut slow = Wire::open(server.address(), "/ws/lobby?username=Slow", &[]).await;
    assert_eq!(slow.hear().await.unwrap()["type"], "welcome");
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    let (reading, read) = tokio::sync::oneshot::channel();
    let listening = tokio::spawn(async move {
        dot.hears_of("the end").await;
        let _ = reading.send(());
    });
    post_a_lot(&ana, &ben, lobby).await;
    ana.post(lobby, "the end").await.unwrap();
    ben.hears("the end").await.unwrap();
    in_time("the other script to hear the end", read).await.unwrap();
    listening.await.unwrap();
    let code = loop {
        match slow.hear().await {
            Ok(frame) => assert_ne!(frame["text"], "the end", "it was cut off before"),
            Err(code) => break code,
        }
    };
    assert_eq!(code, 1013);
    let mut back = Script::open_at(&server, "/ws/lobby?username=Slow", None).await;
    back.settle_in("lobby", "Slow").await;
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn a_command_is_not_begun_for_who_does_not_take_the_answers_to_those_before() {
    let server = Server::start().await;
    let ana = client(&server.ana().await).await;
    let lobby = room(&ana, "lobby");
    for number in 0..POSTS {
        ana.post(lobby, &format!("{number} {}", "😀".repeat(9_000))).await.unwrap();
    }
    let ben = server.ben().await;
    let mut slow = stalled(&ben).await;
    assert_eq!(slow.hear().await.unwrap()["type"], "hello");
    // As many as are heard before the first is answered: far more than a kernel takes for somebody who does not read.
    for id in 1..=15 {
        let list = json!({ "id": id, "type": "list_messages", "room": lobby, "limit": 100 });
        slow.say(&list.to_string()).await;
    }
    slow.say(
        &json!({ "id": 16, "type": "open_room", "name": "late", "kind": "open", "nonce": "late" })
            .to_string(),
    )
    .await;
    let ana = server.cyd().await;
    let has_late = async || {
        let rooms = ana.get("/api/v1/rooms").await.ok();
        rooms["open"].as_array().unwrap().iter().any(|room| room["name"] == "late")
    };
    for _ in 0..100 {
        assert!(!has_late().await, "it was begun although nobody took what came before");
    }
    for id in 1..=16 {
        let reply = loop {
            let frame = slow.hear().await.unwrap();
            if frame["type"] == "reply" {
                break frame;
            }
        };
        assert_eq!((&reply["id"], &reply["error"]), (&id.into(), &json!(null)));
    }
    assert!(has_late().await);
}
