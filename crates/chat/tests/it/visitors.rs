//! People of the simple protocol.

use crate::support::{nonce, world};
use chat::{Error, Name, Visitor};
use protocol::EventKind;

fn passing(name: &str) -> Visitor {
    Visitor::Passing(Name::new("username", name).unwrap())
}

#[tokio::test]
async fn the_first_chat_brings_the_user_and_the_membership_in_one_commit() {
    let mut world = world().await;
    let ana = world.ana().await;
    let dot = passing("dot");
    let room = world.chat.room_named(&dot, "lobby", false).await.unwrap();
    world.events();
    assert!(!world.chat.is_reserved(&Name::new("username", "dot").unwrap(), &dot).await.unwrap());
    let (caller, posted) = world.chat.chat(&dot, room.id, "hi".into(), nonce()).await.unwrap();
    let told = world.events();
    assert!(matches!(&told[0].kind, EventKind::MemberJoined { user, .. } if user == caller.user()));
    assert_eq!((told[1].seq, told[1].by.name.as_str()), (posted.seq, "dot"));
    let (again, _) =
        world.chat.chat(&Visitor::Known(caller.clone()), room.id, "ho".into(), nonce()).await.unwrap();
    assert_eq!(again.user().id, caller.user().id);
    assert_eq!(world.texts(&ana, room.id).await, ["hi", "ho"]);
}

#[tokio::test]
async fn a_refused_first_chat_leaves_no_user_behind() {
    let world = world().await;
    let dot = passing("dot");
    let room = world.chat.room_named(&dot, "lobby", false).await.unwrap();
    assert!(world.chat.chat(&dot, room.id, "  ".into(), nonce()).await.is_err());
    let nowhere = protocol::RoomId::new(uuid::Uuid::now_v7());
    assert!(matches!(
        world.chat.chat(&dot, nowhere, "hi".into(), nonce()).await,
        Err(Error::NotFound("room"))
    ));
    let head = world.chat.room_named(&dot, "lobby", false).await.unwrap().head;
    assert_eq!(head, 0);
}

#[tokio::test]
async fn entering_opens_a_room_that_stays_once_something_was_said() {
    let world = world().await;
    let dot = passing("dot");
    assert!(matches!(world.chat.room_named(&dot, "yard", false).await, Err(Error::NotFound("room"))));
    let yard = world.chat.room_named(&dot, "yard", true).await.unwrap();
    assert_eq!(world.chat.room_named(&dot, "YARD", true).await.unwrap().key, yard.key);
    assert!(world.chat.remove_provisional(yard.key).await.unwrap());
    let yard = world.chat.room_named(&dot, "yard", true).await.unwrap();
    world.chat.chat(&dot, yard.id, "hi".into(), nonce()).await.unwrap();
    assert!(!world.chat.remove_provisional(yard.key).await.unwrap());
    let world = world.restart().await;
    assert_eq!(world.chat.room_named(&dot, "yard", false).await.unwrap().key, yard.key);
}

#[tokio::test]
async fn an_empty_room_opened_by_entering_goes_when_the_server_starts_and_not_when_the_operator_looks() {
    let world = world().await;
    let dot = passing("dot");
    let yard = world.chat.room_named(&dot, "yard", true).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.chat.room_named(&dot, "yard", false).await.unwrap().key, yard.key);
    world.chat.clear_leftovers().await.unwrap();
    assert!(matches!(world.chat.room_named(&dot, "yard", false).await, Err(Error::NotFound("room"))));
}

#[tokio::test]
async fn a_closed_room_is_open_to_members_by_its_id_alone() {
    let mut world = world().await;
    let (ana, cyd) = (world.ana().await, world.cyd().await);
    let garden = world.garden(&ana).await;
    let id = garden.id.to_string();
    let found = world.chat.room_named(&Visitor::Known(ana.clone()), &id, false).await.unwrap();
    assert_eq!(found.id, garden.id);
    for outsider in [Visitor::Known(cyd), passing("dot")] {
        assert!(matches!(world.chat.room_named(&outsider, &id, false).await, Err(Error::NotFound("room"))));
        assert!(world.chat.history(&outsider, found.key, 50).await.is_err());
        assert!(world.chat.chat(&outsider, garden.id, "hi".into(), nonce()).await.is_err());
    }
    assert!(world.chat.room_named(&passing("dot"), "garden", false).await.is_err());
}

#[tokio::test]
async fn a_room_that_was_entered_joined_left_and_emptied_leaves_nothing_that_stops_the_next() {
    let mut world = world().await;
    let ana = world.ana().await;
    let yard = world.chat.room_named(&passing("dot"), "yard", true).await.unwrap();
    world.chat.join_room(&ana, yard.id).await.unwrap();
    world.chat.create_invite(&ana, Some(yard.id), None, None, nonce()).await.unwrap();
    world.chat.leave_room(&ana, yard.id).await.unwrap();
    let world = world.restart().await;
    world.chat.clear_leftovers().await.unwrap();
    let garden = world.garden(&ana).await;
    assert_eq!(garden.head, 1);
    let again = world.chat.room_named(&passing("dot"), "yard", true).await.unwrap();
    assert_ne!(again.key, yard.key, "a key is never given twice");
}

#[tokio::test]
async fn a_name_that_was_registered_meanwhile_is_no_longer_a_visitors_to_speak_under() {
    let world = world().await;
    let ben = passing("Ben");
    let lobby = world.chat.room_named(&ben, "lobby", false).await.unwrap();
    world.chat.add_user("Ben", "battery staple", protocol::Role::Member).await.unwrap();
    assert!(matches!(
        world.chat.chat(&ben, lobby.id, "it is me".into(), nonce()).await,
        Err(Error::NameTaken(_))
    ));
}
