//! The simple protocol, frame by frame: one story for each of its sentences.

use super::script::{Script, chat, joined, left, roster, welcome};
use super::support::nothing_broke;
use crate::support::Server;
use protocol::simple::SimpleFrame;

#[tokio::test]
async fn joining_sends_the_joiner_welcome_then_everyone_there_joined_and_roster() {
    let server = Server::start().await;
    let mut ana = Script::open(&server).await;
    ana.join("kitchen", "Ana").await;
    assert_eq!(ana.hears().await, welcome("kitchen", "Ana", &["Ana"]));
    assert_eq!(ana.hears().await, joined("kitchen", "Ana"));
    assert_eq!(ana.hears().await, roster("kitchen", &["Ana"]));
    let mut dot = Script::open(&server).await;
    dot.join("kitchen", "Dot").await;
    assert_eq!(dot.hears().await, welcome("kitchen", "Dot", &["Ana", "Dot"]));
    for script in [&mut dot, &mut ana] {
        assert_eq!(script.hears().await, joined("kitchen", "Dot"));
        assert_eq!(script.hears().await, roster("kitchen", &["Ana", "Dot"]));
    }
    nothing_broke(&server);
}

#[tokio::test]
async fn joining_another_room_leaves_the_first() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    assert_eq!(ana.hears().await, joined("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana", "Dot"]));
    dot.join("kitchen", "Dot").await;
    assert_eq!(dot.hears().await, welcome("kitchen", "Dot", &["Dot"]));
    assert_eq!(dot.hears().await, joined("kitchen", "Dot"));
    assert_eq!(dot.hears().await, roster("kitchen", &["Dot"]));
    assert_eq!(ana.hears().await, left("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana"]));
    ana.chat("only the lobby hears this").await;
    assert_eq!(ana.hears_chat().await, chat("Ana", "only the lobby hears this"));
    dot.chat("only the kitchen hears this").await;
    assert_eq!(dot.hears_chat().await, chat("Dot", "only the kitchen hears this"));
    ana.leave().await;
    ana.chat("x").await;
    assert_eq!(ana.hears_error().await, "join a room before chatting");
    nothing_broke(&server);
}

#[tokio::test]
async fn joining_the_same_room_under_another_name_is_leaving_and_joining() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    dot.join("lobby", "Dotty").await;
    assert_eq!(dot.hears().await, welcome("lobby", "Dotty", &["Ana", "Dotty"]));
    assert_eq!(dot.hears().await, joined("lobby", "Dotty"));
    assert_eq!(dot.hears().await, roster("lobby", &["Ana", "Dotty"]));
    assert_eq!(ana.hears().await, left("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana"]));
    assert_eq!(ana.hears().await, joined("lobby", "Dotty"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana", "Dotty"]));
    nothing_broke(&server);
}

#[tokio::test]
async fn chats_sent_right_behind_a_join_have_one_author() {
    let server = Server::start().await;
    let ana = server.ana().await;
    for round in 0..10 {
        let mut dot = Script::in_room(&server, "lobby", &format!("Dot {round}")).await;
        dot.chat("a member now").await;
        dot.hears_of("a member now").await;
        dot.join("kitchen", &format!("Dotty {round}")).await;
        dot.chat("one").await;
        dot.chat("two").await;
        dot.hears_of("two").await;
        ana.ask("PUT", "/api/v1/rooms/kitchen/members/me").send().await.ok();
        let page = ana.get("/api/v1/rooms/kitchen/messages?limit=2").await.ok();
        let said: Vec<_> = page["messages"].as_array().unwrap().iter().collect();
        assert_eq!((&said[0]["text"], &said[1]["text"]), (&"one".into(), &"two".into()));
        assert_eq!(said[0]["by"]["id"], said[1]["by"]["id"], "one visitor is one guest");
    }
    nothing_broke(&server);
}

#[tokio::test]
async fn leave_keeps_the_socket() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    dot.leave().await;
    assert_eq!(ana.hears().await, left("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana"]));
    ana.chat("Dot does not hear this").await;
    assert_eq!(ana.hears_chat().await, chat("Ana", "Dot does not hear this"));
    dot.join("kitchen", "Dot").await;
    assert_eq!(dot.hears().await, welcome("kitchen", "Dot", &["Dot"]));
    nothing_broke(&server);
}

