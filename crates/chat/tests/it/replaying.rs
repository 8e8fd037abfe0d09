//! Who comes back is told from what others had read: nothing twice, nothing that was taken away, nothing that is not theirs.

use crate::support::{World, world};
use chat::Caller;
use protocol::{Event, EventKind, RoomId};

/// Ana has a room with Ben, and has said something in it `count` times.
async fn talked(count: usize, text: &str) -> (World, Caller, Caller, RoomId) {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let garden = world.garden(&ana).await.id;
    world.chat.invite_member(&ana, garden, ben.user().id).await.unwrap();
    for _ in 0..count {
        world.says(&ana, garden, text).await;
    }
    (world, ana, ben, garden)
}

/// All that somebody is told who had everything up to `last`.
async fn told(world: &World, who: &Caller, room: RoomId, mut last: u64) -> Vec<Event> {
    let mut told = Vec::new();
    loop {
        let page = world.chat.replay(who.key(), room, last).await.unwrap();
        assert!(page.events().len() <= 256);
        told.extend(page.events().iter().cloned());
        last = told.last().map_or(last, |event| event.seq);
        if !page.more() {
            return told;
        }
    }
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn all_who_come_back_share_the_pages_wherever_they_left() {
    let (world, ana, _, garden) = talked(596, "hi").await;
    let head = world.room(&ana, garden).await.head;
    // The later one left, the earlier they are back: the order that shares least.
    for last in (0..head).rev() {
        assert_eq!(seqs(&told(&world, &ana, garden, last).await), Vec::from_iter(last + 1..=head));
    }
    let reads = world.chat.log_reads();
    // Of each block of 256 the end that the first one lacked, and then the whole.
    assert_eq!(reads, 2 * head.div_ceil(256), "{reads} pages for {head} who lacked {head} places");
    assert!(told(&world, &ana, garden, head).await.is_empty());
    world.says(&ana, garden, "news").await;
    assert_eq!(seqs(&told(&world, &ana, garden, head).await), [head + 1]);
}

#[tokio::test]
async fn all_who_come_back_from_the_same_place_at_once_share_every_page() {
    let (world, ana, _, garden) = talked(596, "hi").await;
    let head = world.room(&ana, garden).await.head;
    let reading = (0..100).map(|_| told(&world, &ana, garden, 200));
    let all: Vec<_> = futures_of(reading).await;
    assert!(all.iter().all(|told| seqs(told) == Vec::from_iter(201..=head)));
    assert_eq!(world.chat.log_reads(), 3);
}

/// The outcomes of what goes on at the same time, in order.
async fn futures_of<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (one, outcome) in all.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
            match one.as_mut().poll(context) {
                std::task::Poll::Ready(came) => *outcome = Some(came),
                std::task::Poll::Pending => pending = true,
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    all.into_iter().map(|(_, outcome)| outcome.unwrap()).collect()
}

#[tokio::test]
async fn pages_that_end_early_for_their_bytes_leave_no_hole_wherever_somebody_left() {
    let (world, ana, _, garden) = talked(40, &"long ".repeat(2_000)).await;
    let head = world.room(&ana, garden).await.head;
    for last in (0..head).step_by(3).chain((0..head).rev().step_by(2)) {
        assert_eq!(seqs(&told(&world, &ana, garden, last).await), Vec::from_iter(last + 1..=head));
    }
}

#[tokio::test]
async fn what_was_edited_or_taken_away_is_not_told_again_from_what_others_had_read() {
    let (world, ana, ben, garden) = talked(2, "first").await;
    let last = world.room(&ana, garden).await.head;
    let texts = async || -> Vec<String> {
        let told = told(&world, &ben, garden, 0).await.into_iter();
        told.filter_map(|event| match event.kind {
            EventKind::MessagePosted(posted) => Some(posted.body.text),
            _ => None,
        })
        .collect()
    };
    let reset = async || world.chat.reset(ben.key(), garden).await.unwrap().0;
    assert_eq!(texts().await, ["first", "first"]);
    assert_eq!(reset().await.messages[1].body.text, "first");
    world.chat.edit(&ana, garden, last, "second").await.unwrap();
    assert_eq!(texts().await, ["first", "second"]);
    assert_eq!(reset().await.messages[1].body.text, "second");
    world.chat.delete(&ana, garden, last).await.unwrap();
    assert_eq!(texts().await, ["first", ""]);
    assert!(reset().await.messages[1].deleted);
}

#[tokio::test]
async fn whoever_was_removed_is_told_nothing_of_what_others_had_read() {
    let (world, ana, ben, garden) = talked(3, "among us").await;
    assert!(!told(&world, &ben, garden, 0).await.is_empty());
    let reads = world.chat.log_reads();
    world.chat.remove_member(&ana, garden, ben.user().id).await.unwrap();
    assert!(world.chat.replay(ben.key(), garden, 0).await.is_err());
    assert!(world.chat.replay(ben.key(), garden, 2).await.is_err());
    assert_eq!(world.chat.log_reads(), reads, "the rights are looked at, and no log for it");
}

#[tokio::test]
async fn all_who_start_afresh_share_the_newest_page_until_something_happens() {
    let (world, ana, ben, garden) = talked(60, "hi").await;
    let head = world.room(&ana, garden).await.head;
    let as_of = async |who: &Caller| world.chat.reset(who.key(), garden).await.unwrap().0.as_of;
    assert_eq!(as_of(&ana).await, head);
    assert_eq!((as_of(&ben).await, world.chat.log_reads()), (head, 1));
    world.says(&ana, garden, "more").await;
    assert_eq!((as_of(&ben).await, world.chat.log_reads()), (head + 1, 2));
    assert_eq!((as_of(&ana).await, world.chat.log_reads()), (head + 1, 2));
}
