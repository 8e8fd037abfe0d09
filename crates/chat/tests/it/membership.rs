//! Joining, leaving, inviting, removing.

use crate::support::{World, nonce, world};
use chat::{Caller, Committed, Error, ROOMS, ROOMS_OF_GUEST};
use protocol::{ErrorCode, EventKind, Role, RoomKind, UserId};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;

#[tokio::test]
async fn a_closed_room_and_no_room_look_alike_to_an_outsider() {
    let mut world = world().await;
    let (ana, cyd) = (world.ana().await, world.cyd().await);
    let garden = world.garden(&ana).await.id;
    let nowhere = protocol::RoomId::new(uuid::Uuid::now_v7());
    for room in [garden, nowhere] {
        let refusals = [
            world.chat.join_room(&cyd, room).await.map(drop).unwrap_err(),
            world.chat.leave_room(&cyd, room).await.unwrap_err(),
            world.chat.post(&cyd, room, "let me in".into(), nonce()).await.map(drop).unwrap_err(),
            world.chat.list_messages(&cyd, room, chat::Window::Newest, None).await.map(drop).unwrap_err(),
            world.chat.list_members(&cyd, room, None, nobody()).await.map(drop).unwrap_err(),
            world.chat.mark_read(&cyd, room, 1).await.map(drop).unwrap_err(),
            world.chat.edit(&cyd, room, 1, "x").await.map(drop).unwrap_err(),
            world.chat.delete(&cyd, room, 1).await.map(drop).unwrap_err(),
            world.chat.invite_member(&cyd, room, cyd.user().id).await.unwrap_err(),
            world.chat.remove_member(&cyd, room, ana.user().id).await.unwrap_err(),
            world.chat.events(cyd.key(), room, 0).await.map(drop).unwrap_err(),
            world.chat.create_invite(&cyd, Some(room), None, None, nonce()).await.map(drop).unwrap_err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.wire(), Error::NotFound("room").wire());
        }
    }
    let found = world.chat.list_rooms(&cyd, None).await.unwrap();
    assert!(found.open.iter().all(|room| room.name != "garden"));
}

#[tokio::test]
async fn a_removed_member_is_told_nothing_more_and_cannot_post() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let garden = world.garden(&ana).await.id;
    world.chat.invite_member(&ana, garden, ben.user().id).await.unwrap();
    world.says(&ben, garden, "thanks").await;
    world.all_told();
    world.chat.remove_member(&ana, garden, ben.user().id).await.unwrap();
    let told = world.all_told();
    // The leave comes first, so that whoever applies these in order lets go before the room hears of it.
    assert!(
        matches!(&told[0], Committed::Left { user, by: Some(by), .. } if *user == ben.key() && by == ana.user())
    );
    assert!(
        matches!(&told[1], Committed::Event { event, .. } if matches!(event.kind, EventKind::MemberLeft { .. }))
    );
    assert!(matches!(
        world.chat.post(&ben, garden, "hello?".into(), nonce()).await,
        Err(Error::NotFound("room"))
    ));
    assert!(world.chat.rooms_of(ben.key()).await.unwrap().iter().all(|(_, room)| room.id != garden));
}

#[tokio::test]
async fn a_removal_racing_with_posts_leaves_none_of_them_behind_it() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let garden = world.garden(&ana).await.id;
    for _ in 0..20 {
        world.chat.invite_member(&ana, garden, ben.user().id).await.unwrap();
        world.all_told();
        let posts: Vec<_> =
            (0..8).map(|n| world.chat.post(&ben, garden, format!("{n}").as_str().into(), nonce())).collect();
        let removing = world.chat.remove_member(&ana, garden, ben.user().id);
        let later: Vec<_> =
            (0..8).map(|n| world.chat.post(&ben, garden, format!("{n}").as_str().into(), nonce())).collect();
        removing.await.unwrap();
        for posted in posts.into_iter().chain(later) {
            let _ = posted.await;
        }
        let told = world.all_told();
        let left = told.iter().position(|told| matches!(told, Committed::Left { .. })).unwrap();
        let after = told[left..].iter().filter_map(|told| match told {
            Committed::Event { event, .. } => Some(event),
            _ => None,
        });
        assert!(after.clone().all(|event| event.by.id != ben.user().id), "{told:?}");
    }
}

#[tokio::test]
async fn joining_and_inviting_twice_changes_nothing() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let yard = world.chat.open_room(&ana, "yard", RoomKind::Open, nonce(), false).await.unwrap().id;
    let first = world.chat.join_room(&ben, yard).await.unwrap();
    world.all_told();
    assert_eq!(world.chat.join_room(&ben, yard).await.unwrap(), first);
    world.chat.invite_member(&ana, yard, ben.user().id).await.unwrap();
    assert!(world.all_told().is_empty());
}

#[tokio::test]
async fn opening_a_room_twice_with_one_nonce_opens_one_and_a_name_is_had_once() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let nonce = nonce();
    let yard = world.chat.open_room(&ana, "Yard", RoomKind::Open, nonce.clone(), false).await.unwrap();
    assert_eq!(yard.role, Role::Owner);
    let again = world.chat.open_room(&ana, "Yard", RoomKind::Open, nonce.clone(), false).await.unwrap();
    assert_eq!(again.id, yard.id);
    let other = world.chat.open_room(&ana, "Other", RoomKind::Open, nonce, false).await;
    assert!(matches!(other, Err(Error::Conflict)));
    let same = world.chat.open_room(&ben, "ＹＡＲＤ", RoomKind::Open, crate::support::nonce(), false).await;
    assert!(matches!(same, Err(Error::NameTaken(_))));
    // Closed rooms are found by id alone, so they may share a name.
    world.chat.open_room(&ben, "yard", RoomKind::Closed, crate::support::nonce(), false).await.unwrap();
}

