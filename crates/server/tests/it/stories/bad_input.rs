//! Whatever is sent, the answer says what was wrong, nothing is lost and nothing breaks.

use super::script::{Script, chat};
use super::support::{client, closing, connection, everyone_agrees, next_reply, room, texts};
use crate::support::Server;
use client::Connection;
use protocol::{Command, ErrorCode, Nonce, RoomId};
use serde_json::{Value, json};

/// What the server makes of a text: the id and the code of its refusal.
async fn refused(connection: &mut Connection, text: &str) -> (Option<u64>, ErrorCode) {
    assert!(connection.send_text(text).await);
    let reply = next_reply(connection).await;
    let error = reply.error.unwrap_or_else(|| panic!("{text} was done"));
    assert!(error.message.ends_with('.'), "{text}: {:?} is no sentence", error.message);
    (reply.id, error.code)
}

/// Every command, right but for what each test breaks.
fn commands(room: RoomId) -> Vec<Value> {
    let user = uuid::Uuid::nil().to_string();
    vec![
        json!({ "type": "post_message", "room": room, "text": "x", "nonce": "n" }),
        json!({ "type": "edit_message", "room": room, "seq": 1, "text": "x" }),
        json!({ "type": "delete_message", "room": room, "seq": 1 }),
        json!({ "type": "react", "room": room, "seq": 1, "emoji": "👍", "on": true }),
        json!({ "type": "mark_read", "room": room, "seq": 1 }),
        json!({ "type": "open_room", "name": "x", "kind": "open", "nonce": "n" }),
        json!({ "type": "join_room", "room": room }),
        json!({ "type": "leave_room", "room": room }),
        json!({ "type": "invite_member", "room": room, "user": user }),
        json!({ "type": "remove_member", "room": room, "user": user }),
        json!({ "type": "resume", "room": room, "after": 0 }),
        json!({ "type": "list_rooms", "cursor": "x" }),
        json!({ "type": "list_messages", "room": room, "before": 1, "limit": 1 }),
        json!({ "type": "list_members", "room": room, "cursor": "x" }),
        json!({ "type": "list_users", "name": "x", "cursor": "x" }),
        json!({ "type": "create_invite", "room": room, "uses": 1, "hours": 1, "nonce": "n" }),
        json!({ "type": "list_invites" }),
        json!({ "type": "revoke_invite", "invite": user }),
    ]
}

