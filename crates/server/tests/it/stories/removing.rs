//! Rights hold at delivery: whoever is out hears nothing more.

use super::script::{Script, chat};
use super::support::{client, closing, connection, everyone_agrees, frames, next_frame, room, texts};
use crate::support::{Actor, Server};
use client::{Client, Ended, Failure, Link};
use protocol::{ErrorCode, Event, EventKind, RoomId, RoomKind, ServerFrame};
use serde_json::Value;

/// Ana's closed garden, with Ben in it.
async fn garden(ana: &Client, ben: &Client) -> RoomId {
    let garden = ana.open_room("garden", RoomKind::Closed).await.unwrap().id;
    invite(ana, ben, garden).await;
    garden
}

async fn invite(ana: &Client, ben: &Client, garden: RoomId) {
    ana.invite(garden, ben.me().id).await.unwrap();
    ben.wait_until("the garden", |state| state.rooms.contains_key(&garden)).await.unwrap();
}

/// Where somebody's removal stands in the room's log, the latest.
async fn removal(ana: &Actor, garden: RoomId) -> u64 {
    let page = ana.get(&format!("/api/v1/rooms/{garden}/events?after=0")).await.ok();
    let events: Vec<Event> = serde_json::from_value(page["events"].clone()).unwrap();
    let leaves = events.iter().filter(|event| matches!(event.kind, EventKind::MemberLeft { .. }));
    leaves.map(|event| event.seq).max().unwrap()
}

fn is_refused(refused: Result<impl Sized, Failure>) -> bool {
    matches!(refused, Err(Failure::Refused(error)) if error.code == ErrorCode::NotFound)
}

/// Of the frames received since `from`: nothing of the room with a seq at or beyond `removal`, but the word of it.
fn nothing_after(ben: &Client, from: usize, garden: RoomId, removal: u64) {
    let mut word = 0;
    for frame in &frames(ben)[from..] {
        let of_the_room = frame["room"] == garden.to_string();
        if of_the_room && frame["type"] == "room_left" {
            assert_eq!(frame["seq"], removal);
            word += 1;
        } else if of_the_room {
            assert_eq!(word, 0, "after the word of it: {frame}");
            assert!(frame["seq"].as_u64().is_none_or(|seq| seq < removal), "{frame}");
        } else if frame["type"] == "beat" {
            assert!(word == 0 || !frame.to_string().contains(&garden.to_string()), "{frame}");
        }
    }
    assert_eq!(word, 1, "Ben was told once");
}

#[tokio::test]
async fn a_removed_member_hears_nothing_more_and_cannot_post() {
    let server = Server::start().await;
    let owner = server.ana().await;
    let (ana, ben) = (client(&owner).await, client(&server.ben().await).await);
    let garden = garden(&ana, &ben).await;
    ana.post(garden, "welcome").await.unwrap();
    ben.hears("welcome").await.unwrap();
    ana.remove(garden, ben.me().id).await.unwrap();
    ana.post(garden, "now that Ben is gone").await.unwrap();
    ben.wait_until("the garden to go", |state| !state.rooms.contains_key(&garden)).await.unwrap();
    assert!(is_refused(ben.post(garden, "still here").await));
    assert!(is_refused(ben.command(protocol::Command::Resume { room: garden, after: 0 }).await));
    // Comes behind whatever the garden would have sent.
    ana.post(room(&ana, "lobby"), "in the lobby").await.unwrap();
    ben.hears("in the lobby").await.unwrap();
    nothing_after(&ben, 0, garden, removal(&owner, garden).await);
    assert!(!ben.recorded().concat().contains("now that Ben is gone"));
    ben.disconnect().await;
    ben.reconnect().await.unwrap();
    assert_eq!(ben.room("garden"), None);
    everyone_agrees(&server, &[&ana, &ben]).await;
}

