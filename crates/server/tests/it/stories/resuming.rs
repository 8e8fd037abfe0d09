//! Whoever was away, or missed something, ends without a hole.

use super::support::{
    all_have, client, connection, everyone_agrees, frames, in_time, next_frame, room, texts,
};
use super::wire::Wire;
use crate::support::{Actor, Server};
use client::{Client, Connection};
use protocol::{Command, RoomId, ServerFrame};
use serde_json::json;
use std::collections::BTreeSet;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What a device was told since its last hello: how many different messages, and how many resets.
fn told(client: &Client) -> (usize, usize) {
    let frames = frames(client);
    let hello = frames.iter().rposition(|frame| frame["type"] == "hello").unwrap();
    let of = |kind: &'static str| frames[hello..].iter().filter(move |frame| frame["type"] == kind);
    let posted: BTreeSet<u64> = of("message_posted").map(|frame| frame["seq"].as_u64().unwrap()).collect();
    (posted.len(), of("reset").count())
}

/// Ben is away while Ana posts; Dot has nothing to do with it but holds the room's tail in memory.
async fn missed(server: &Server, posts: usize) -> (Client, Client, RoomId) {
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let lobby = room(&ana, "lobby");
    ana.post(lobby, "seen").await.unwrap();
    ben.hears("seen").await.unwrap();
    ben.disconnect().await;
    for number in 0..posts {
        ana.enqueue(lobby, &format!("missed {number}")).await.unwrap();
    }
    ana.wait_until("everything to be posted", |state| state.outbox.pending().is_empty()).await.unwrap();
    (ana, ben, lobby)
}

async fn come_back(ana: &Client, ben: &Client, lobby: RoomId) {
    ben.reconnect().await.unwrap();
    let live = ana.post(lobby, "live again").await.unwrap();
    all_have(&[ana, ben], lobby, live.seq).await;
}

#[tokio::test]
async fn a_few_missed_events_come_from_the_tail() {
    misses_a_few(Server::start().await).await;
}

#[tokio::test]
async fn a_few_missed_events_come_from_the_tail_over_tls() {
    misses_a_few(Server::start_over_tls().await).await;
}

