//! Frames that never arrive: a reply, an event, the last thing said.

use super::support::{client, client_at, connection, everyone_agrees, next_event, next_reply, room, texts};
use super::wire::{LossyWire, Wire};
use crate::support::Server;
use client::{Client, Link};
use protocol::frame::Posted;
use protocol::{Command, ErrorCode, Nonce, RoomId};
use std::time::Duration;

#[tokio::test]
async fn a_retry_after_a_lost_reply_posts_once() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, client(&server.ben().await).await);
    let wire = LossyWire::to(server.address()).await;
    let device = client_at(wire.address, &ana).await;
    let lobby = room(&device, "lobby");
    let nonce = Nonce::new("ana-1").unwrap();
    // The first sign of it, reply or event, is lost with the connection.
    wire.breaks_at("ana-1");
    let posted = device.post_as(lobby, "once", &nonce).await.unwrap();
    assert!(wire.is_done());
    assert_eq!(device.read(|state| state.hellos), 2);
    assert_eq!(ben.hears("once").await.unwrap().seq, posted.seq);
    device.post(lobby, "and on").await.unwrap();
    ben.hears("and on").await.unwrap();
    assert_eq!(texts(&ben, lobby), ["once", "and on"]);
    everyone_agrees(&server, &[&device, &ben]).await;
}

async fn post_again(
    server: &Server,
    who: &crate::support::Actor,
    room: RoomId,
    text: &str,
) -> protocol::frame::Reply {
    let mut bare = connection(who).await;
    let nonce = Nonce::new("ana-1").unwrap();
    bare.send(Command::PostMessage { room, body: text.into(), nonce }).await.unwrap();
    let reply = next_reply(&mut bare).await;
    super::support::nothing_broke(server);
    reply
}

#[tokio::test]
async fn a_retry_gets_the_first_reply_also_after_an_edit_and_a_deletion_of_the_row() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, client(&server.ben().await).await);
    let device = client(&ana).await;
    let lobby = room(&device, "lobby");
    let mut bare = connection(&ana).await;
    let nonce = Nonce::new("ana-1").unwrap();
    bare.send(Command::PostMessage { room: lobby, body: "once".into(), nonce }).await.unwrap();
    let first = ben.hears("once").await.unwrap();
    // Gone before the reply is read.
    bare.sever();
    let posted = |reply: protocol::frame::Reply| serde_json::from_value::<Posted>(reply.ok.unwrap()).unwrap();
    let original = posted(post_again(&server, &ana, lobby, "once").await);
    assert_eq!((original.seq, original.n, original.at), (first.seq, first.n, first.at));
    device.edit(lobby, first.seq, "edited").await.unwrap();
    assert_eq!(posted(post_again(&server, &ana, lobby, "once").await), original);
    let conflict = post_again(&server, &ana, lobby, "edited").await;
    assert_eq!(conflict.error.unwrap().code, ErrorCode::Conflict, "the draft counts, not what became of it");
    device.delete(lobby, first.seq).await.unwrap();
    assert_eq!(posted(post_again(&server, &ana, lobby, "once").await), original);
    device.post(lobby, "next").await.unwrap();
    ben.hears("next").await.unwrap();
    assert_eq!(texts(&ben, lobby), ["", "next"]);
    everyone_agrees(&server, &[&device, &ben]).await;
}

#[tokio::test]
async fn an_event_lost_in_the_middle_is_noticed_by_the_next_one() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let wire = LossyWire::to(server.address()).await;
    let device = client_at(wire.address, &ben).await;
    let lobby = room(&ana, "lobby");
    wire.loses("lost");
    ana.post(lobby, "lost").await.unwrap();
    ana.post(lobby, "next").await.unwrap();
    device.hears("next").await.unwrap();
    assert!(wire.is_done());
    assert_eq!(texts(&device, lobby), ["lost", "next"]);
    assert_eq!(device.read(|state| state.hellos), 1, "on the same connection");
    everyone_agrees(&server, &[&ana, &device]).await;
}

/// Long enough for a client not to take a busy machine for a dead one.
const HEARTBEAT: Duration = Duration::from_millis(400);

async fn hears_the_lost_one(ana: &Client, device: &Client, wire: &LossyWire, lobby: RoomId) {
    wire.loses("lost");
    ana.post(lobby, "lost").await.unwrap();
    // Nothing more is said: only the beat can tell.
    device.hears("lost").await.unwrap();
    assert!(wire.is_done());
}

#[tokio::test]
async fn a_lost_tail_is_noticed_by_the_beat() {
    let server = Server::start_with(|config| config.heartbeat = HEARTBEAT).await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let wire = LossyWire::to(server.address()).await;
    let device = client_at(wire.address, &ben).await;
    hears_the_lost_one(&ana, &device, &wire, room(&ana, "lobby")).await;
    assert_eq!(device.read(|state| (state.hellos, state.link)), (1, Link::Open));
    everyone_agrees(&server, &[&ana, &device]).await;
}

#[tokio::test]
async fn a_beat_tells_the_heads_that_moved_whether_or_not_anything_was_delivered() {
    let server = Server::start_with(|config| config.heartbeat = HEARTBEAT).await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    let (mut bare, lobby) = (connection(&ben).await, ana.open("kitchen", "open").await);
    ana.bring(lobby, &ben).await;
    let said = ana.say(lobby, "hi").await;
    loop {
        match super::support::next_frame(&mut bare).await {
            Some(protocol::ServerFrame::Beat(beat)) if beat.heads.get(&lobby) == Some(&said) => break,
            Some(_) => {}
            None => panic!("the connection ended before the beat"),
        }
    }
    bare.send(Command::Resume { room: lobby, after: said - 1 }).await.unwrap();
    assert_eq!(next_event(&mut bare).await.seq, said);
    super::support::nothing_broke(&server);
}

#[tokio::test]
async fn whoever_answers_no_ping_is_let_go_before_a_fourth_one() {
    let server = Server::start_with(|config| config.heartbeat = HEARTBEAT).await;
    let bearer = format!("Bearer {}", server.ana().await.token);
    let fields = [("Sec-WebSocket-Protocol", "roomful.v1"), ("Authorization", bearer.as_str())];
    let mut frozen = Wire::open(server.address(), "/ws", &fields).await;
    let mut beats = 0;
    let code = loop {
        match frozen.hear().await {
            Ok(frame) => beats += u32::from(frame["type"] == "beat"),
            Err(code) => break code,
        }
    };
    assert_eq!(code, 1001);
    assert!((2..=3).contains(&beats), "{beats}");
    super::support::nothing_broke(&server);
}
