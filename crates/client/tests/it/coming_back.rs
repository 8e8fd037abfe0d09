//! Lost connections.

use crate::peer::{GARDEN, LOBBY, Peer, hello, ok, posted, quick};
use client::{Ended, Failure, Link, Options};
use protocol::RoomId;
use serde_json::json;
use std::time::Duration;

fn lobby() -> RoomId {
    LOBBY.parse().expect("an id")
}

#[tokio::test]
async fn every_room_is_resumed_from_where_it_stopped() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&posted(13, "13")).await;
    ana.hears("13").await.expect("the message");
    talk.ends(None, "").await;
    let mut hello = hello(15);
    hello["rooms"][1]["head"] = json!(4);
    let mut talk = peer.greet(&hello).await;
    let mut after = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let resume = talk.hears_a("resume").await;
        after.insert(resume["room"].to_string(), resume["after"].clone());
        talk.says(&ok(&resume, json!({"head": 15}))).await;
    }
    assert_eq!(after, [(format!("\"{LOBBY}\""), json!(13)), (format!("\"{GARDEN}\""), json!(3))].into());
    for seq in [14, 15] {
        talk.says(&posted(seq, &seq.to_string())).await;
    }
    ana.hears("15").await.expect("what was missed");
    assert_eq!(ana.messages(lobby()).len(), 3);
}

#[tokio::test]
async fn another_epoch_means_starting_afresh() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&posted(13, "of another life")).await;
    ana.hears("of another life").await.expect("the message");
    talk.ends(Some(1012), "").await;
    let mut hello = hello(20);
    hello["epoch"] = json!("another");
    let mut talk = peer.greet(&hello).await;
    ana.wait_until("the new epoch", |state| state.epoch.as_deref() == Some("another"))
        .await
        .expect("the hello");
    assert_eq!((ana.messages(lobby()).len(), ana.state().timelines[&lobby()].last()), (0, 20));
    // If the client had resumed anything, that would be heard before this.
    let (_, command) = tokio::join!(ana.enqueue(lobby(), "hi"), talk.hears());
    assert_eq!(command["type"], "post_message");
}

#[tokio::test]
async fn a_client_ahead_of_the_server_starts_the_room_afresh() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&posted(13, "unheard of")).await;
    ana.hears("unheard of").await.expect("the message");
    talk.ends(None, "").await;
    let _talk = peer.greet(&hello(12)).await;
    ana.wait_until("the second hello", |state| state.hellos == 2).await.expect("the hello");
    let state = ana.state();
    assert_eq!((state.rooms[&lobby()].head, state.timelines[&lobby()].last()), (12, 12));
    assert_eq!(ana.messages(lobby()).len(), 0);
}

#[tokio::test]
async fn a_room_that_hello_does_not_list_is_gone() {
    let peer = Peer::listen().await;
    let (ana, talk) = peer.ana(&hello(12)).await;
    talk.ends(None, "").await;
    let mut hello = hello(12);
    hello["rooms"].as_array_mut().expect("rooms").pop();
    let _talk = peer.greet(&hello).await;
    ana.wait_until("no garden", |state| state.room_named("garden").is_none()).await.expect("no garden");
}

#[tokio::test]
async fn every_code_but_the_stay_away_list_means_come_back() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    for code in [Some(1000), Some(1001), Some(1007), Some(1009), Some(1012), Some(1013), Some(4000), None] {
        talk.ends(code, "").await;
        talk = peer.greet(&hello(12)).await;
    }
    ana.wait_until("the last hello", |state| state.hellos == 9).await.expect("nine hellos");
}

#[tokio::test]
async fn a_limit_says_how_long_to_stay_away() {
    let peer = Peer::listen().await;
    let (ana, talk) = peer.ana(&hello(12)).await;
    let left = tokio::time::Instant::now();
    talk.ends(Some(1008), r#"{"retry_after_ms":300}"#).await;
    let _talk = peer.greet(&hello(12)).await;
    assert!(left.elapsed().as_millis() >= 300);
    ana.wait_until("the hello", |state| state.hellos == 2).await.expect("the hello");
}

#[tokio::test]
async fn the_stay_away_list_ends_the_client() {
    for code in [4401, 4403] {
        let peer = Peer::listen().await;
        let (ana, talk) = peer.ana(&hello(12)).await;
        talk.ends(Some(code), "").await;
        let ended = Link::Ended(Ended::StayAway(code));
        ana.wait_until("the end", |state| state.link == ended).await.expect("the end");
        assert_eq!(ana.post(lobby(), "hi").await, Err(Failure::Ended));
        assert!(ana.events().next().await.is_none());
    }
}

#[tokio::test]
async fn a_session_that_ended_ends_the_client_even_without_its_close_frame() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&json!({"type": "session_ended"})).await;
    talk.ends(None, "").await;
    let ended = Link::Ended(Ended::StayAway(4401));
    ana.wait_until("the end", |state| state.link == ended).await.expect("the end");
}

#[tokio::test]
async fn who_shall_not_come_back_tells_the_code() {
    let peer = Peer::listen().await;
    let (ana, talk) = peer.ana_with(Options { reconnect: false, ..quick() }, &hello(12)).await;
    talk.ends(Some(1013), "").await;
    let ended = Link::Ended(Ended::Closed(Some(1013)));
    ana.expect("a client").wait_until("the end", |state| state.link == ended).await.expect("the end");
}

#[tokio::test]
async fn two_silent_intervals_mean_reconnect() {
    let peer = Peer::listen().await;
    let mut hello = hello(12);
    hello["heartbeat_ms"] = json!(40);
    let (ana, talk) = peer.ana(&hello).await;
    let silent = talk;
    let _talk = peer.greet(&hello).await;
    ana.wait_until("the second hello", |state| state.hellos >= 2).await.expect("the hello");
    drop(silent);
}

#[tokio::test]
async fn a_line_that_froze_is_noticed_after_two_beats_of_the_default_length() {
    let peer = Peer::listen().await;
    let hello = hello(12);
    let beats = Duration::from_millis(2 * hello["heartbeat_ms"].as_u64().expect("a number"));
    let (ana, talk) = peer.ana_with(Options { patience: 2 * beats, ..quick() }, &hello).await;
    let ana = ana.expect("a client");
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    ana.wait_until("the end of the line", |state| state.link != Link::Open).await.expect("the end");
    let noticed = began.elapsed();
    // Timers have a grain of a millisecond.
    assert!(noticed.as_millis() <= beats.as_millis() + 1 && noticed > beats * 9 / 10, "{noticed:?}");
    drop(talk);
}

#[tokio::test]
async fn a_command_on_a_broken_connection_is_neither_done_nor_refused() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let broken = async {
        talk.hears_a("edit_message").await;
        talk.ends(None, "").await;
    };
    let (edited, ()) = tokio::join!(ana.edit(lobby(), 12, "x"), broken);
    assert_eq!(edited, Err(Failure::Lost));
}

#[tokio::test]
async fn who_is_disconnected_stays_away_until_told_to_come_back() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    ana.disconnect().await;
    assert_eq!(talk.end().await, None, "a broken network sends no close frame");
    let nonce = ana.enqueue(lobby(), "written offline").await.expect("a nonce");
    ana.wait_until("the draft", |state| state.outbox.get(&nonce).is_some()).await.expect("the draft");
    let greet = async {
        let mut talk = peer.greet(&hello(12)).await;
        talk.hears_a("post_message").await
    };
    let (back, post) = tokio::join!(ana.reconnect(), greet);
    back.expect("the hello");
    assert_eq!((&post["text"], &post["nonce"]), (&json!("written offline"), &json!(nonce)));
}
