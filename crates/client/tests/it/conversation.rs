//! What a connected client asks, and how it understands the answers.

use crate::peer::{GARDEN, LOBBY, Peer, error, fixture, hello, ok, posted, quick};
use client::{Client, ConnectError, Failure, Link, News, Window};
use protocol::{ErrorCode, RoomId};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

fn lobby() -> RoomId {
    LOBBY.parse().expect("an id")
}

fn texts(ana: &Client) -> Vec<String> {
    ana.messages(lobby()).into_iter().map(|message| message.body.text).collect()
}

#[tokio::test]
async fn a_client_offers_the_protocol_shows_its_token_and_takes_in_the_hello() {
    let peer = Peer::listen().await;
    let (ana, talk) = peer.ana(&hello(12)).await;
    assert_eq!((talk.path.as_str(), talk.token.as_deref()), ("/ws", Some("Bearer ana-token")));
    assert_eq!(ana.me().name, "Ana");
    assert_eq!(ana.room("lobby"), Some(lobby()));
    let state = ana.state();
    assert_eq!((state.link, state.rooms.len(), state.unread(lobby())), (Link::Open, 2, Some(1)));
}

#[tokio::test]
async fn replies_find_their_commands_by_id() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let first = ana.edit(lobby(), 12, "one");
    let second = ana.delete(lobby(), 11);
    let answers = async {
        let commands = [talk.hears().await, talk.hears().await];
        for (command, rev) in commands.iter().rev().zip([21, 20]) {
            talk.says(&ok(command, json!({"rev": rev}))).await;
        }
        commands
    };
    let (first, second, commands) = tokio::join!(first, second, answers);
    assert_eq!(
        (&commands[0]["type"], &commands[1]["type"]),
        (&json!("edit_message"), &json!("delete_message"))
    );
    assert_eq!((first.expect("an answer").rev, second.expect("an answer").rev), (20, 21));
}

#[tokio::test]
async fn a_refusal_comes_in_the_servers_words() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let refused = async {
        let command = talk.hears_a("list_members").await;
        talk.says(&error(&command, "not_found", None)).await;
    };
    let (refused, ()) = tokio::join!(ana.list_members(lobby()), refused);
    assert!(matches!(refused, Err(Failure::Refused(error)) if error.code == ErrorCode::NotFound));
}

#[tokio::test]
async fn no_more_commands_are_under_way_than_the_server_takes() {
    let peer = Peer::listen().await;
    let mut hello = hello(12);
    hello["limits"]["unanswered"] = json!(1);
    let (ana, mut talk) = peer.ana(&hello).await;
    let one_at_a_time = async {
        for seq in [13, 14] {
            let command = talk.hears().await;
            talk.says(&posted(seq, &seq.to_string())).await;
            ana.hears(&seq.to_string()).await.expect("the client takes its turn");
            assert!(talk.has_nothing_to_hear(), "one command is under way already");
            talk.says(&ok(&command, json!({"rev": 1}))).await;
        }
    };
    let (first, second, ()) =
        tokio::join!(ana.edit(lobby(), 1, "a"), ana.edit(lobby(), 2, "b"), one_at_a_time);
    assert!(first.is_ok() && second.is_ok());
}

#[tokio::test]
async fn a_gap_is_filled_by_one_resume() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let mut events = ana.events();
    for seq in [13, 15, 16] {
        talk.says(&posted(seq, &seq.to_string())).await;
    }
    let resume = talk.hears_a("resume").await;
    assert_eq!((&resume["room"], &resume["after"]), (&json!(LOBBY), &json!(13)));
    talk.says(&ok(&resume, json!({"head": 16}))).await;
    for seq in 14..=17 {
        talk.says(&posted(seq, &seq.to_string())).await;
    }
    ana.hears("17").await.expect("the newest");
    assert_eq!(texts(&ana), ["13", "14", "15", "16", "17"]);
    for seq in 13..=17 {
        let News::Event(event) = events.next().await.expect("news") else {
            unreachable!("no reset was sent")
        };
        assert_eq!(event.seq, seq, "each event once and in order");
    }
    // If the client had asked anything else, that would be heard before this.
    let (_, command) = tokio::join!(ana.enqueue(lobby(), "done"), talk.hears());
    assert_eq!(command["type"], "post_message");
}

#[tokio::test]
async fn a_beat_tells_of_a_lost_tail() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&json!({"type": "beat", "heads": {LOBBY: 12, GARDEN: 3}})).await;
    talk.says(&json!({"type": "beat", "heads": {LOBBY: 14}})).await;
    let resume = talk.hears_a("resume").await;
    assert_eq!(resume["after"], 12);
    talk.says(&ok(&resume, json!({"head": 14}))).await;
    for seq in [13, 14] {
        talk.says(&posted(seq, &seq.to_string())).await;
    }
    ana.hears("14").await.expect("the lost tail");
}

#[tokio::test]
async fn a_resume_that_brings_nothing_is_asked_again_at_the_next_beat_but_one() {
    let peer = Peer::listen().await;
    let (_ana, mut talk) = peer.ana(&hello(12)).await;
    let beat = json!({"type": "beat", "heads": {LOBBY: 14}});
    talk.says(&beat).await;
    let resume = talk.hears_a("resume").await;
    talk.says(&ok(&resume, json!({"head": 14}))).await;
    talk.says(&beat).await;
    assert_eq!(talk.hears_a("resume").await["after"], 12);
}

#[tokio::test]
async fn who_lagged_resumes() {
    let peer = Peer::listen().await;
    let (_ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&posted(13, "13")).await;
    talk.says(&fixture("frame.lagged")).await;
    assert_eq!(talk.hears_a("resume").await["after"], 13);
}

