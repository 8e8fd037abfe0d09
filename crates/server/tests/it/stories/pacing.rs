//! Posts wait for a room's readers, and only that room's.

use super::script::Script;
use super::support::{
    all_have, client, connection, everyone_agrees, in_time, next_event, next_frame, next_reply, room, texts,
};
use crate::support::{Actor, PASSWORD, Server};
use client::Connection;
use protocol::simple::SimpleFrame;
use protocol::{Command, ErrorCode, EventKind, Nonce, RoomId, ServerFrame};
use serde_json::json;
use server::pacing::{Bounds, UnderWay, Verdict};

/// A server whose rooms take one post at a time, and let `waiting` more wait.
async fn one_at_a_time(waiting: usize) -> Server {
    Server::start_with(|config| config.pacing = Bounds { bytes: 1, waiting }).await
}

/// Something is on its way to a room's readers for as long as this is held. What was written before has arrived by then.
async fn loud(server: &Server, room: RoomId) -> UnderWay {
    loop {
        match server.running.app().pacing.ask(room, 0) {
            Verdict::Admitted(under_way) => return under_way,
            Verdict::Waits(admitted) => return in_time("quiet", admitted).await.unwrap(),
            Verdict::Refused(_) => tokio::task::yield_now().await,
        }
    }
}

async fn lobby_of(who: &Actor) -> RoomId {
    let rooms = who.get("/api/v1/rooms").await.ok();
    let lobby = rooms["mine"].as_array().unwrap().iter().find(|room| room["name"] == "lobby").unwrap();
    lobby["id"].as_str().unwrap().parse().unwrap()
}

/// Says something over HTTP, once there is room.
async fn said(who: &Actor, room: RoomId) -> u64 {
    loop {
        let posted = who.post(&format!("/api/v1/rooms/{room}/messages"), json!({ "text": "hi" })).await;
        if posted.status != 429 {
            return posted.ok()["seq"].as_u64().unwrap();
        }
    }
}

/// Brings somebody into a room, once there is room.
async fn brought(server: &Server, who: &Actor, room: RoomId, whom: &Actor) {
    drop(loud(server, room).await);
    who.bring(room, whom).await;
}

async fn post(connection: &mut Connection, room: RoomId, text: &str) -> u64 {
    let nonce = Nonce::new(uuid::Uuid::now_v7().simple().to_string()).unwrap();
    connection.send(Command::PostMessage { room, body: text.into(), nonce }).await.unwrap()
}

