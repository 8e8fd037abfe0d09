//! Names, rooms and rights by the simple protocol.

use super::script::{Script, chat, joined, roster, welcome};
use super::support::{client, everyone_agrees, in_time, nothing_broke, room};
use crate::support::Server;
use protocol::RoomKind;
use protocol::simple::SimpleFrame;
use serde_json::{Value, json};
use server::config::Guests;

async fn rooms(server: &Server) -> Value {
    server.ask("GET", "/api/rooms").send().await.ok()
}

#[tokio::test]
async fn a_visitor_gets_no_membership_and_no_user_row_until_the_first_chat() {
    let server = Server::start().await;
    let ana = client(&server.ana().await).await;
    let lobby = room(&ana, "lobby");
    let dot = Script::in_room(&server, "lobby", "Dot").await;
    let before = ana.list_members(lobby).await.unwrap();
    assert_eq!((before.count, before.here, before.members.len()), (1, 2, 1), "here, and no member");
    dot.chat("hi").await;
    let said = ana.hears("hi").await.unwrap();
    assert!(said.by.guest);
    // The user is known to the database first, and to whoever says who is here a moment later.
    let roster = in_time("Dot on the roster", async {
        loop {
            let roster = ana.list_members(lobby).await.unwrap();
            if roster.members.len() == 2 {
                return roster;
            }
        }
    })
    .await;
    assert_eq!((roster.count, roster.here), (2, 2));
    assert_eq!((roster.members[1].user.id, roster.members[1].here), (said.by.id, true));
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn a_second_chat_makes_no_second_user() {
    let server = Server::start().await;
    let ana = client(&server.ana().await).await;
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    // Before the first is answered.
    for number in 0..20 {
        dot.chat(&number.to_string()).await;
    }
    for number in 0..20 {
        dot.hears_of(&number.to_string()).await;
    }
    ana.hears("19").await.unwrap();
    let authors: std::collections::HashSet<_> =
        ana.messages(room(&ana, "lobby")).into_iter().map(|message| message.by.id).collect();
    assert_eq!(authors.len(), 1);
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn joining_an_open_room_that_does_not_exist_opens_it_and_without_a_message_it_goes() {
    let server = Server::start().await;
    let ana = client(&server.ana().await).await;
    let listed = async || -> Vec<String> {
        ana.list_rooms().await.unwrap().open.into_iter().map(|room| room.name).collect()
    };
    let dot = Script::in_room(&server, "cellar", "Dot").await;
    assert_eq!(listed().await, ["cellar", "lobby"]);
    drop(dot);
    in_time("the cellar to go", async { while listed().await != ["lobby"] {} }).await;
    let mut dot = Script::in_room(&server, "attic", "Dot").await;
    dot.chat("this makes it stay").await;
    dot.hears_of("this makes it stay").await;
    drop(dot);
    let cyd = Script::in_room(&server, "cellar", "Cyd").await;
    drop(cyd);
    in_time("the cellar to go", async { while listed().await.contains(&"cellar".to_owned()) {} }).await;
    assert_eq!(listed().await, ["attic", "lobby"]);
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn where_a_setting_says_so_joining_opens_nothing() {
    let server = Server::start_with(|config| config.guests_open_rooms = false).await;
    let mut dot = Script::open(&server).await;
    dot.join("cellar", "Dot").await;
    assert_eq!(dot.hears_error().await, "There is no such room, or it is not yours to see.");
    dot.join("lobby", "Dot").await;
    dot.settle_in("lobby", "Dot").await;
    nothing_broke(&server);
}

#[tokio::test]
async fn a_path_with_a_room_and_a_name_joins_at_once() {
    let server = Server::start().await;
    let mut dot = Script::open_at(&server, "/ws/tea%20room?username=Dot%20the%20bot", None).await;
    assert_eq!(dot.hears().await, welcome("tea room", "Dot the bot", &["Dot the bot"]));
    assert_eq!(dot.hears().await, joined("tea room", "Dot the bot"));
    assert_eq!(dot.hears().await, roster("tea room", &["Dot the bot"]));
    dot.chat("hi").await;
    assert_eq!(dot.hears_chat().await, chat("Dot the bot", "hi"));
    let mut nameless = Script::open_at(&server, "/ws/lobby", None).await;
    assert_eq!(nameless.hears_error().await, "A username needs at least one visible character.");
    assert_eq!(nameless.closes().await, Some(4403));
    let mut nowhere = Script::open_at(&server, "/ws/?username=Dot", None).await;
    nowhere.hears_error().await;
    assert_eq!(nowhere.closes().await, Some(4403));
    nothing_broke(&server);
}

#[tokio::test]
async fn whoever_is_refused_is_upgraded_told_one_error_and_closed_with_4403() {
    let server = Server::start_with(|config| config.guests = Guests::Off).await;
    for path in ["/ws", "/ws/lobby?username=Dot"] {
        for token in [None, Some("no such token")] {
            let mut dot = Script::open_at(&server, path, token).await;
            // Said too early to be heard.
            dot.join("lobby", "Dot").await;
            dot.hears_error().await;
            assert!(matches!(
                in_time("the close", dot.simple.next()).await,
                client::SimpleReceived::Closed(closing) if closing.code == Some(4403)
            ));
        }
    }
    nothing_broke(&server);
}

#[tokio::test]
async fn a_bearer_token_makes_the_visitor_that_user_also_where_guests_are_off() {
    let server = Server::start_with(|config| config.guests = Guests::Off).await;
    let dot = server.dot().await;
    let mut script = Script::open_at(&server, "/ws/lobby?username=Somebody", Some(&dot.token)).await;
    script.settle_in("lobby", "Dot").await;
    script.chat("beep").await;
    assert_eq!(script.hears_chat().await, chat("Dot", "beep"));
    let messages = dot.get("/api/v1/rooms/lobby/messages").await.ok();
    assert_eq!(messages["messages"][0]["by"], json!({ "id": dot.user.id, "name": "Dot" }));
    nothing_broke(&server);
}

#[tokio::test]
async fn a_registered_name_is_reserved_in_every_spelling() {
    let server = Server::start().await;
    let ben = server.ben().await;
    let mut script = Script::open(&server).await;
    for name in ["Ben", "ben", " BEN ", "Ｂｅｎ", "B\u{200b}en"] {
        script.join("lobby", name).await;
        let heard = script.hears_error().await;
        assert!(heard.ends_with("is taken. Choose another one."), "{name:?}: {heard}");
    }
    let mut bens = Script::open_as(&server, &ben).await;
    bens.join("lobby", "Ben").await;
    bens.settle_in("lobby", "Ben").await;
    nothing_broke(&server);
}

#[tokio::test]
async fn a_guests_name_is_unique_among_the_people_connected_in_a_room() {
    let server = Server::start().await;
    let first = Script::in_room(&server, "lobby", "Dot").await;
    let mut second = Script::open(&server).await;
    second.join("lobby", "DOT").await;
    assert_eq!(second.hears_error().await, "The name DOT is taken. Choose another one.");
    second.join("kitchen", "Dot").await;
    second.settle_in("kitchen", "Dot").await;
    drop(first);
    in_time("the name to be free", async {
        loop {
            second.join("lobby", "Dot").await;
            if let SimpleFrame::Welcome { .. } = second.hears().await {
                return;
            }
        }
    })
    .await;
    nothing_broke(&server);
}

#[tokio::test]
async fn the_list_of_rooms_holds_open_rooms_with_somebody_connected_sorted_by_name() {
    let server = Server::start().await;
    assert_eq!(rooms(&server).await, json!({ "rooms": [] }));
    let _dot = Script::in_room(&server, "tea room", "Dot").await;
    let _cyd = Script::in_room(&server, "kitchen", "Cyd").await;
    let _gil = Script::in_room(&server, "kitchen", "Gil").await;
    let ana = client(&server.ana().await).await;
    ana.open_room("garden", RoomKind::Closed).await.unwrap();
    assert_eq!(
        rooms(&server).await,
        json!({ "rooms": [
            { "room": "kitchen", "users": ["Cyd", "Gil"] },
            { "room": "lobby", "users": ["Ana"] },
            { "room": "tea room", "users": ["Dot"] },
        ] })
    );
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn the_list_of_rooms_is_401_where_guests_are_not_admitted_and_nobody_is_signed_in() {
    let server = Server::start_with(|config| config.guests = Guests::Off).await;
    assert_eq!(server.ask("GET", "/api/rooms").send().await.refused(401), "unauthenticated");
    let ben = server.ben().await;
    assert_eq!(ben.get("/api/rooms").await.ok(), json!({ "rooms": [] }));
}
