//! Owner, members, guests and their sessions.

use crate::support::world;
use chat::{Committed, Error};
use protocol::Role;

#[tokio::test]
async fn twenty_at_once_make_one_owner() {
    let world = world().await;
    assert!(world.chat.waits_for_owner().await.unwrap());
    let mut setting_up = tokio::task::JoinSet::new();
    for number in 0..20 {
        let chat = world.chat.clone();
        setting_up.spawn(async move { chat.set_up(&format!("Ana {number}"), "correct horse").await });
    }
    let set_up = setting_up.join_all().await;
    assert_eq!(set_up.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(set_up.iter().all(|done| matches!(done, Ok(_) | Err(Error::LinkSpent))));
    assert_eq!(world.chat.accounts().await.unwrap().len(), 1);
    assert!(!world.chat.waits_for_owner().await.unwrap());
}

#[tokio::test]
async fn an_unknown_name_and_a_wrong_password_look_alike() {
    let mut world = world().await;
    world.ana().await;
    let unknown = world.chat.sign_in("Nobody", "correct horse").await.map(drop).unwrap_err();
    let wrong = world.chat.sign_in("Ana", "wrong horse").await.map(drop).unwrap_err();
    assert_eq!(unknown.wire(), wrong.wire());
    world.chat.sign_in("ANA", "correct horse").await.unwrap();
}

#[tokio::test]
async fn a_session_lives_while_it_is_used_and_dies_when_it_is_not() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let mut world = world().await;
    world.ana().await;
    let used = world.chat.sign_in("Ana", "correct horse").await.unwrap();
    let unused = world.chat.sign_in("Ana", "correct horse").await.unwrap();
    for _ in 0..4 {
        world.pass(60 * DAY);
        assert!(world.chat.session(used.token.reveal()).await.unwrap().is_some());
    }
    assert!(world.chat.session(unused.token.reveal()).await.unwrap().is_none());
    assert!(world.chat.session("rfs_made-up").await.unwrap().is_none());
    world.restart().await;
}

#[tokio::test]
async fn a_session_lives_while_somebody_stays_connected_in_it_and_no_other_comes_back() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let mut world = world().await;
    let (ana, dot) = (world.ana().await, world.chat.come_in("Dot").await.unwrap().caller);
    let connected = [&ana, &dot].map(|caller| caller.session().unwrap());
    for _ in 0..5 {
        world.pass(25 * DAY);
        world.chat.keep_signed_in(connected.to_vec()).await.unwrap();
        world.chat.end_expired().await.unwrap();
    }
    assert!(world.chat.is_signed_in(&ana).await.unwrap());
    assert!(world.chat.is_signed_in(&dot).await.unwrap());

    world.pass(91 * DAY);
    world.chat.keep_signed_in(connected.to_vec()).await.unwrap();
    assert!(!world.chat.is_signed_in(&ana).await.unwrap(), "too late");
}

#[tokio::test]
async fn a_session_that_expires_ends_and_tells_its_connections() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let mut world = world().await;
    world.ana().await;
    let old = world.chat.sign_in("Ana", "correct horse").await.unwrap().caller;
    world.pass(60 * DAY);
    world.chat.sign_in("Ana", "correct horse").await.unwrap();
    world.chat.end_expired().await.unwrap();
    world.all_told();
    world.pass(31 * DAY);
    world.chat.end_expired().await.unwrap();
    let told = world.all_told();
    assert!(told.contains(&Committed::SessionEnded { user: old.key(), session: old.session().unwrap() }));
    assert!(!world.chat.is_signed_in(&old).await.unwrap());
}

#[tokio::test]
async fn signing_out_ends_that_session_alone_and_tells_its_connections() {
    let mut world = world().await;
    world.ana().await;
    let one = world.chat.sign_in("Ana", "correct horse").await.unwrap();
    let other = world.chat.sign_in("Ana", "correct horse").await.unwrap();
    world.all_told();
    world.chat.sign_out(&one.caller).await.unwrap();
    assert!(world.chat.session(one.token.reveal()).await.unwrap().is_none());
    assert!(world.chat.session(other.token.reveal()).await.unwrap().is_some());
    assert_eq!(
        world.all_told(),
        [Committed::SessionEnded { user: one.caller.key(), session: one.caller.session().unwrap() }]
    );
}

#[tokio::test]
async fn a_guest_is_in_the_lobby_at_once_and_keeps_the_name_while_the_session_lives() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let mut world = world().await;
    world.ana().await;
    let dot = world.chat.come_in("Dot").await.unwrap();
    assert_eq!(dot.caller.role(), Role::Guest);
    assert!(dot.caller.user().guest);
    let lobby = world.lobby(&dot.caller).await;
    world.says(&dot.caller, lobby, "hi").await;
    assert!(matches!(world.chat.come_in("DOT").await, Err(Error::NameTaken(_))));
    assert!(matches!(world.chat.come_in("ana").await, Err(Error::NameTaken(_))));
    world.pass(31 * DAY);
    world.chat.come_in("Dot").await.unwrap();
}

#[tokio::test]
async fn a_name_is_registered_once_whatever_its_letters_case_and_a_password_has_eight_characters() {
    let mut world = world().await;
    world.ana().await;
    assert!(matches!(
        world.chat.add_user("ＡＮＡ", "battery staple", Role::Member).await,
        Err(Error::NameTaken(_))
    ));
    assert!(matches!(
        world.chat.add_user("Ben", "short", Role::Member).await,
        Err(Error::Invalid { rule: "short", .. })
    ));
    assert!(world.chat.add_user("Ben", "battery staple", Role::Guest).await.is_err());
    world.chat.add_user("Ben", "battery staple", Role::Moderator).await.unwrap();
    let ana = world.chat.sign_in("Ana", "correct horse").await.unwrap().caller;
    let found = world.chat.list_users(&ana, "B", None).await.unwrap();
    assert_eq!(found.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["Ben"]);
    let dot = world.chat.come_in("Dot").await.unwrap().caller;
    assert!(matches!(world.chat.list_users(&dot, "", None).await, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn the_epoch_stays_over_a_restart_and_differs_between_databases() {
    let one = world().await;
    let other = world().await;
    assert_ne!(one.chat.epoch(), other.chat.epoch());
    let epoch = one.chat.epoch().to_owned();
    assert_eq!(one.restart().await.chat.epoch(), epoch);
}