#[tokio::test]
async fn a_closed_socket_is_a_left_and_a_roster() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    drop(dot);
    assert_eq!(ana.hears().await, left("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana"]));
    nothing_broke(&server);
}

#[tokio::test]
async fn the_author_hears_their_own_message_like_everybody_there() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    dot.chat("hi").await;
    let (by_dot, by_ana) = (dot.hears().await, ana.hears().await);
    assert_eq!(by_dot, by_ana);
    let SimpleFrame::Chat(said) = by_dot else { panic!("{by_dot:?}") };
    assert_eq!(
        (said.room.as_str(), said.chat.username.as_str(), said.chat.text.as_str()),
        ("lobby", "Dot", "hi")
    );
    let now = server.running.app().chat.now();
    assert_eq!(said.chat.ts, now, "milliseconds since 1970");
    // The first chat made Dot a member: that took a place, too.
    assert_eq!(said.chat.seq, 2);
    nothing_broke(&server);
}

#[tokio::test]
async fn users_stand_in_order_of_arrival() {
    let server = Server::start().await;
    let mut cyd = Script::in_room(&server, "lobby", "Cyd").await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let _ben = Script::in_room(&server, "lobby", "Ben").await;
    for _ in 0..2 {
        cyd.hears().await;
        cyd.hears().await;
    }
    ana.hears().await;
    ana.hears().await;
    cyd.leave().await;
    assert_eq!(ana.hears().await, left("lobby", "Cyd"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana", "Ben"]));
    cyd.join("lobby", "Cyd").await;
    assert_eq!(cyd.hears().await, welcome("lobby", "Cyd", &["Ana", "Ben", "Cyd"]));
    nothing_broke(&server);
}

#[tokio::test]
async fn chat_before_join_is_an_error_and_so_is_chat_after_leave() {
    let server = Server::start().await;
    let mut dot = Script::open(&server).await;
    dot.chat("hi").await;
    assert_eq!(dot.hears_error().await, "join a room before chatting");
    dot.join("lobby", "Dot").await;
    dot.settle_in("lobby", "Dot").await;
    dot.leave().await;
    dot.chat("hi").await;
    assert_eq!(dot.hears_error().await, "join a room before chatting");
    nothing_broke(&server);
}

#[tokio::test]
async fn the_same_room_and_name_again_is_a_welcome_and_nothing_else() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    dot.join("lobby", "Dot").await;
    assert_eq!(dot.hears().await, welcome("lobby", "Dot", &["Ana", "Dot"]));
    dot.chat("hi").await;
    assert_eq!(dot.hears_chat().await, chat("Dot", "hi"));
    assert_eq!(ana.hears_chat().await, chat("Dot", "hi"));
    // Also once Dot is known to the database.
    dot.join("LOBBY", " Dot ").await;
    let again = dot.hears().await;
    assert!(
        matches!(&again, SimpleFrame::Welcome { room, history, .. } if room == "lobby" && history.len() == 1)
    );
    dot.chat("ho").await;
    assert_eq!(dot.hears_chat().await, chat("Dot", "ho"));
    assert_eq!(ana.hears_chat().await, chat("Dot", "ho"));
    nothing_broke(&server);
}

#[tokio::test]
async fn leave_outside_a_room_is_nothing() {
    let server = Server::start().await;
    let mut dot = Script::open(&server).await;
    dot.leave().await;
    dot.leave().await;
    dot.join("kitchen", "Dot").await;
    assert_eq!(dot.hears().await, welcome("kitchen", "Dot", &["Dot"]));
    nothing_broke(&server);
}

#[tokio::test]
async fn a_refused_switch_leaves_you_where_you_were() {
    let server = Server::start().await;
    let _ben = Script::in_room(&server, "kitchen", "Dot").await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    dot.join("kitchen", "dot").await;
    assert_eq!(dot.hears_error().await, "The name dot is taken. Choose another one.");
    dot.join("", "Dot").await;
    dot.hears_error().await;
    dot.chat("still here").await;
    assert_eq!(dot.hears_chat().await, chat("Dot", "still here"));
    assert_eq!(ana.hears_chat().await, chat("Dot", "still here"), "and nobody heard of it");
    nothing_broke(&server);
}

#[tokio::test]
async fn the_welcome_holds_the_last_fifty_chats_oldest_first_as_they_stand_now() {
    let server = Server::start().await;
    let ana = server.ana().await;
    let rooms = ana.get("/api/v1/rooms").await.ok();
    let lobby: protocol::RoomId = rooms["mine"][0]["id"].as_str().unwrap().parse().unwrap();
    let mut last = 0;
    for number in 0..60 {
        last = ana.say(lobby, &number.to_string()).await;
    }
    ana.patch(&format!("/api/v1/rooms/{lobby}/messages/{last}"), serde_json::json!({ "text": "edited" }))
        .await
        .ok();
    ana.delete(&format!("/api/v1/rooms/{lobby}/messages/{}", last - 1)).await.ok();
    let mut dot = Script::open(&server).await;
    dot.join("lobby", "Dot").await;
    let SimpleFrame::Welcome { history, .. } = dot.hears().await else { panic!("no welcome") };
    let texts: Vec<&str> = history.iter().map(|chat| chat.text.as_str()).collect();
    let mut written: Vec<String> = (10..58).map(|number| number.to_string()).collect();
    written.push("edited".to_owned());
    assert_eq!(texts, written, "what was taken away is not shown");
    nothing_broke(&server);
}

#[tokio::test]
async fn one_person_with_two_sockets_comes_once_and_goes_once() {
    let server = Server::start().await;
    let dot = server.dot().await;
    let mut ana = Script::in_room(&server, "lobby", "Ana").await;
    let mut sockets = [Script::open_as(&server, &dot).await, Script::open_as(&server, &dot).await];
    for socket in &mut sockets {
        socket.join("lobby", "Dot").await;
        assert_eq!(socket.hears().await, welcome("lobby", "Dot", &["Ana", "Dot"]));
        assert_eq!(socket.hears().await, joined("lobby", "Dot"));
        assert_eq!(socket.hears().await, roster("lobby", &["Ana", "Dot"]));
    }
    let [first, mut second] = sockets;
    assert_eq!(ana.hears().await, joined("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana", "Dot"]));
    drop(first);
    second.chat("still here").await;
    assert_eq!(second.hears_chat().await, chat("Dot", "still here"));
    assert_eq!(ana.hears_chat().await, chat("Dot", "still here"));
    drop(second);
    assert_eq!(ana.hears().await, left("lobby", "Dot"));
    assert_eq!(ana.hears().await, roster("lobby", &["Ana"]));
    nothing_broke(&server);
}