#[tokio::test]
async fn a_removal_racing_with_posts_lets_nothing_through() {
    let server = Server::start().await;
    let owner = server.ana().await;
    let (ana, ben, dot) =
        (client(&owner).await, client(&server.ben().await).await, client(&server.dot().await).await);
    let (lobby, garden) = (room(&ana, "lobby"), garden(&ana, &ben).await);
    invite(&ana, &dot, garden).await;
    for round in 0..15 {
        let from = ben.recorded().len();
        for number in 0..10 {
            ben.enqueue(garden, &format!("ben {round}.{number}")).await.unwrap();
            dot.enqueue(garden, &format!("dot {round}.{number}")).await.unwrap();
        }
        let last = format!("ben {round}");
        let (bens, removed) = tokio::join!(ben.post(garden, &last), ana.remove(garden, ben.me().id));
        removed.unwrap();
        let removal = removal_in(&ana, garden).await;
        match bens {
            Ok(posted) => assert!(posted.seq < removal, "{} posted, removed at {removal}", posted.seq),
            refused => assert!(is_refused(refused)),
        }
        dot.wait_until("all to be posted", |state| state.outbox.pending().is_empty()).await.unwrap();
        ana.post(lobby, &format!("round {round}")).await.unwrap();
        ben.hears(&format!("round {round}")).await.unwrap();
        nothing_after(&ben, from, garden, removal);
        ben.wait_until("an answer to each post", |state| {
            state.outbox.pending().iter().all(|draft| matches!(draft.state, client::PendingState::Failed(_)))
        })
        .await
        .unwrap();
        invite(&ana, &ben, garden).await;
    }
    let bens = |client: &Client| texts(client, garden).iter().filter(|text| text.starts_with("ben")).count();
    assert_eq!(bens(&ana), bens(&dot));
    everyone_agrees(&server, &[&ana, &ben, &dot]).await;
}

/// Where the latest removal stands, by what Ana heard: the log may be long.
async fn removal_in(ana: &Client, garden: RoomId) -> u64 {
    let leaves = |client: &Client| -> Vec<Value> {
        let frames = frames(client);
        frames
            .into_iter()
            .filter(|frame| frame["type"] == "member_left" && frame["room"] == garden.to_string())
            .collect()
    };
    let known = ana.read(|state| state.rooms[&garden].head);
    super::support::all_have(&[ana], garden, known).await;
    // The reply may come before the event that the removal caused: whatever is answered next comes after both.
    ana.list_rooms().await.unwrap();
    leaves(ana).last().and_then(|frame| frame["seq"].as_u64()).unwrap()
}

#[tokio::test]
async fn whoever_leaves_hears_nothing_more_on_any_of_their_devices() {
    let server = Server::start().await;
    let (owner, member) = (server.ana().await, server.ben().await);
    let (ana, desk, phone) = (client(&owner).await, client(&member).await, client(&member).await);
    let garden = garden(&ana, &desk).await;
    phone.wait_until("the garden", |state| state.rooms.contains_key(&garden)).await.unwrap();
    desk.leave(garden).await.unwrap();
    ana.post(garden, "now that Ben is gone").await.unwrap();
    ana.post(room(&ana, "lobby"), "in the lobby").await.unwrap();
    let removal = removal(&owner, garden).await;
    for device in [&desk, &phone] {
        device.hears("in the lobby").await.unwrap();
        nothing_after(device, 0, garden, removal);
    }
    everyone_agrees(&server, &[&ana, &desk, &phone]).await;
}