#[tokio::test]
async fn what_is_no_command_is_refused_and_the_socket_goes_on() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let mut bare = connection(&ben).await;
    for text in ["", "not JSON", "null", "[]", "7", "\"x\"", "{", "{}", "\u{0}", "{\"type\":\"list_rooms\"}"]
    {
        assert_eq!(refused(&mut bare, text).await, (None, ErrorCode::BadRequest), "{text:?}");
    }
    for id in [json!(-1), json!(1.5), json!("1"), json!(null), json!(9_007_199_254_740_992_u64), json!([1])] {
        let text = json!({ "id": id, "type": "list_rooms" }).to_string();
        assert_eq!(refused(&mut bare, &text).await, (None, ErrorCode::BadRequest), "{text}");
    }
    for (text, code) in [
        (r#"{"id":7}"#, ErrorCode::BadRequest),
        (r#"{"id":7,"type":null}"#, ErrorCode::BadRequest),
        (r#"{"id":7,"type":["list_rooms"]}"#, ErrorCode::BadRequest),
        (r#"{"id":7,"type":"dance"}"#, ErrorCode::UnknownCommand),
        (r#"{"id":7,"type":""}"#, ErrorCode::UnknownCommand),
        (r#"{"id":7,"type":"List_Rooms"}"#, ErrorCode::UnknownCommand),
    ] {
        assert_eq!(refused(&mut bare, text).await, (Some(7), code), "{text}");
    }
    for (text, id) in [
        (r#"{"id":7,"type":"post_message","text":"\ud800"}"#, Some(7)),
        (r#"{"text":"\udc00","id":7}"#, Some(7)),
        (r#"{"id":7,"type":"\ud800"}"#, Some(7)),
        (r#"{"id":9007199254740992,"text":"\ud800"}"#, None),
        (r#"{"id":7,"text":"\ud800""#, None),
        (r#"[7,"\ud800"]"#, None),
    ] {
        assert_eq!(refused(&mut bare, text).await, (id, ErrorCode::BadRequest), "{text}");
    }
    let deep =
        format!("{{\"id\":7,\"type\":\"list_rooms\",\"x\":{}{}}}", "[".repeat(9_000), "]".repeat(9_000));
    assert_eq!(refused(&mut bare, &deep).await, (Some(7), ErrorCode::BadRequest));
    assert!(bare.send_binary(b"{}".to_vec()).await);
    assert_eq!(next_reply(&mut bare).await.error.unwrap().code, ErrorCode::BadRequest);
    posts(&mut bare, lobby, "after all that").await;
    ana.hears("after all that").await.unwrap();
    assert_eq!(texts(&ana, lobby), ["after all that"]);
    everyone_agrees(&server, &[&ana]).await;
}

async fn posts(bare: &mut Connection, room: RoomId, text: &str) {
    let nonce = Nonce::new(uuid::Uuid::now_v7().to_string()).unwrap();
    bare.send(Command::PostMessage { room, body: text.into(), nonce }).await.unwrap();
    let reply = next_reply(bare).await;
    assert!(reply.ok.is_some(), "{reply:?}");
}

#[tokio::test]
async fn every_field_of_every_command_may_be_missing_or_of_another_type() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let mut bare = connection(&ben).await;
    assert_eq!(commands(lobby).len(), Command::NAMES.len());
    for command in commands(lobby) {
        let fields: Vec<String> =
            command.as_object().unwrap().keys().filter(|key| *key != "type").cloned().collect();
        for field in &fields {
            let wrong = [json!({}), json!([]), json!(true), json!(-1), json!(1e300)];
            for wrong in wrong.into_iter().filter(|wrong| field != "on" || !wrong.is_boolean()) {
                let mut broken = command.clone();
                (broken["id"], broken[field]) = (json!(7), wrong);
                let text = broken.to_string();
                assert_eq!(refused(&mut bare, &text).await, (Some(7), ErrorCode::BadRequest), "{text}");
            }
            let kind = command["type"].as_str().unwrap();
            let needed = match field.as_str() {
                "cursor" | "before" | "limit" | "uses" | "hours" => false,
                "name" => kind == "open_room",
                "room" => kind != "create_invite",
                _ => true,
            };
            if needed {
                let mut broken = command.clone();
                broken["id"] = json!(7);
                broken.as_object_mut().unwrap().remove(field);
                let text = broken.to_string();
                assert_eq!(refused(&mut bare, &text).await, (Some(7), ErrorCode::BadRequest), "{text}");
            }
        }
    }
    posts(&mut bare, lobby, "after all that").await;
    ana.hears("after all that").await.unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn texts_and_names_that_break_a_rule_are_refused() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let mut bare = connection(&ben).await;
    let (long, name) = ("x".repeat(10_001), "x".repeat(65));
    for text in ["", " \n\t\u{200b}", "a\u{0}b", "a\u{1b}[31mb", &long] {
        let frame = json!({ "id": 7, "type": "post_message", "room": lobby, "text": text, "nonce": "n" });
        assert_eq!(refused(&mut bare, &frame.to_string()).await, (Some(7), ErrorCode::Invalid), "{text:?}");
    }
    for name in ["", " ", "a\u{0}b", "\u{202e}bad", &name] {
        let frame = json!({ "id": 7, "type": "open_room", "name": name, "kind": "open", "nonce": "n" });
        assert_eq!(refused(&mut bare, &frame.to_string()).await, (Some(7), ErrorCode::Invalid), "{name:?}");
    }
    posts(&mut bare, lobby, "after all that").await;
    ana.hears("after all that").await.unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn values_that_break_a_rule_are_refused_by_name() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let (lobby, owner) = (room(&ana, "lobby"), ana.me().id);
    let mut bare = connection(&ben).await;
    let open = |name: &str, kind: &str, nonce: &str| json!({ "type": "open_room", "name": name, "kind": kind, "nonce": nonce });
    for (mut frame, code) in [
        (open("Lobby", "open", "n"), ErrorCode::NameTaken),
        (open("x", "direct", "n"), ErrorCode::Invalid),
        (open("x", "secret", "n"), ErrorCode::BadRequest),
        (open("x", "open", ""), ErrorCode::BadRequest),
        (open("x", "open", "ä"), ErrorCode::BadRequest),
        (json!({ "type": "list_messages", "room": lobby, "before": 1, "after": 2 }), ErrorCode::Invalid),
        (json!({ "type": "list_members", "room": lobby, "cursor": "?" }), ErrorCode::Invalid),
        (json!({ "type": "edit_message", "room": lobby, "seq": 1, "text": "x" }), ErrorCode::NotFound),
        (json!({ "type": "delete_message", "room": lobby, "seq": 1 }), ErrorCode::NotFound),
        (json!({ "type": "remove_member", "room": lobby, "user": owner }), ErrorCode::Forbidden),
        (json!({ "type": "invite_member", "room": lobby, "user": lobby }), ErrorCode::NotFound),
    ] {
        frame["id"] = json!(7);
        assert_eq!(refused(&mut bare, &frame.to_string()).await, (Some(7), code), "{frame}");
    }
    posts(&mut bare, lobby, "after all that").await;
    ana.hears("after all that").await.unwrap();
    assert_eq!(ana.list_rooms().await.unwrap().open.len(), 1);
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn numbers_beyond_what_a_database_holds_do_no_harm() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let mut bare = connection(&ben).await;
    for number in [u64::MAX, u64::MAX >> 1, (u64::MAX >> 1) + 1, 1 << 53] {
        for frame in [
            json!({ "id": 7, "type": "edit_message", "room": lobby, "seq": number, "text": "x" }),
            json!({ "id": 7, "type": "delete_message", "room": lobby, "seq": number }),
            json!({ "id": 7, "type": "mark_read", "room": lobby, "seq": number }),
            json!({ "id": 7, "type": "resume", "room": lobby, "after": number }),
            json!({ "id": 7, "type": "list_messages", "room": lobby, "before": number }),
            json!({ "id": 7, "type": "list_messages", "room": lobby, "after": number }),
            json!({ "id": 7, "type": "list_messages", "room": lobby, "around": number }),
        ] {
            bare.send_text(frame.to_string()).await;
            let reply = next_reply(&mut bare).await;
            let internal = reply.error.as_ref().is_some_and(|error| error.code == ErrorCode::Internal);
            assert!(reply.id == Some(7) && !internal, "{frame}: {reply:?}");
        }
    }
    posts(&mut bare, lobby, "after all that").await;
    ana.hears("after all that").await.unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn a_megabyte_of_text_is_closed_with_1009_by_either_protocol() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let mut bare = connection(&ben).await;
    // The server stops reading; whether all of it could be sent does not matter.
    bare.send_text("x".repeat(1 << 20)).await;
    assert_eq!(closing(&mut bare).await.0, Some(1009));
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    dot.says(&"x".repeat(1 << 20)).await;
    assert_eq!(dot.closes().await, Some(1009));
    ana.post(room(&ana, "lobby"), "nobody else noticed").await.unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn a_simple_socket_stays_open_through_every_error() {
    let server = Server::start().await;
    let mut dot = Script::open(&server).await;
    let long = "x".repeat(65);
    let joins = [
        ("", "Dot"),
        ("lobby", ""),
        (" ", "Dot"),
        ("lobby", "\u{200b}"),
        ("lo\u{0}bby", "Dot"),
        ("lobby", &long),
    ];
    for (room, name) in joins {
        dot.join(room, name).await;
        assert!(!dot.hears_error().await.starts_with("invalid message"), "{room:?} {name:?}");
    }
    for text in [
        "",
        "not JSON",
        "null",
        "[]",
        "{}",
        r#"{"type":"dance"}"#,
        r#"{"type":7}"#,
        r#"{"type":"join"}"#,
        r#"{"type":"join","room":"lobby"}"#,
        r#"{"type":"join","room":7,"username":"Dot"}"#,
        r#"{"type":"chat"}"#,
        r#"{"type":"chat","text":null}"#,
        r#"{"type":"chat","text":["x"]}"#,
    ] {
        dot.says(text).await;
        let heard = dot.hears_error().await;
        assert!(heard.starts_with("invalid message: "), "{text}: {heard}");
    }
    assert!(dot.simple.send_binary(vec![1, 2, 3]).await);
    assert!(dot.hears_error().await.starts_with("invalid message: "));
    dot.chat("hi").await;
    assert_eq!(dot.hears_error().await, "join a room before chatting");
    dot.join("lobby", "Dot").await;
    dot.settle_in("lobby", "Dot").await;
    for text in ["", " ", "a\u{0}b", &"x".repeat(10_001)] {
        dot.chat(text).await;
        dot.hears_error().await;
    }
    dot.chat("after all that").await;
    assert_eq!(dot.hears_chat().await, chat("Dot", "after all that"));
    super::support::nothing_broke(&server);
}
