//! Rooms, members, messages and read marks over HTTP.

use crate::support::Server;
use serde_json::json;

#[tokio::test]
async fn a_room_is_named_by_its_name_or_its_id() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let posted = ben.post("/api/v1/rooms/lobby/messages", json!({ "text": "hi" })).await;
    assert_eq!(posted.status, 201);
    let rooms = ben.get("/api/v1/rooms").await.ok();
    let id = rooms["mine"][0]["id"].as_str().expect("an id");
    let page = ben.get(&format!("/api/v1/rooms/{id}/messages")).await.ok();
    assert_eq!(page["messages"][0]["text"], "hi");
    assert_eq!(ben.get("/api/v1/rooms/LOBBY/messages").await.ok(), page);
}

#[tokio::test]
async fn a_closed_room_has_no_name_for_anybody() {
    let server = Server::start().await;
    let ana = server.ana().await;
    ana.open("garden", "closed").await;
    let named = ana.get("/api/v1/rooms/garden/messages").await;
    assert_eq!(named.refused(404), "not_found");
    assert_eq!(named.without_id(), ana.get("/api/v1/rooms/nowhere/messages").await.without_id());
}

#[tokio::test]
async fn the_same_nonce_posts_once_wherever_it_stands() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let path = "/api/v1/rooms/lobby/messages";
    let first = ben.post(path, json!({ "text": "once", "nonce": "n-1" })).await.ok();
    let again =
        ben.ask("POST", path).header("idempotency-key", "n-1").json(&json!({ "text": "once" })).await.ok();
    assert_eq!(first, again);
    let other =
        ben.ask("POST", path).header("idempotency-key", "n-1").json(&json!({ "text": "other" })).await;
    assert_eq!(other.refused(409), "conflict");
    let two = json!({ "text": "x", "nonce": "n-3" });
    let both = ben.ask("POST", path).header("idempotency-key", "n-2").json(&two).await;
    assert_eq!(both.refused(400), "bad_request");
    let bad =
        ben.ask("POST", path).header("idempotency-key", "has space").json(&json!({ "text": "x" })).await;
    assert_eq!(bad.refused(400), "bad_request");
    let page = ben.get(path).await.ok();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn messages_are_paged_in_every_direction() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let room = ben.open("kitchen", "open").await;
    for n in 1..=5 {
        ben.say(room, &format!("message {n}")).await;
    }
    let page = |query: &'static str| {
        let (ben, path) = (ben.clone(), format!("/api/v1/rooms/{room}/messages?{query}"));
        async move {
            let page = ben.get(&path).await.ok();
            let texts = page["messages"].as_array().expect("messages").iter();
            texts.map(|message| message["n"].as_u64().expect("n")).collect::<Vec<_>>()
        }
    };
    assert_eq!(page("limit=2").await, [4, 5]);
    assert_eq!(page("before=4&limit=2").await, [1, 2]);
    assert_eq!(page("after=3&limit=2").await, [3, 4]);
    assert_eq!(page("around=4&limit=3").await, [2, 3, 4]);
    let both = ben.get(&format!("/api/v1/rooms/{room}/messages?before=1&after=2")).await;
    assert_eq!(both.refused(422), "invalid");
    let text = ben.get(&format!("/api/v1/rooms/{room}/messages?before=x")).await;
    assert_eq!(text.refused(400), "bad_request");
}

#[tokio::test]
async fn a_message_is_edited_by_its_author_and_deleted_by_a_moderator() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    ben.post("/api/v1/rooms/lobby/messages", json!({ "text": "typpo" })).await.ok();
    let seq = ben.get("/api/v1/rooms/lobby/messages").await.ok()["messages"][0]["seq"].to_string();
    let path = format!("/api/v1/rooms/lobby/messages/{seq}");
    assert_eq!(ana.patch(&path, json!({ "text": "mine" })).await.refused(403), "forbidden");
    let rev = ben.patch(&path, json!({ "text": "typo" })).await.ok()["rev"].clone();
    assert_eq!(ben.patch(&path, json!({ "text": "typo" })).await.ok()["rev"], rev);
    ana.delete(&path).await.ok();
    let message = &ben.get("/api/v1/rooms/lobby/messages").await.ok()["messages"][0];
    assert_eq!((&message["text"], &message["deleted"]), (&json!(""), &json!(true)));
    for nothing in ["0", "99", "x", "-1", "99999999999999999999"] {
        let path = format!("/api/v1/rooms/lobby/messages/{nothing}");
        assert_eq!(ben.delete(&path).await.refused(404), "not_found", "{nothing}");
    }
}