#[tokio::test]
async fn everybody_in_the_room_hears_a_reaction_and_a_silent_visitor_can_react() {
    let server = Server::start().await;
    let mut ana = Script::in_room(&server, "kitchen", "Ana").await;
    let mut dot = Script::in_room(&server, "kitchen", "Dot").await;
    ana.hears().await;
    ana.hears().await;
    ana.chat("cake?").await;
    let seq = match (ana.hears().await, dot.hears().await) {
        (SimpleFrame::Chat(said), SimpleFrame::Chat(_)) => said.chat.seq,
        other => panic!("{other:?} in place of a chat"),
    };
    for (on, count) in [(true, 1), (false, 0)] {
        dot.says(&format!(r#"{{"type":"react","seq":{seq},"emoji":"🎉","on":{on}}}"#)).await;
        let (room, username) = ("kitchen".to_owned(), "Dot".to_owned());
        let heard = SimpleFrame::Reaction { room, seq, username, emoji: "🎉".to_owned(), on, count };
        assert_eq!(ana.hears().await, heard);
        assert_eq!(dot.hears().await, heard);
    }
    for wrong in [r#"{"type":"react","seq":999,"emoji":"🎉"}"#, r#"{"type":"react","seq":1,"emoji":"cake"}"#]
    {
        dot.says(wrong).await;
        dot.hears_error().await;
    }
    for turn in 0..40 {
        let on = turn % 2 == 0;
        dot.says(&format!(r#"{{"type":"react","seq":{seq},"emoji":"🎉","on":{on}}}"#)).await;
        for script in [&mut ana, &mut dot] {
            assert!(
                matches!(script.hears().await, SimpleFrame::Reaction { .. }),
                "the socket is heard for ever"
            );
        }
    }
    let mut ben = Script::open(&server).await;
    ben.says(r#"{"type":"react","seq":1,"emoji":"🎉"}"#).await;
    assert_eq!(ben.hears_error().await, "join a room before reacting");
    dot.chat("yes").await;
    assert_eq!(ana.hears_chat().await, chat("Dot", "yes"));
    nothing_broke(&server);
}
