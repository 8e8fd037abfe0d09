//! Posting, editing, deleting.

use crate::support::{nonce, world};
use chat::{Error, Kept, Window};
use protocol::{Event, EventKind};
use std::sync::Arc;

#[tokio::test]
async fn what_was_posted_is_told_and_stays_said_after_a_restart() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let posted = world.says(&ana, lobby, "morning, all").await;
    let told = world.events();
    assert_eq!(told.last().unwrap().seq, posted.seq);
    assert_eq!(told.last().unwrap().message().unwrap().body.text, "morning, all");

    let world = world.restart().await;
    assert_eq!(world.texts(&ana, lobby).await, ["morning, all"]);
}

#[tokio::test]
async fn a_retry_posts_once_and_gets_the_first_answer_even_after_an_edit_and_a_deletion() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let nonce = nonce();
    let first = world.chat.post(&ana, lobby, "hi".into(), nonce.clone()).await.unwrap();
    assert_eq!(world.chat.post(&ana, lobby, "hi".into(), nonce.clone()).await.unwrap(), first);
    world.chat.edit(&ana, lobby, first.seq, "hello").await.unwrap();
    assert_eq!(world.chat.post(&ana, lobby, "hi".into(), nonce.clone()).await.unwrap(), first);
    world.chat.delete(&ana, lobby, first.seq).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.chat.post(&ana, lobby, "hi".into(), nonce.clone()).await.unwrap(), first);
    assert!(world.events().is_empty(), "a retry tells nobody anything");
    assert_eq!(world.texts(&ana, lobby).await, [""]);
}

#[tokio::test]
async fn a_nonce_for_another_draft_or_room_is_a_conflict_and_another_author_may_use_it() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    let garden = world.garden(&ana).await;
    let nonce = nonce();
    world.chat.post(&ana, lobby, "hi".into(), nonce.clone()).await.unwrap();
    assert!(matches!(world.chat.post(&ana, lobby, "ho".into(), nonce.clone()).await, Err(Error::Conflict)));
    assert!(matches!(
        world.chat.post(&ana, garden.id, "hi".into(), nonce.clone()).await,
        Err(Error::Conflict)
    ));
    world.chat.post(&ben, lobby, "hi".into(), nonce).await.unwrap();
}