async fn misses_a_few(server: Server) {
    let (ana, ben, lobby) = missed(&server, 5).await;
    // Ana's two devices, one on each shard if there are two, keep the tail.
    come_back(&ana, &ben, lobby).await;
    assert_eq!(texts(&ben, lobby), texts(&ana, lobby));
    assert_eq!(told(&ben), (6, 0));
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn hundreds_of_missed_events_come_from_the_log_in_pages() {
    misses_hundreds(Server::start().await).await;
}

#[tokio::test]
async fn hundreds_of_missed_events_come_from_the_log_in_pages_over_tls() {
    misses_hundreds(Server::start_over_tls().await).await;
}

async fn misses_hundreds(server: Server) {
    let (ana, ben, lobby) = missed(&server, 700).await;
    // Nobody keeps a tail while nobody listens.
    ana.disconnect().await;
    ana.reconnect().await.unwrap();
    come_back(&ana, &ben, lobby).await;
    assert_eq!(texts(&ben, lobby), texts(&ana, lobby));
    assert_eq!(told(&ben), (701, 0));
    assert!(server.running.app().delivery.stats().too_old > 0, "no tail reaches back that far");
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn more_than_a_thousand_missed_events_are_a_reset() {
    let server = Server::start().await;
    let (ana, ben, lobby) = missed(&server, 1_001).await;
    ben.reconnect().await.unwrap();
    ben.hears("missed 1000").await.unwrap();
    let live = ana.post(lobby, "live again").await.unwrap();
    all_have(&[&ana, &ben], lobby, live.seq).await;
    assert_eq!(told(&ben), (1, 1));
    assert_eq!(texts(&ben, lobby).len(), 51, "the newest page, and what came after");
    for _ in 0..20 {
        ben.load_older(lobby).await.unwrap();
    }
    assert_eq!(texts(&ben, lobby), texts(&ana, lobby));
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn exactly_a_thousand_missed_events_come_one_by_one() {
    let server = Server::start().await;
    let (ana, ben, _) = missed(&server, 1_000).await;
    ben.reconnect().await.unwrap();
    ben.hears("missed 999").await.unwrap();
    assert_eq!(told(&ben), (1_000, 0));
    everyone_agrees(&server, &[&ana, &ben]).await;
}

/// Reads on and applies by the rule, up to `head`; ahead of what was asked for comes what happens meanwhile.
async fn apply_up_to(connection: &mut Connection, mut last: u64, head: u64) {
    while last < head {
        match next_frame(connection).await {
            Some(ServerFrame::Event(event)) if event.seq == last + 1 => last = event.seq,
            Some(ServerFrame::Reset(reset)) => last = last.max(reset.as_of),
            Some(ServerFrame::Lagged(lagged)) => {
                connection.send(Command::Resume { room: lagged.room, after: last }).await.unwrap();
            }
            Some(_) => {}
            None => panic!("the connection ended at {last} of {head}"),
        }
    }
}

/// Posts nine at a time until told to stop; gives the last `seq`.
fn keep_talking(who: &Client, room: RoomId) -> (oneshot::Sender<()>, JoinHandle<u64>) {
    let (stop, mut stopped) = oneshot::channel();
    let who = who.clone();
    let talking = tokio::spawn(async move {
        loop {
            for _ in 0..8 {
                who.enqueue(room, "on and on").await.unwrap();
            }
            let last = who.post(room, "on and on").await.unwrap().seq;
            if stopped.try_recv().is_ok() {
                return last;
            }
        }
    });
    (stop, talking)
}

#[tokio::test]
async fn resuming_again_and_again_in_a_busy_room_ends_without_a_hole() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let first = ana.post(lobby, "first").await.unwrap().seq;
    let (stop, talking) = keep_talking(&ana, lobby);
    let mut bare = Vec::new();
    for round in 0..40 {
        let mut connection = connection(&ben).await;
        // From the beginning, from the middle, from the end: by tail, log and both.
        let head = connection.hello().rooms[0].head;
        let after = [first, head / 2, head][round % 3];
        connection.send(Command::Resume { room: lobby, after }).await.unwrap();
        bare.push((connection, after.min(head)));
    }
    stop.send(()).unwrap();
    let head = talking.await.unwrap();
    for (mut connection, after) in bare {
        in_time("everything up to the head", apply_up_to(&mut connection, after, head)).await;
    }
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn a_client_ahead_of_the_head_starts_afresh() {
    let server = Server::start().await;
    let ana = server.ana().await;
    let mut bare = connection(&ana).await;
    let lobby = bare.hello().rooms[0].id;
    let head = ana.say(lobby, "hi").await;
    bare.send(Command::Resume { room: lobby, after: head + 100 }).await.unwrap();
    let reset = loop {
        match next_frame(&mut bare).await {
            Some(ServerFrame::Reset(reset)) => break reset,
            Some(_) => {}
            None => panic!("the connection ended before the reset"),
        }
    };
    assert_eq!((reset.as_of, reset.messages.len()), (head, 1));
    let Some(ServerFrame::ReadMarked(mark)) = next_frame(&mut bare).await else { panic!("no mark") };
    assert_eq!((mark.read.seq, mark.read.n), (head, 1), "what Ana wrote on another device is read");
    ana.say(lobby, "still here").await;
    apply_up_to(&mut bare, head, head + 1).await;
    super::support::nothing_broke(&server);
}

/// Ana's posts by HTTP, on which no device of hers depends.
async fn say(ana: &Actor, lobby: RoomId, count: usize) {
    for number in 0..count {
        ana.say(lobby, &format!("by HTTP {number}")).await;
    }
}

#[tokio::test]
async fn a_resume_before_the_hello_neither_breaks_nor_doubles_anything() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let lobby = room(&client(&ana).await, "lobby");
    say(&ana, lobby, 3).await;
    let bearer = format!("Bearer {}", ben.token);
    let fields = [("Sec-WebSocket-Protocol", "roomful.v1"), ("Authorization", bearer.as_str())];
    let mut wire = Wire::open(server.address(), "/ws", &fields).await;
    wire.say(&json!({ "id": 1, "type": "resume", "room": lobby, "after": 1 }).to_string()).await;
    let (mut head, mut answered, mut last) = (None, false, 0);
    while head.is_none() || !answered {
        let frame = wire.hear().await.unwrap();
        match frame["type"].as_str().unwrap() {
            "hello" => {
                let rooms = frame["rooms"].as_array().unwrap();
                let known = rooms.iter().find(|known| known["id"] == json!(lobby)).unwrap();
                head = known["head"].as_u64();
            }
            "reply" => answered = true,
            "message_posted" => last = frame["seq"].as_u64().unwrap(),
            _ => {}
        }
    }
    let head = head.unwrap();
    say(&ana, lobby, 1).await;
    loop {
        let frame = wire.hear().await.unwrap();
        if frame["type"] == "message_posted" {
            let seq = frame["seq"].as_u64().unwrap();
            assert!(last == 0 || seq == last + 1, "{seq} after {last}");
            last = seq;
            if seq > head {
                assert_eq!(seq, head + 1);
                break;
            }
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_no_reason_for_a_hole() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, client(&server.ben().await).await);
    let lobby = room(&ben, "lobby");
    for _ in 0..10 {
        ben.disconnect().await;
        say(&ana, lobby, 3).await;
        ben.reconnect().await.unwrap();
        ben.agrees().await.unwrap();
    }
    everyone_agrees(&server, &[&ben]).await;
}

#[tokio::test]
async fn a_crowd_that_comes_back_at_once_has_each_page_of_the_log_read_once() {
    assert_eq!(pages_read_for_a_crowd(|first, _| first).await, 2);
}

#[tokio::test]
async fn a_crowd_that_left_at_as_many_places_has_each_page_of_the_log_read_about_once() {
    // Of the first page the end that the first one lacks, too, for nobody knows of the crowd yet.
    let reads = pages_read_for_a_crowd(|first, number| first + 7 * number % 200).await;
    assert!((2..=3).contains(&reads), "{reads} pages were read");
}

/// How many pages are read for 200 who come back at once, and lack up to 300 events; each has what `left` says.
async fn pages_read_for_a_crowd(left: impl Fn(u64, u64) -> u64) -> u64 {
    const CROWD: u64 = 200;
    let server =
        Server::start_with(|config| config.limits.connections_per_user = 2 * u32::try_from(CROWD).unwrap())
            .await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let lobby = room(&client(&ana).await, "lobby");
    let first = ana.say(lobby, "seen").await;
    // Nobody listens: no tail will reach back, and a page of the log holds less than this.
    say(&ana, lobby, 300).await;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        crowd.push((connection(&ben).await, left(first, number)));
    }
    let chat = &server.running.app().chat;
    let before = chat.log_reads();
    for (connection, after) in &mut crowd {
        connection.send(Command::Resume { room: lobby, after: *after }).await.unwrap();
    }
    for (mut connection, after) in crowd {
        in_time("everything up to the head", apply_up_to(&mut connection, after, first + 300)).await;
    }
    let reads = chat.log_reads() - before;
    super::support::nothing_broke(&server);
    reads
}