async fn next_text(connection: &mut Connection) -> String {
    match next_event(connection).await.kind {
        EventKind::MessagePosted(posted) => posted.body.text,
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

    let crowd = loud(&server, lobby).await;
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

    let crowd = loud(&server, lobby).await;
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

    let _crowd = loud(&server, garden).await;
    let answer = cyd.post(&format!("/api/v1/rooms/{garden}/messages"), json!({ "text": "hi" })).await;
    assert_eq!(answer.refused(404), "not_found");
    post(&mut cyds, garden, "hi").await;
    assert_eq!(next_reply(&mut cyds).await.error.unwrap().code, ErrorCode::NotFound);
    let answer = ana.post(&format!("/api/v1/rooms/{garden}/messages"), json!({ "text": "hi" })).await;
    assert_eq!(answer.refused(429), "slow_down");
}

/// What a native connection is answered.
async fn answer(connection: &mut Connection, command: Command) -> Option<ErrorCode> {
    connection.send(command).await.unwrap();
    next_reply(connection).await.error.map(|error| error.code)
}

#[tokio::test]
async fn everything_that_writes_into_a_loud_room_comes_back_later_and_tells_outsiders_nothing() {
    let server = one_at_a_time(0).await;
    let (ana, ben, cyd) = (server.ana().await, server.ben().await, server.cyd().await);
    let room = ana.open("garden", "closed").await;
    let seq = said(&ana, room).await;
    brought(&server, &ana, room, &ben).await;
    let (mut anas, mut cyds) = (connection(&ana).await, connection(&cyd).await);

    let _crowd = loud(&server, room).await;
    for command in [
        Command::EditMessage { room, seq, text: "hello".to_owned() },
        Command::DeleteMessage { room, seq },
        Command::InviteMember { room, user: cyd.user.id },
        Command::RemoveMember { room, user: ben.user.id },
        Command::LeaveRoom { room },
    ] {
        assert_eq!(answer(&mut cyds, command.clone()).await, Some(ErrorCode::NotFound), "{command:?}");
        assert_eq!(answer(&mut anas, command.clone()).await, Some(ErrorCode::SlowDown), "{command:?}");
    }
    assert_eq!(answer(&mut cyds, Command::JoinRoom { room }).await, Some(ErrorCode::NotFound));

    let (message, members) = (format!("messages/{seq}"), format!("members/{}", ben.user.id));
    for (method, path) in [
        ("PATCH", message.as_str()),
        ("DELETE", &message),
        ("PUT", &members),
        ("DELETE", &members),
        ("DELETE", "members/me"),
    ] {
        let path = format!("/api/v1/rooms/{room}/{path}");
        let body = json!({ "text": "hello" });
        assert_eq!(cyd.ask(method, &path).json(&body).await.refused(404), "not_found", "{method} {path}");
        assert_eq!(ana.ask(method, &path).json(&body).await.refused(429), "slow_down", "{method} {path}");
    }
}

#[tokio::test]
async fn who_joins_a_loud_room_comes_back_later() {
    let server = one_at_a_time(0).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let (lobby, room) = (lobby_of(&ana).await, ana.open("park", "open").await);
    let (_, token) = ana.invite(json!({ "room": room })).await;
    let mut bens = connection(&ben).await;

    let _crowds = (loud(&server, room).await, loud(&server, lobby).await);
    assert_eq!(answer(&mut bens, Command::JoinRoom { room }).await, Some(ErrorCode::SlowDown));
    let path = format!("/api/v1/rooms/{room}/members/me");
    assert_eq!(ben.put(&path, json!({})).await.refused(429), "slow_down");
    let accepted = ben.post("/api/v1/invites/accept", json!({ "token": token })).await;
    assert_eq!(accepted.refused(429), "slow_down");
    let new = json!({ "invite": token, "name": "Eve", "password": PASSWORD });
    assert_eq!(server.ask("POST", "/api/v1/users").json(&new).await.refused(429), "slow_down");
    let guest = server.ask("POST", "/api/v1/guests").json(&json!({ "name": "Eve" })).await;
    assert_eq!(guest.refused(429), "slow_down");
    assert_eq!(answer(&mut bens, Command::JoinRoom { room: lobby }).await, None, "a member already");
}

#[tokio::test]
async fn an_edit_that_waits_is_done_in_its_turn() {
    let server = one_at_a_time(8).await;
    let ana = server.ana().await;
    let (lobby, garden) = (lobby_of(&ana).await, ana.open("garden", "closed").await);
    let seq = said(&ana, lobby).await;
    let mut anas = connection(&ana).await;

    let crowd = loud(&server, lobby).await;
    let edit = anas.send(Command::EditMessage { room: lobby, seq, text: "hello".to_owned() }).await.unwrap();
    let behind = post(&mut anas, garden, "behind it").await;
    // Had the edit been written, it would have been told before this is.
    ana.say(garden, "by http").await;
    assert_eq!(next_text(&mut anas).await, "by http");

    drop(crowd);
    for id in [edit, behind] {
        let reply = next_reply(&mut anas).await;
        assert_eq!((reply.id, reply.error), (Some(id), None));
    }
}

#[tokio::test]
async fn whoever_goes_while_they_wait_takes_what_was_not_begun_along() {
    let server = one_at_a_time(1).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let lobby = lobby_of(&ana).await;
    let (mut anas, mut bens) = (connection(&ana).await, connection(&ben).await);
    here(&mut anas, 2).await;

    let crowd = loud(&server, lobby).await;
    post(&mut bens, lobby, "gone before it was begun").await;
    asked_until(&server, lobby, |verdict| matches!(verdict, Verdict::Refused(_))).await;
    drop(bens);
    here(&mut anas, 1).await;

    let waits = asked_until(&server, lobby, |verdict| matches!(verdict, Verdict::Waits(_))).await;
    let Verdict::Waits(admitted) = waits else { unreachable!("asked until it waits") };
    drop(crowd);
    drop(in_time("Ben's place", admitted).await);
    post(&mut anas, lobby, "and still here").await;
    assert_eq!(next_text(&mut anas).await, "and still here");
}

/// Asks for a place until the answer is so.
async fn asked_until(server: &Server, room: RoomId, is_so: impl Fn(&Verdict) -> bool) -> Verdict {
    let asking = async {
        loop {
            let verdict = server.running.app().pacing.ask(room, 0);
            if is_so(&verdict) {
                return verdict;
            }
            drop(verdict);
            tokio::task::yield_now().await;
        }
    };
    in_time("a verdict", asking).await
}

/// Hears who is here until it is so many.
async fn here(connection: &mut Connection, count: u64) {
    loop {
        match next_frame(connection).await {
            Some(ServerFrame::Presence(presence)) if presence.count == count => return,
            Some(_) => {}
            None => panic!("the connection ended before anybody came or went"),
        }
    }
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