#[tokio::test]
async fn a_room_counts_its_events_without_holes_and_refusals_take_none() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let garden = world.garden(&ana).await;
    world.events();
    let mut waiting = Vec::new();
    for number in 0..50 {
        waiting.push(world.chat.post(&ana, garden.id, format!("{number}").as_str().into(), nonce()));
        waiting.push(world.chat.post(&ben, garden.id, "not mine".into(), nonce()));
        waiting.push(world.chat.post(&ana, garden.id, " ".into(), nonce()));
    }
    for (index, posted) in waiting.into_iter().enumerate() {
        match (index % 3, posted.await) {
            (0, Ok(_)) | (1, Err(Error::NotFound(_))) | (2, Err(Error::Invalid { .. })) => {}
            (_, other) => panic!("{index}: {other:?}"),
        }
    }
    let seqs: Vec<u64> = world.events().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (garden.head + 1..=garden.head + 50).collect::<Vec<_>>());
    assert_eq!(
        world.texts(&ana, garden.id).await,
        (0..50).map(|number| number.to_string()).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn posts_share_a_batch_with_other_work_without_a_hole_in_any_room() {
    let mut world = world().await;
    let (ana, ben, cyd) = (world.ana().await, world.ben().await, world.cyd().await);
    let (lobby, garden) = (world.lobby(&ana).await, world.garden(&ana).await.id);
    let first = world.says(&ana, lobby, "first").await.seq;
    world.all_told();
    for round in 0..20 {
        let post = |caller, room| world.chat.post(caller, room, "hello".into(), nonce());
        let before =
            [post(&ana, lobby), post(&ben, lobby), post(&ana, garden), post(&cyd, garden), post(&cyd, lobby)];
        let text = format!("first, in round {round}");
        let work = async {
            tokio::join!(
                world.chat.edit(&ana, lobby, first, &text),
                world.chat.leave_room(&ben, lobby),
                world.chat.invite_member(&ana, garden, ben.user().id),
            )
        };
        let after = async { [post(&ben, garden).await.is_ok(), post(&ben, lobby).await.is_err()] };
        let (worked, after) = tokio::join!(work, after);
        assert!(worked.0.is_ok() && worked.1.is_ok() && worked.2.is_ok(), "{worked:?}");
        let mut refused = 0;
        for posted in before {
            refused += usize::from(posted.await.is_err());
        }
        assert_eq!((refused, after[1]), (1, true), "Cyd is not in the garden, and Ben has left the lobby");
        world.chat.join_room(&ben, lobby).await.unwrap();
        world.listen();
    }
    let events = world.events();
    for room in [lobby, garden] {
        let told: Vec<&Event> = events.iter().filter(|event| event.room == room).collect();
        assert!(told.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "{told:?}");
        let ordinals = told.iter().filter_map(|event| match &event.kind {
            EventKind::MessagePosted(posted) => Some(posted.n),
            _ => None,
        });
        let ordinals: Vec<u64> = ordinals.collect();
        assert!(ordinals.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ordinals:?}");
        let heads = world.chat.rooms_of(ana.key()).await.unwrap();
        let head = heads.iter().find(|(_, known)| known.id == room).unwrap().1.head;
        assert_eq!(told.last().unwrap().seq, head, "what was told last is the head that is kept");
    }
}

#[tokio::test]
async fn the_author_alone_edits_and_the_author_or_a_moderator_deletes() {
    let mut world = world().await;
    let (ana, ben, cyd) = (world.ana().await, world.ben().await, world.cyd().await);
    let lobby = world.lobby(&ana).await;
    let bens = world.says(&ben, lobby, "mine").await.seq;
    assert!(matches!(world.chat.edit(&ana, lobby, bens, "yours").await, Err(Error::Forbidden(_))));
    assert!(matches!(world.chat.delete(&cyd, lobby, bens).await, Err(Error::Forbidden(_))));
    world.chat.edit(&ben, lobby, bens, "still mine").await.unwrap();
    let rev = world.chat.delete(&ana, lobby, bens).await.unwrap().rev;
    assert_eq!(
        world.chat.delete(&ana, lobby, bens).await.unwrap().rev,
        rev,
        "deleting again changes nothing"
    );
    assert!(matches!(world.chat.edit(&ben, lobby, bens, "back").await, Err(Error::NotFound(_))));
    let kinds: Vec<_> = world.events().into_iter().rev().take(2).map(|event| event.kind).collect();
    assert!(matches!(kinds[0], EventKind::MessageDeleted { target, .. } if target == bens));
    assert!(matches!(kinds[1], EventKind::MessageEdited { target, .. } if target == bens));
}

#[tokio::test]
async fn a_deleted_text_is_nowhere_in_the_log() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let seq = world.says(&ana, lobby, "the secret recipe").await.seq;
    world.chat.edit(&ana, lobby, seq, "the secret recipe, again").await.unwrap();
    world.chat.delete(&ana, lobby, seq).await.unwrap();
    let page = world.chat.events(ana.key(), lobby, 0).await.unwrap();
    assert_eq!(page.events.len() as u64, page.as_of, "no hole where it was");
    assert!(!serde_json::to_string(&page).unwrap().contains("recipe"));
}

#[tokio::test]
async fn history_can_be_walked_back_to_the_first_message_and_forward_again() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    for number in 0..73 {
        world.says(&ana, lobby, &number.to_string()).await;
    }
    let (mut place, mut texts) = (Window::Newest, Vec::new());
    loop {
        let page = world.chat.list_messages(&ana, lobby, place, Some(10)).await.unwrap();
        texts.splice(0..0, page.messages.iter().map(|message| message.body.text.clone()));
        if !page.more_before {
            break;
        }
        place = Window::Before(page.messages[0].seq);
    }
    assert_eq!(texts, (0..73).map(|number| number.to_string()).collect::<Vec<_>>());

    let middle = world.chat.list_messages(&ana, lobby, Window::Around(40), Some(11)).await.unwrap();
    assert!(middle.more_before && middle.more_after);
    assert!(middle.messages.iter().any(|message| message.seq == 40));
    let last = middle.messages.last().unwrap().seq;
    let next = world.chat.list_messages(&ana, lobby, Window::After(last), Some(100)).await.unwrap();
    assert_eq!(next.messages[0].seq, last + 1);
    assert!(!next.more_after);
}

