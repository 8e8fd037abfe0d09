//! Posts through every kind of trouble.

use crate::peer::{LOBBY, Peer, error, hello, ok, posted};
use client::Failure;
use protocol::{ErrorCode, RoomId};
use serde_json::{Value, json};

fn lobby() -> RoomId {
    LOBBY.parse().expect("an id")
}

fn reply(post: &Value, seq: u64) -> Value {
    ok(post, json!({"seq": seq, "n": seq - 3, "at": 1, "nonce": post["nonce"]}))
}

#[tokio::test]
async fn a_post_without_an_answer_is_sent_again_under_its_nonce() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let trouble = async {
        let first = talk.hears_a("post_message").await;
        talk.ends(None, "").await;
        let mut talk = peer.greet(&hello(12)).await;
        let second = talk.hears_a("post_message").await;
        assert_eq!((&first["nonce"], &first["text"]), (&second["nonce"], &second["text"]));
        talk.says(&reply(&second, 13)).await;
        talk
    };
    let (posted, _talk) = tokio::join!(ana.post(lobby(), "hi"), trouble);
    assert_eq!(posted.expect("the place").seq, 13);
    assert_eq!(ana.messages(lobby()).len(), 1);
    assert!(ana.state().outbox.pending().is_empty());
}

#[tokio::test]
async fn a_post_that_resume_brings_is_not_sent_again() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let trouble = async {
        let post = talk.hears_a("post_message").await;
        let mut event = posted(13, "hi");
        (event["nonce"], event["by"]) = (post["nonce"].clone(), json!(ana.me()));
        talk.says(&event).await;
        ana.hears("hi").await.expect("the event");
        talk.ends(None, "").await;
        let mut talk = peer.greet(&hello(13)).await;
        let (_, next) = tokio::join!(ana.enqueue(lobby(), "next"), talk.hears_a("post_message"));
        assert_eq!(next["text"], "next");
    };
    let (posted, ()) = tokio::join!(ana.post(lobby(), "hi"), trouble);
    assert_eq!(posted.expect("the place of the event").seq, 13);
}

#[tokio::test]
async fn one_row_whether_the_reply_or_the_event_comes_first() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    for (seq, event_first) in [(13, true), (14, false)] {
        let text = seq.to_string();
        let answer = async {
            let post = talk.hears_a("post_message").await;
            let mut event = posted(seq, &text);
            (event["nonce"], event["by"]) = (post["nonce"].clone(), json!(ana.me()));
            let mut frames = [event, reply(&post, seq)];
            if !event_first {
                frames.reverse();
            }
            for frame in frames {
                talk.says(&frame).await;
            }
        };
        let (posted, ()) = tokio::join!(ana.post(lobby(), &text), answer);
        assert_eq!(posted.expect("a place").seq, seq);
        ana.wait_until("the event", |state| state.timelines[&lobby()].last() == seq)
            .await
            .expect("the event");
    }
    let seqs: Vec<u64> = ana.messages(lobby()).iter().map(|message| message.seq).collect();
    assert_eq!(seqs, [13, 14]);
}

#[tokio::test]
async fn a_refusal_of_the_moment_is_tried_again_under_the_same_nonce() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let trouble = async {
        let mut nonces = Vec::new();
        for code in ["slow_down", "overloaded", "rate_limited", "unknown"] {
            let post = talk.hears_a("post_message").await;
            talk.says(&error(&post, code, Some(1))).await;
            nonces.push(post["nonce"].clone());
        }
        let post = talk.hears_a("post_message").await;
        assert!(nonces.iter().all(|nonce| *nonce == post["nonce"]));
        talk.says(&reply(&post, 13)).await;
    };
    let (posted, ()) = tokio::join!(ana.post(lobby(), "hi"), trouble);
    assert_eq!(posted.expect("the place").seq, 13);
}

#[tokio::test]
async fn a_refusal_for_good_is_told_and_the_draft_kept() {
    let peer = Peer::listen().await;
    let (ana, mut talk) = peer.ana(&hello(12)).await;
    let refuse = async {
        let post = talk.hears_a("post_message").await;
        talk.says(&error(&post, "forbidden", None)).await;
    };
    let (refused, ()) = tokio::join!(ana.post(lobby(), "hi"), refuse);
    assert!(matches!(refused, Err(Failure::Refused(error)) if error.code == ErrorCode::Forbidden));
    let nonce = ana.state().outbox.pending()[0].nonce.clone();
    assert_eq!(ana.discard(&nonce).as_deref(), Some("hi"));
    assert_eq!(ana.discard(&nonce), None);
}

#[tokio::test]
async fn posts_go_out_in_the_order_in_which_they_were_written() {
    let peer = Peer::listen().await;
    let (ana, talk) = peer.ana(&hello(12)).await;
    ana.disconnect().await;
    drop(talk);
    for text in ["one", "two", "three"] {
        ana.enqueue(lobby(), text).await.expect("a nonce");
    }
    let greet = async {
        let mut talk = peer.greet(&hello(12)).await;
        let mut texts = Vec::new();
        for _ in 0..3 {
            texts.push(talk.hears_a("post_message").await["text"].clone());
        }
        texts
    };
    let (_, texts) = tokio::join!(ana.reconnect(), greet);
    assert_eq!(texts, ["one", "two", "three"]);
}