#[tokio::test]
async fn fifty_at_once_make_one_room_of_a_name() {
    let mut world = world().await;
    let ana = world.ana().await;
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (chat, ana) = (world.chat.clone(), ana.clone());
        opening.spawn(async move { chat.open_room(&ana, "yard", RoomKind::Open, nonce(), false).await });
    }
    let opened = opening.join_all().await;
    assert_eq!(opened.iter().filter(|room| room.is_ok()).count(), 1);
    assert!(opened.iter().all(|room| matches!(room, Ok(_) | Err(Error::NameTaken(_)))));
}

#[tokio::test]
async fn who_opened_a_room_or_moderates_removes_and_nobody_removes_those_above() {
    let mut world = world().await;
    let (ana, ben, cyd) = (world.ana().await, world.ben().await, world.cyd().await);
    let lobby = world.lobby(&ana).await;
    assert!(matches!(world.chat.remove_member(&ben, lobby, cyd.user().id).await, Err(Error::Forbidden(_))));
    let garden = world.garden(&ben).await.id;
    for user in [&ana, &cyd] {
        world.chat.invite_member(&ben, garden, user.user().id).await.unwrap();
    }
    assert!(matches!(world.chat.remove_member(&ben, garden, ana.user().id).await, Err(Error::Forbidden(_))));
    world.chat.remove_member(&ben, garden, cyd.user().id).await.unwrap();
    assert!(matches!(
        world.chat.remove_member(&ben, garden, cyd.user().id).await,
        Err(Error::NotFound("member"))
    ));
}

#[tokio::test]
async fn the_roster_comes_in_pages_by_name_without_guests_who_went_away() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let mut guests = HashSet::new();
    for number in 0..120 {
        guests.insert(world.chat.come_in(&format!("guest {number:03}")).await.unwrap().caller.user().id);
        world.listen();
    }
    let nobody_here = world.chat.list_members(&ana, lobby, None, nobody()).await.unwrap();
    assert_eq!(nobody_here.count, 1);
    assert!(nobody_here.members.iter().all(|member| !member.user.guest && !member.here));
    let here = Arc::new(guests);
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.chat.list_members(&ana, lobby, cursor.as_deref(), Arc::clone(&here)).await.unwrap();
        assert_eq!(page.count, 121);
        names.extend(page.members.into_iter().map(|member| member.user.name));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(names.len(), 121);
    assert!(names.is_sorted_by_key(|name| name.to_lowercase()));
    assert!(world.chat.list_members(&ana, lobby, Some("nonsense"), nobody()).await.is_err());
}

fn nobody() -> Arc<HashSet<UserId>> {
    Arc::default()
}

#[tokio::test]
async fn a_guest_is_in_a_hundred_rooms_at_most_until_they_leave_one() {
    let mut world = world().await;
    let ana = world.ana().await;
    let yard = world.chat.open_room(&ana, "yard", RoomKind::Open, nonce(), true).await.unwrap().id;
    let dot = world.chat.come_in("Dot").await.unwrap().caller;
    // The lobby is the first.
    open_all(&world, &dot, ROOMS_OF_GUEST - 1).await;
    let open = world.chat.open_room(&dot, "one more", RoomKind::Open, nonce(), true).await.unwrap_err();
    let refusals = [
        open,
        world.chat.join_room(&dot, yard).await.unwrap_err(),
        world.chat.invite_member(&ana, yard, dot.user().id).await.unwrap_err(),
    ];
    for refusal in refusals {
        let wire = refusal.wire();
        assert_eq!(wire.code, ErrorCode::TooLarge);
        assert_eq!((&wire.params["rooms"], &wire.params["name"]), (&100.into(), &"Dot".into()));
    }
    let found = world.chat.list_rooms(&ana, None).await.unwrap();
    assert!(found.open.iter().all(|room| room.name != "one more"), "a refusal opens nothing");
    world.chat.leave_room(&dot, world.lobby(&dot).await).await.unwrap();
    world.chat.join_room(&dot, yard).await.unwrap();
    assert_eq!(world.chat.join_room(&dot, yard).await.unwrap().id, yard, "a member already stays one");
}

#[tokio::test]
async fn an_account_is_in_a_thousand_rooms_at_most() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    open_all(&world, &ben, ROOMS - 1).await;
    let garden = world.garden(&ana).await.id;
    let refused = world.chat.invite_member(&ana, garden, ben.user().id).await.unwrap_err();
    assert!(matches!(&refused, Error::TooManyRooms { name, most: ROOMS } if name == "Ben"), "{refused:?}");
    assert_eq!(world.chat.rooms_of(ben.key()).await.unwrap().len() as u64, ROOMS);
}

/// Opens rooms, many at once: each alone would wait for the disk.
async fn open_all(world: &World, who: &Caller, count: u64) {
    let mut opening = JoinSet::new();
    for number in 0..count {
        let (chat, who) = (world.chat.clone(), who.clone());
        opening.spawn(async move {
            chat.open_room(&who, &format!("room {number}"), RoomKind::Open, nonce(), true).await.map(drop)
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap().unwrap();
        world.listen();
    }
}
