//! Invite links.

use crate::support::{nonce, world};
use chat::Error;

#[tokio::test]
async fn a_link_makes_an_account_that_is_in_the_room_it_leads_to() {
    let mut world = world().await;
    let ana = world.ana().await;
    let garden = world.garden(&ana).await.id;
    let invite = world.chat.create_invite(&ana, Some(garden), None, None, nonce()).await.unwrap();
    let view = world.chat.view_invite(&invite.token).await.unwrap();
    assert_eq!((view.by.name.as_str(), view.room.as_deref()), ("Ana", Some("garden")));
    let ben = world.chat.sign_up(None, &invite.token, "Ben", "battery staple").await.unwrap();
    assert!(world.chat.session(ben.token.reveal()).await.unwrap().is_some());
    world.says(&ben.caller, garden, "thanks for having me").await;
    world.lobby(&ben.caller).await;
}

#[tokio::test]
async fn a_link_for_one_is_used_once_by_fifty() {
    let mut world = world().await;
    let ana = world.ana().await;
    let invite = world.chat.create_invite(&ana, None, Some(1), None, nonce()).await.unwrap();
    let mut signing_up = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (chat, token) = (world.chat.clone(), invite.token.clone());
        signing_up.spawn(async move {
            chat.sign_up(None, &token, &format!("Ben {number}"), "battery staple").await
        });
    }
    let signed_up = signing_up.join_all().await;
    assert_eq!(signed_up.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(signed_up.iter().all(|done| matches!(done, Ok(_) | Err(Error::LinkSpent))));
}

#[tokio::test]
async fn a_link_ends_with_its_time_its_uses_or_its_maker() {
    const HOUR: i64 = 60 * 60 * 1000;
    let mut world = world().await;
    let (ana, ben, cyd) = (world.ana().await, world.ben().await, world.cyd().await);
    let spent = |result: chat::Result<protocol::http::InviteView>| matches!(result, Err(Error::LinkSpent));
    let short = world.chat.create_invite(&ben, None, None, Some(1), nonce()).await.unwrap();
    world.pass(2 * HOUR);
    assert!(spent(world.chat.view_invite(&short.token).await));
    let revoked = world.chat.create_invite(&ben, None, None, None, nonce()).await.unwrap();
    assert!(matches!(world.chat.revoke_invite(&cyd, revoked.id).await, Err(Error::NotFound("invite"))));
    assert_eq!(world.chat.list_invites(&cyd).await.unwrap().invites.len(), 0);
    assert_eq!(world.chat.list_invites(&ana).await.unwrap().invites.len(), 1);
    world.chat.revoke_invite(&ana, revoked.id).await.unwrap();
    assert!(spent(world.chat.view_invite(&revoked.token).await));
    assert!(spent(world.chat.view_invite("rfi_made-up").await));
    assert!(world.chat.create_invite(&ben, None, Some(0), None, nonce()).await.is_err());
    let dot = world.chat.come_in("Dot").await.unwrap().caller;
    assert!(matches!(
        world.chat.create_invite(&dot, None, None, None, nonce()).await,
        Err(Error::Forbidden(_))
    ));
}

#[tokio::test]
async fn a_failed_sign_up_uses_nothing_up_and_an_account_can_accept_too() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let garden = world.garden(&ana).await.id;
    let invite = world.chat.create_invite(&ana, Some(garden), Some(1), None, nonce()).await.unwrap();
    assert!(matches!(
        world.chat.sign_up(None, &invite.token, "Ana", "battery staple").await,
        Err(Error::NameTaken(_))
    ));
    let room = world.chat.accept_invite(&ben, &invite.token).await.unwrap().unwrap();
    assert_eq!(room.id, garden);
    assert!(matches!(world.chat.accept_invite(&ben, &invite.token).await, Err(Error::LinkSpent)));
}

#[tokio::test]
async fn a_retry_makes_one_link_and_its_nonce_makes_no_other() {
    let mut world = world().await;
    let ana = world.ana().await;
    let nonce = nonce();
    let first = world.chat.create_invite(&ana, None, Some(3), None, nonce.clone()).await.unwrap();
    let again = world.chat.create_invite(&ana, None, Some(3), None, nonce.clone()).await.unwrap();
    assert_eq!(first.id, again.id);
    assert_eq!(world.chat.list_invites(&ana).await.unwrap().invites.len(), 1);
    assert!(matches!(world.chat.create_invite(&ana, None, Some(4), None, nonce).await, Err(Error::Conflict)));
}