#[tokio::test]
async fn an_unknown_event_has_its_place() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(14)).await;
    talk.says(&json!({"type": "fireworks"})).await;
    talk.says(&fixture("frame.unknown")).await;
    talk.says(&posted(16, "after the poll")).await;
    ana.hears("after the poll").await.expect("the message after an unknown event");
    assert_eq!(ana.state().timelines[&lobby()].last(), 16);
}

#[tokio::test]
async fn what_is_no_frame_is_passed_over() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    for text in ["", "{", "[]", r#"{"type":"beat"}"#, r#"{"type":"reply","id":99,"ok":{}}"#] {
        talk.says_text(text).await;
    }
    talk.says(&posted(13, "still here")).await;
    ana.hears("still here").await.expect("the message after nonsense");
}

#[tokio::test]
async fn a_reset_starts_the_room_afresh_and_is_told() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let mut events = ana.events();
    let mut reset = fixture("frame.reset");
    reset["as_of"] = json!(5000);
    talk.says(&reset).await;
    assert!(matches!(events.next().await, Some(News::Reset(reset)) if reset.as_of == 5000));
    assert_eq!(texts(&ana), ["", "Hello!", "Hi Ben"]);
    assert_eq!(ana.state().rooms[&lobby()].head, 5000);
}

#[tokio::test]
async fn rooms_come_and_go() {
    let peer = Peer::listen().await;
    let mut hello = hello(12);
    hello["rooms"].as_array_mut().expect("rooms").pop();
    let (ana, mut talk) = peer.ana(&hello).await;
    assert_eq!(ana.room("garden"), None);
    talk.says(&fixture("frame.room_joined")).await;
    ana.wait_until("the garden", |state| state.room_named("garden").is_some()).await.expect("the garden");
    talk.says(&fixture("frame.room_left")).await;
    ana.wait_until("no garden", |state| state.timelines.len() == 1).await.expect("no garden");
    assert_eq!(ana.room("garden"), None);
}

#[tokio::test]
async fn read_marks_and_unread_follow_every_device() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&posted(13, "13")).await;
    ana.wait_until("two unread", |state| state.unread(lobby()) == Some(2)).await.expect("two unread");
    talk.says(&fixture("frame.read_marked")).await;
    ana.wait_until("one unread", |state| state.unread(lobby()) == Some(1)).await.expect("one unread");
    let mut own = posted(14, "mine");
    own["by"] = json!(ana.me());
    talk.says(&own).await;
    ana.wait_until("none unread", |state| state.unread(lobby()) == Some(0)).await.expect("none unread");
}

#[tokio::test]
async fn pages_go_into_the_timeline() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(14)).await;
    let page = fixture("reply.message_page")["ok"].clone();
    let answer = async {
        let command = talk.hears_a("list_messages").await;
        talk.says(&ok(&command, page.clone())).await;
        let older = talk.hears_a("list_messages").await;
        let empty = json!({"as_of": 14, "messages": [], "more_before": false, "more_after": true});
        talk.says(&ok(&older, empty)).await;
        older
    };
    let load = async {
        ana.load(lobby(), Window::Newest).await.expect("the newest page");
        ana.load_older(lobby()).await.expect("the page before");
    };
    let ((), older) = tokio::join!(load, answer);
    assert_eq!(older["before"], 10);
    assert_eq!(texts(&ana), ["", "Hello!", "Hi Ben"]);
    assert!(!ana.state().timelines[&lobby()].more_before());
}

#[tokio::test]
async fn every_text_received_is_recorded() {
    let peer = Peer::listen().await;
    let hello = hello(12);
    let (ana, mut talk) = peer.ana(&hello).await;
    let event = posted(13, "13");
    talk.says(&event).await;
    ana.hears("13").await.expect("the message");
    assert_eq!(ana.recorded(), [hello.to_string(), event.to_string()]);
}

#[tokio::test]
async fn agreement_finds_what_differs() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    talk.says(&posted(13, "thirteen")).await;
    ana.hears("thirteen").await.expect("the message");
    let here = json!(ana.messages(lobby()));
    let rooms = json!(ana.state().rooms.values().collect::<Vec<_>>());
    for (there, agrees) in [(here.clone(), true), (json!([]), false)] {
        let answer = async {
            let command = talk.hears_a("list_rooms").await;
            talk.says(&ok(&command, json!({"mine": rooms, "open": []}))).await;
            for (room, as_of, there) in [(LOBBY, 13, there), (GARDEN, 3, json!([]))] {
                let command = talk.hears_a("list_messages").await;
                assert_eq!(command["room"], room);
                let page: Value =
                    json!({"as_of": as_of, "messages": there, "more_before": false, "more_after": false});
                talk.says(&ok(&command, page)).await;
                if !agrees {
                    break;
                }
            }
        };
        let (agreed, ()) = tokio::join!(ana.agrees(), answer);
        assert_eq!(agreed.is_ok(), agrees, "{agreed:?}");
    }
}

#[tokio::test]
async fn a_refused_upgrade_says_why() {
    let peer = Peer::listen().await;
    let refuse = async {
        let mut stream = peer.accept_tcp().await;
        let body = fixture("http.error").to_string();
        let head = format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await.expect("a listening client");
        stream
    };
    let (refused, _stream) = tokio::join!(Client::connect_with(&peer.address, "spent", quick()), refuse);
    assert!(matches!(refused, Err(ConnectError::Refused { status: 401, error: Some(_) })));
}

#[tokio::test]
async fn a_client_that_is_dropped_says_goodbye() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    drop(ana);
    talk.end().await;
}