#[tokio::test]
async fn places_far_beyond_the_room_are_empty_pages_and_no_errors() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    world.says(&ana, lobby, "hi").await;
    for place in [Window::After(u64::MAX), Window::After(i64::MAX as u64), Window::Before(0)] {
        assert!(world.chat.list_messages(&ana, lobby, place, Some(5)).await.unwrap().messages.is_empty());
    }
    for place in [Window::Before(u64::MAX), Window::Around(u64::MAX), Window::Around(0)] {
        assert_eq!(
            world.chat.list_messages(&ana, lobby, place, Some(u32::MAX)).await.unwrap().messages.len(),
            1
        );
    }
    assert!(world.chat.events(ana.key(), lobby, u64::MAX).await.unwrap().events.is_empty());
}

#[tokio::test]
async fn numbers_that_fit_no_column_are_refused_and_disturb_nobody_elses_post() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    for number in 0..20 {
        let post = world.chat.post(&ana, lobby, format!("{number}").as_str().into(), nonce());
        for seq in [u64::MAX, 1 << 63, (1 << 63) - 1, 0] {
            assert!(matches!(world.chat.edit(&ben, lobby, seq, "x").await, Err(Error::NotFound(_))));
            assert!(matches!(world.chat.delete(&ben, lobby, seq).await, Err(Error::NotFound(_))));
        }
        post.await.unwrap();
        world.listen();
    }
}

#[tokio::test]
async fn a_page_of_long_messages_ends_early_and_says_that_there_is_more() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    for _ in 0..40 {
        world.says(&ana, lobby, &"ä".repeat(10_000)).await;
    }
    let newest = world.chat.list_messages(&ana, lobby, Window::Newest, Some(40)).await.unwrap();
    assert!(newest.more_before && (5..8).contains(&newest.messages.len()), "{}", newest.messages.len());
    let before = world
        .chat
        .list_messages(&ana, lobby, Window::Before(newest.messages[0].seq), Some(40))
        .await
        .unwrap();
    assert_eq!(before.messages.last().unwrap().seq, newest.messages[0].seq - 1);
    let middle = before.messages[0].seq;
    let around = world.chat.list_messages(&ana, lobby, Window::Around(middle), Some(40)).await.unwrap();
    assert!(around.more_before && around.more_after && around.messages.iter().any(|m| m.seq == middle));
    for page in [&newest, &before, &around] {
        let bytes = serde_json::to_vec(page).unwrap().len();
        assert!(bytes <= 128 * 1024, "{bytes}");
    }
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_of_json_and_holds_one_message_at_least() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    for text in ["\"\n\\".repeat(3_332) + "end", "😀".repeat(10_000)] {
        for _ in 0..12 {
            world.says(&ana, lobby, &text).await;
        }
        let page = world.chat.list_messages(&ana, lobby, Window::Newest, Some(100)).await.unwrap();
        let (reset, _) = world.chat.reset(ana.key(), lobby).await.unwrap();
        assert!(!page.messages.is_empty() && page.more_before && reset.more);
        let bytes = [serde_json::to_vec(&page), serde_json::to_vec(&reset)].map(|page| page.unwrap().len());
        assert!(bytes.iter().all(|bytes| *bytes <= 128 * 1024), "{bytes:?}");
    }
}

#[tokio::test]
async fn what_is_kept_with_a_post_is_kept_until_the_post_was_told_on_whoever_still_waits_for_it() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    world.listen();
    let place = Arc::new(());
    let keeping = || world.chat.keeping(Arc::clone(&place) as Kept);

    keeping().post(&ana, lobby, "one".into(), nonce()).await.unwrap();
    drop(keeping().post(&ana, lobby, "two".into(), nonce()));
    let all = keeping().post(&ana, lobby, "three".into(), nonce()).await.unwrap();
    assert_eq!(Arc::strong_count(&place), 4, "answered and not told on");
    assert_eq!(world.events().last().unwrap().seq, all.seq);
    assert_eq!(Arc::strong_count(&place), 1);

    let refused = keeping().edit(&ana, lobby, 99, "no such message").await;
    assert!(matches!(refused, Err(Error::NotFound(_))));
    assert_eq!(Arc::strong_count(&place), 1, "nothing came of it");
}