#[tokio::test]
async fn a_script_whose_user_is_removed_is_out_of_the_room() {
    let server = Server::start().await;
    let (ana, dot) = (client(&server.ana().await).await, server.dot().await);
    let mut script = Script::open_as(&server, &dot).await;
    script.join("lobby", "Dot").await;
    script.settle_in("lobby", "Dot").await;
    let lobby = room(&ana, "lobby");
    ana.remove(lobby, dot.user.id).await.unwrap();
    loop {
        match script.hears().await {
            protocol::simple::SimpleFrame::Roster { .. } => {}
            other => {
                assert!(
                    matches!(&other, protocol::simple::SimpleFrame::Error { message } if message.contains("removed"))
                );
                break;
            }
        }
    }
    ana.post(lobby, "now that Dot is gone").await.unwrap();
    script.says(r#"{"type":"react","seq":1,"emoji":"🎉"}"#).await;
    assert_eq!(script.hears_error().await, "join a room before reacting");
    script.chat("still here").await;
    assert_eq!(script.hears_error().await, "join a room before chatting");
    assert_eq!(texts(&ana, lobby), ["now that Dot is gone"]);
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn a_session_that_ends_closes_all_its_connections_with_4401_and_they_hear_nothing_more() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let other_session = client(&server.sign_in("Ben").await).await;
    let device = client(&ben).await;
    let mut bare = [connection(&ben).await, connection(&ben).await];
    let lobby = room(&ana, "lobby");
    ben.delete("/api/v1/session").await.ok();
    ana.post(lobby, "now that Ben is signed out").await.unwrap();
    for connection in &mut bare {
        let (code, texts) = closing(connection).await;
        assert_eq!(code, Some(4401));
        let last: Value = serde_json::from_str(texts.last().unwrap()).unwrap();
        assert_eq!(last["type"], "session_ended", "{texts:?}");
        assert!(!texts.concat().contains("signed out"), "{texts:?}");
    }
    device.wait_until("the end", |state| state.link == Link::Ended(Ended::StayAway(4401))).await.unwrap();
    assert!(!device.recorded().concat().contains("signed out"));
    // The other session goes on.
    other_session.hears("now that Ben is signed out").await.unwrap();
    everyone_agrees(&server, &[&ana, &other_session]).await;
}

#[tokio::test]
async fn a_script_of_a_session_that_ends_is_told_so_and_closed_with_4401() {
    let server = Server::start().await;
    let (ana, ben) = (client(&server.ana().await).await, server.ben().await);
    let lobby = room(&ana, "lobby");
    let mut inside = Script::open_as(&server, &ben).await;
    inside.join("lobby", "Ben").await;
    inside.settle_in("lobby", "Ben").await;
    let mut outside = Script::open_as(&server, &ben).await;
    ben.delete("/api/v1/session").await.ok();
    ana.post(lobby, "now that Ben is signed out").await.unwrap();
    for script in [&mut inside, &mut outside] {
        assert_eq!(script.hears_error().await, "the session of this token has ended");
        assert_eq!(script.closes().await, Some(4401));
    }
    everyone_agrees(&server, &[&ana]).await;
}

#[tokio::test]
async fn an_outsider_hears_nothing_of_a_closed_room_however_much_happens_in_it() {
    let server = Server::start().await;
    let (ana, ben, cyd) = (
        client(&server.ana().await).await,
        client(&server.ben().await).await,
        client(&server.cyd().await).await,
    );
    let mut script = Script::in_room(&server, "lobby", "Dot").await;
    let garden = garden(&ana, &ben).await;
    for number in 0..20 {
        let said = ana.post(garden, &format!("secret {number}")).await.unwrap();
        ben.edit(garden, said.seq, "x").await.unwrap_err();
        ana.edit(garden, said.seq, &format!("secret, edited {number}")).await.unwrap();
        ben.mark_read(garden, said.seq).await.unwrap();
    }
    ana.remove(garden, ben.me().id).await.unwrap();
    invite(&ana, &ben, garden).await;
    cyd.disconnect().await;
    cyd.reconnect().await.unwrap();
    cyd.list_rooms().await.unwrap();
    assert!(is_refused(cyd.list_members(garden).await));
    ana.post(room(&ana, "lobby"), "in the lobby").await.unwrap();
    cyd.hears("in the lobby").await.unwrap();
    let heard = cyd.recorded().concat();
    for secret in [garden.to_string().as_str(), "garden", "secret"] {
        assert!(!heard.contains(secret), "{secret}");
    }
    loop {
        match script.hears().await {
            protocol::simple::SimpleFrame::Chat(said) => {
                assert_eq!((said.room.as_str(), said.chat.text.as_str()), ("lobby", "in the lobby"));
                break;
            }
            other => assert!(!format!("{other:?}").contains("garden")),
        }
    }
    everyone_agrees(&server, &[&ana, &ben, &cyd]).await;
}

#[tokio::test]
async fn a_closed_room_is_open_to_a_script_of_its_member_by_its_id_until_they_are_removed() {
    let server = Server::start().await;
    let (ana, dot) = (client(&server.ana().await).await, server.dot().await);
    let garden = ana.open_room("garden", RoomKind::Closed).await.unwrap().id;
    ana.invite(garden, dot.user.id).await.unwrap();
    let mut script = Script::open_as(&server, &dot).await;
    script.join(&garden.to_string(), "Dot").await;
    script.settle_in("garden", "Dot").await;
    script.chat("beep").await;
    assert_eq!(script.hears_chat().await, chat("Dot", "beep"));
    let mut watching = connection(&server.sign_in("Ana").await).await;
    ana.remove(garden, dot.user.id).await.unwrap();
    ana.post(garden, "now that Dot is gone").await.unwrap();
    let heard = script.hears_error().await;
    assert!(heard.contains("removed"), "{heard}");
    script.join("lobby", "Dot").await;
    script.settle_in("lobby", "Dot").await;
    while !matches!(next_frame(&mut watching).await, Some(ServerFrame::Event(event)) if event.message().is_some())
    {
    }
    everyone_agrees(&server, &[&ana]).await;
}
