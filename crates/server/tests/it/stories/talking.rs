//! People talk, by whichever protocol, and hear what is theirs to hear.

use super::script::{Script, chat};
use super::support::{client, everyone_agrees, room, texts};
use crate::support::Server;
use client::Failure;
use protocol::{ErrorCode, RoomKind};
use server::config::Guests;

#[tokio::test]
async fn an_event_is_encoded_once_for_each_protocol_however_many_listen() {
    let server = Server::start().await;
    let ana = server.ana().await;
    let mut readers = Vec::new();
    for _ in 0..5 {
        readers.push(client(&ana).await);
    }
    let lobby = room(&readers[0], "lobby");
    let live = &server.running.app().live;
    let before = live.encoded();
    for number in 0..10 {
        readers[0].post(lobby, &format!("to natives, {number}")).await.unwrap();
    }
    for reader in &readers {
        reader.hears("to natives, 9").await.unwrap();
    }
    assert_eq!(live.encoded() - before, 10);
    let mut script = Script::in_room(&server, "lobby", "Sol").await;
    let _others =
        (Script::in_room(&server, "lobby", "Tom").await, Script::in_room(&server, "lobby", "Uma").await);
    readers[0].post(lobby, "to both").await.unwrap();
    script.hears_of("to both").await;
    assert_eq!(live.encoded() - before, 12);
}

#[tokio::test]
async fn two_people_talk() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, client(&server.ben().await).await);
    let lobby = room(&ana, "lobby");
    ana.post(lobby, "Morning!").await.unwrap();
    ben.hears("Morning!").await.unwrap();
    let said = ben.post(lobby, "Hi Ana").await.unwrap();
    ana.hears("Hi Ana").await.unwrap();
    ben.edit(lobby, said.seq, "Hi Ana!").await.unwrap();
    ana.hears("Hi Ana!").await.unwrap();
    ana.delete(lobby, said.seq).await.unwrap();
    ben.wait_until("the deletion", |state| {
        state.timelines[&lobby]
            .message(said.seq)
            .is_some_and(|message| message.deleted && message.body.text.is_empty())
    })
    .await
    .unwrap();
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn everybody_sees_one_order_however_many_talk_at_once() {
    let server = Server::start().await;
    let people = [server.ana().await, server.ben().await, server.cyd().await, server.dot().await];
    let mut clients = Vec::new();
    for person in &people {
        clients.push(client(person).await);
    }
    let lobby = room(&clients[0], "lobby");
    let talking = clients.iter().map(|client| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in 0..25 {
                client.post(lobby, &format!("{} {number}", client.me().name)).await.unwrap();
            }
        })
    });
    for talk in talking.collect::<Vec<_>>() {
        talk.await.unwrap();
    }
    let [ana, others @ ..] = &clients[..] else { unreachable!("four people") };
    everyone_agrees(&server, &clients.iter().collect::<Vec<_>>()).await;
    let seen = texts(ana, lobby);
    assert_eq!(seen.len(), 100);
    for other in others {
        assert_eq!(texts(other, lobby), seen, "{}", other.me().name);
    }
}