#[tokio::test]
async fn the_log_of_a_room_has_no_holes() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let room = ben.open("kitchen", "open").await;
    ben.say(room, "one").await;
    ben.say(room, "two").await;
    let page = ben.get(&format!("/api/v1/rooms/{room}/events")).await.ok();
    let seqs: Vec<_> =
        page["events"].as_array().expect("events").iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(seqs, [1, 2, 3]);
    assert_eq!(page["events"][0]["type"], "member_joined");
    let page = ben.get(&format!("/api/v1/rooms/{room}/events?after=2")).await.ok();
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn people_join_are_brought_and_are_removed() {
    let server = Server::start().await;
    let (ana, ben, cyd) = (server.ana().await, server.ben().await, server.cyd().await);
    ana.open("kitchen", "open").await;
    let joined = ben.ask("PUT", "/api/v1/rooms/kitchen/members/me").send().await.ok();
    assert_eq!(joined["name"], "kitchen");
    let path = format!("/api/v1/rooms/kitchen/members/{}", cyd.user.id);
    assert_eq!(ben.ask("PUT", &path).send().await.ok(), json!({}));
    let roster = ben.get("/api/v1/rooms/kitchen/members").await.ok();
    assert_eq!(roster["count"], 3);
    assert_eq!(ben.delete(&path).await.refused(403), "forbidden");
    ana.delete(&path).await.ok();
    ben.delete("/api/v1/rooms/kitchen/members/me").await.ok();
    assert_eq!(ana.get("/api/v1/rooms/kitchen/members").await.ok()["count"], 1);
    assert_eq!(ben.delete("/api/v1/rooms/kitchen/members/me").await.refused(404), "not_found");
}

#[tokio::test]
async fn a_read_mark_only_moves_forward() {
    let server = Server::start().await;
    let (ana, ben) = (server.ana().await, server.ben().await);
    ana.bring(lobby(&ana).await, &ben).await;
    let seq = ana.say(lobby(&ana).await, "hi").await;
    let mark = ben.put("/api/v1/rooms/lobby/read", json!({ "seq": seq })).await.ok();
    assert_eq!(mark, json!({ "seq": seq, "n": 1 }));
    assert_eq!(ben.put("/api/v1/rooms/lobby/read", json!({ "seq": 1 })).await.ok(), mark);
    assert_eq!(ben.put("/api/v1/rooms/lobby/read", json!({ "seq": 1_000 })).await.ok(), mark);
}

async fn lobby(actor: &crate::support::Actor) -> protocol::RoomId {
    let rooms = actor.get("/api/v1/rooms").await.ok();
    rooms["mine"][0]["id"].as_str().expect("an id").parse().expect("an id")
}

#[tokio::test]
async fn guests_open_rooms_only_where_they_may() {
    let server = Server::start_with(|config| config.guests_open_rooms = false).await;
    let guest = server.guest("Gil").await;
    let body = json!({ "name": "kitchen", "kind": "open" });
    assert_eq!(guest.post("/api/v1/rooms", body.clone()).await.refused(403), "forbidden");
    let server = Server::start().await;
    server.guest("Gil").await.post("/api/v1/rooms", body).await.ok();
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_their_name() {
    let server = Server::start().await;
    let ben = server.ben().await;
    server.cyd().await;
    let names = |answer: serde_json::Value| answer["users"].as_array().map(Vec::len);
    assert_eq!(names(ben.get("/api/v1/users").await.ok()), Some(2));
    assert_eq!(names(ben.get("/api/v1/users?name=CY").await.ok()), Some(1));
    assert_eq!(server.guest("Gil").await.get("/api/v1/users").await.refused(403), "forbidden");
}
