//! What people say, and how much of it at a time.

use std::time::Duration;

use delivery::{Frame, Options};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as RawFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::support::{Told, hall, hall_with, next, options};

fn fragment(text: &str, opcode: Data, last: bool) -> Message {
    Message::Frame(RawFrame::message(text.to_owned(), OpCode::Data(opcode), last))
}

#[tokio::test]
async fn texts_and_binaries_reach_the_gateway() {
    let hall = hall();
    let mut ana = hall.person().await;

    ana.says("grüß dich").await;
    ana.sends(Message::binary(vec![0, 1, 2])).await;
    ana.says("").await;

    ana.gateway_is_told(Told::Text("grüß dich".to_owned())).await;
    ana.gateway_is_told(Told::Binary(vec![0, 1, 2])).await;
    ana.gateway_is_told(Told::Text(String::new())).await;
}

#[tokio::test]
async fn a_text_in_fragments_is_one_text_even_with_a_ping_between() {
    let hall = hall();
    let mut ana = hall.person().await;

    ana.sends(fragment("good ", Data::Text, false)).await;
    ana.sends(Message::Ping("still there?".into())).await;
    ana.sends(fragment("mor", Data::Continue, false)).await;
    ana.sends(fragment("ning", Data::Continue, true)).await;

    ana.gateway_is_told(Told::Text("good morning".to_owned())).await;
    assert_eq!(ana.message().await, Message::Pong("still there?".into()));
}

#[tokio::test]
async fn fragments_that_add_up_to_too_much_are_refused() {
    let hall = hall_with(Options { max_message: 1000, ..options() });
    let mut ana = hall.person().await;

    ana.sends(fragment(&"x".repeat(600), Data::Text, false)).await;
    ana.sends(fragment(&"x".repeat(600), Data::Continue, true)).await;

    ana.is_sent_away(1009).await;
}

#[tokio::test]
async fn whoever_says_far_too_much_reads_why_before_the_end() {
    let hall = hall();
    for _ in 0..10 {
        let mut ana = hall.person().await;

        // Most of it is still on its way when it is refused: the refusal must not be lost with it.
        ana.says(&"x".repeat(4 << 20)).await;

        ana.is_sent_away(1009).await;
    }
}

#[tokio::test]
async fn a_message_may_be_as_large_as_the_limit_and_trickle_in() {
    let hall = hall();
    let (mut socket, _, mut told) = hall.raw().await;
    let text = "y".repeat(64 << 10);

    let mut frame = b"\x81\xFF\0\0\0\0\0\x01\0\0\0\0\0\0".to_vec();
    frame.extend_from_slice(text.as_bytes());
    for piece in frame.chunks(4999) {
        socket.write_all(piece).await.unwrap();
    }

    assert_eq!(next(&mut told).await, Told::Text(text));
}

#[tokio::test]
async fn after_sixteen_unanswered_messages_nobody_listens_until_one_is_answered() {
    let hall = hall();
    let mut ana = hall.person().await;
    for n in 1..=40 {
        ana.says(&n.to_string()).await;
    }
    for n in 1..=16 {
        ana.gateway_is_told(Told::Text(n.to_string())).await;
    }

    // The unicast passes through the shard after all that could have been read.
    ana.is_given("the room is busy");
    ana.hears("the room is busy").await;
    assert!(ana.told.is_empty());

    for n in 17..=40 {
        hall.delivery.reply(ana.conn, vec![Frame::text("done")]);
        ana.gateway_is_told(Told::Text(n.to_string())).await;
        ana.hears("done").await;
    }
    for _ in 0..16 {
        hall.delivery.answered(ana.conn);
    }
    ana.says("41").await;
    ana.gateway_is_told(Told::Text("41".to_owned())).await;
}

#[tokio::test]
async fn who_says_very_much_is_not_heard_further_until_all_of_it_is_answered() {
    let hall = hall_with(Options { shards: 1, max_unanswered_bytes: 100, ..options() });
    let mut ana = hall.person().await;
    let (first, second) = ("a".repeat(60), "b".repeat(60));
    for text in [&first, &second, "more"] {
        ana.says(text).await;
    }
    ana.gateway_is_told(Told::Text(first)).await;
    ana.gateway_is_told(Told::Text(second)).await;

    // Each answer passes through the shard behind all that could have been read.
    hall.delivery.reply(ana.conn, vec![Frame::text("to the first")]);
    ana.hears("to the first").await;
    ana.is_given("the room is busy");
    ana.hears("the room is busy").await;
    assert!(ana.told.is_empty());

    hall.delivery.reply(ana.conn, vec![Frame::text("to the second")]);
    ana.gateway_is_told(Told::Text("more".to_owned())).await;
}

#[tokio::test]
async fn somebody_who_waits_for_answers_is_not_taken_for_dead() {
    let silence = Duration::from_millis(200);
    let hall = hall_with(Options { shards: 1, max_unanswered: 1, silence, ..options() });
    let (mut ana, mut ben) = (hall.person().await, hall.person().await);
    ana.says("one").await;
    ana.says("two").await;
    ana.gateway_is_told(Told::Text("one".to_owned())).await;

    // Ben says nothing and is closed for it; Ana has been silent for as long.
    ben.gateway_is_told(Told::Closed(delivery::Closed::Silent)).await;
    hall.delivery.answered(ana.conn);

    ana.gateway_is_told(Told::Text("two".to_owned())).await;
}