#[tokio::test]
async fn both_protocols_meet_in_one_room() {
    let server = Server::start().await;
    let ana = client(&server.ana().await).await;
    let lobby = room(&ana, "lobby");
    let mut dot = Script::in_room(&server, "lobby", "Dot").await;
    ana.post(lobby, "Morning!").await.unwrap();
    assert_eq!(dot.hears_chat().await, chat("Ana", "Morning!"));
    dot.chat("beep").await;
    assert_eq!(dot.hears_chat().await, chat("Dot", "beep"));
    let heard = ana.hears("beep").await.unwrap();
    assert_eq!((heard.by.name.as_str(), heard.by.guest), ("Dot", true));
    ana.wait_until("Dot among who is here", |state| {
        let here = state.presence.get(&lobby).map(|presence| &presence.here[..]).unwrap_or_default();
        here.iter().map(|user| user.name.as_str()).collect::<Vec<_>>() == ["Ana", "Dot"]
    })
    .await
    .unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn one_person_by_both_protocols_is_one_person_with_one_read_mark() {
    let server = Server::start().await;
    let actor = server.dot().await;
    let (ana, dot) = (client(&server.ana().await).await, client(&actor).await);
    let lobby = room(&ana, "lobby");
    let mut script = Script::open_as(&server, &actor).await;
    script.join("lobby", "whatever").await;
    script.settle_in("lobby", "Dot").await;
    script.chat("beep").await;
    assert_eq!(script.hears_chat().await, chat("Dot", "beep"));
    assert!(!ana.hears("beep").await.unwrap().by.guest);
    dot.hears("beep").await.unwrap();
    assert_eq!(dot.read(|state| state.unread(lobby)), Some(0));
    let here = ana.list_members(lobby).await.unwrap().here;
    assert_eq!(here, 2, "Ana and Dot, not a second Dot");
    everyone_agrees(&server, &[&ana, &dot]).await;
}

#[tokio::test]
async fn a_guest_is_refused_where_guests_are_off_by_either_protocol() {
    let server = Server::start_with(|config| config.guests = Guests::Off).await;
    let answer = server.ask("POST", "/api/v1/guests").json(&serde_json::json!({ "name": "Dot" })).await;
    assert_eq!(answer.refused(403), "forbidden");
    let mut dot = Script::open(&server).await;
    assert!(dot.hears_error().await.starts_with("guests are not admitted here"));
    assert_eq!(dot.closes().await, Some(4403));
    let ana = client(&server.ana().await).await;
    ana.post(room(&ana, "lobby"), "nobody but us").await.unwrap();
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn a_closed_room_is_hidden_from_whoever_is_not_in_it() {
    let server = Server::start().await;
    let (ana, cyd) = (client(&server.ana().await).await, client(&server.cyd().await).await);
    let garden = ana.open_room("garden", RoomKind::Closed).await.unwrap().id;
    ana.post(garden, "secret").await.unwrap();
    let listed = cyd.list_rooms().await.unwrap();
    assert!(
        listed.open.iter().all(|room| room.name == "lobby")
            && listed.mine.iter().all(|room| room.id != garden)
    );
    let refused = [
        cyd.post(garden, "hello?").await.map(drop),
        cyd.join(garden).await.map(drop),
        cyd.leave(garden).await,
        cyd.invite(garden, cyd.me().id).await,
        cyd.remove(garden, ana.me().id).await,
        cyd.mark_read(garden, 1).await.map(drop),
        cyd.edit(garden, 2, "x").await.map(drop),
        cyd.delete(garden, 2).await.map(drop),
        cyd.list_messages(garden, client::Window::Newest, None).await.map(drop),
        cyd.list_members(garden).await.map(drop),
        cyd.command(protocol::Command::Resume { room: garden, after: 0 }).await.map(drop),
    ];
    let unknown = cyd.post(protocol::RoomId::new(uuid::Uuid::nil()), "hello?").await.map(drop);
    let code = |refused: &Result<(), Failure>| match refused {
        Err(Failure::Refused(error)) => Some((error.code, error.message.clone(), error.params.clone())),
        _ => None,
    };
    for (number, refused) in refused.iter().enumerate() {
        assert_eq!(code(refused).map(|(code, ..)| code), Some(ErrorCode::NotFound), "{number}: {refused:?}");
        assert_eq!(code(refused), code(&unknown), "{number}: like a room that is not there");
    }
    let mut dot = Script::open(&server).await;
    dot.join(&garden.to_string(), "Dot").await;
    // Nor can a room be opened that is named like it: the script would take it for the one it was told of.
    assert_eq!(dot.hears_error().await, "There is no such room, or it is not yours to see.");
    dot.join(&uuid::Uuid::nil().to_string(), "Dot").await;
    assert_eq!(dot.hears_error().await, "There is no such room, or it is not yours to see.");
    assert_eq!(texts(&ana, garden), ["secret"]);
    everyone_agrees(&server, &[&ana, &cyd]).await;
}
