//! What works behind the conversation, and what it must never miss, double or hold up.

use crate::support::{World, nonce, world};
use chat::{Caller, DayCount, Error, Visitor};
use futures_util::future::join_all;
use protocol::{RoomId, RoomKind};

/// The first day in the world, and the milliseconds of one.
const TODAY: i64 = 1_700_000_000_000 / DAY;
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Has the consumers take all that happened, and answers in how many steps.
async fn catch_up(world: &World) -> u64 {
    let (mut consuming, mut steps) = (world.chat.consuming(), 0);
    while consuming.step().await.unwrap() {
        steps += 1;
    }
    steps
}

async fn lag(world: &World) -> u64 {
    world.chat.consumers().await.unwrap().into_iter().map(|consumer| consumer.lag).sum()
}

async fn counts(world: &World, admin: &Caller, room: Option<RoomId>) -> Vec<DayCount> {
    world.chat.counts(admin, room, TODAY..=TODAY + 30).await.unwrap()
}

fn on(day: i64, messages: u64, people: u64) -> DayCount {
    DayCount { day, messages, people }
}

/// Much is said at once.
async fn chatters(world: &World, author: &Caller, room: RoomId, messages: usize) {
    for start in (0..messages).step_by(1_000) {
        let posts =
            (start..messages.min(start + 1_000)).map(|_| world.chat.post(author, room, "so".into(), nonce()));
        let posts: Vec<_> = posts.collect();
        world.listen();
        for posted in join_all(posts).await {
            posted.unwrap();
            world.listen();
        }
    }
}

#[tokio::test]
async fn messages_and_people_are_counted_for_each_room_and_day() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let (lobby, garden) = (world.lobby(&ana).await, world.garden(&ana).await.id);
    world.says(&ana, lobby, "one").await;
    world.says(&ben, lobby, "two").await;
    world.says(&ana, lobby, "three").await;
    world.says(&ana, garden, "roses").await;
    catch_up(&world).await;
    world.pass(DAY);
    world.says(&ben, lobby, "four").await;
    catch_up(&world).await;
    assert_eq!(counts(&world, &ana, Some(lobby)).await, [on(TODAY, 3, 2), on(TODAY + 1, 1, 1)]);
    assert_eq!(counts(&world, &ana, Some(garden)).await, [on(TODAY, 1, 1)]);
    assert_eq!(counts(&world, &ana, None).await, [on(TODAY, 4, 2), on(TODAY + 1, 1, 1)]);
    assert_eq!(world.chat.counts(&ana, None, TODAY + 1..=TODAY + 1).await.unwrap(), [on(TODAY + 1, 1, 1)]);
}

#[tokio::test]
async fn only_those_who_look_after_the_server_see_how_much_is_said() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let lobby = world.lobby(&ana).await;
    for room in [Some(lobby), None] {
        let refused = world.chat.counts(&ben, room, TODAY..=TODAY).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
    }
    let nowhere = world.chat.counts(&ana, Some(RoomId::new(uuid::Uuid::nil())), TODAY..=TODAY).await;
    assert!(matches!(nowhere, Err(Error::NotFound("room"))), "{nowhere:?}");
}

#[tokio::test]
async fn a_consumer_that_is_stopped_in_the_middle_takes_each_event_once() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    chatters(&world, &ana, lobby, 900).await;
    let all = lag(&world).await;
    // Stopped between two pieces, again and again, with a restart in the middle.
    for round in 1..=2 {
        assert!(world.chat.consuming().step().await.unwrap());
        assert_eq!(lag(&world).await, all - round * 256);
    }
    let world = world.restart().await;
    assert!(world.chat.consuming().step().await.unwrap());
    assert_eq!(counts(&world, &ana, Some(lobby)).await[0].messages + lag(&world).await, 900);
    world.says(&ana, lobby, "meanwhile").await;
    catch_up(&world).await;
    assert_eq!((counts(&world, &ana, Some(lobby)).await, lag(&world).await), (vec![on(TODAY, 901, 1)], 0));
}

#[tokio::test]
async fn two_loops_at_once_take_each_event_once() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    chatters(&world, &ana, lobby, 900).await;
    tokio::join!(catch_up(&world), catch_up(&world));
    catch_up(&world).await;
    assert_eq!(counts(&world, &ana, Some(lobby)).await, [on(TODAY, 900, 1)]);
}

#[tokio::test]
async fn what_happened_in_many_rooms_is_taken_in_few_steps() {
    let mut world = world().await;
    let (ana, mut rooms) = (world.ana().await, Vec::new());
    for number in 0..100 {
        let name = format!("room {number}");
        let opened = world.chat.open_room(&ana, &name, RoomKind::Open, nonce(), true);
        rooms.push(opened.await.unwrap().id);
        world.says(&ana, rooms[number], "hello").await;
    }
    assert!(catch_up(&world).await <= 8);
    assert_eq!((counts(&world, &ana, None).await, lag(&world).await), (vec![on(TODAY, 100, 1)], 0));
    // From here on what moves is known by name.
    let mut consuming = world.chat.consuming();
    assert!(!consuming.step().await.unwrap());
    for room in &rooms[40..50] {
        world.says(&ana, *room, "again").await;
    }
    assert!(consuming.step().await.unwrap());
    assert!(!consuming.step().await.unwrap(), "ten rooms are one piece");
    assert_eq!((counts(&world, &ana, None).await, lag(&world).await), (vec![on(TODAY, 110, 1)], 0));
}

#[tokio::test]
async fn a_rebuild_ends_where_it_began_even_when_it_is_cut_short() {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let (lobby, garden) = (world.lobby(&ana).await, world.garden(&ana).await.id);
    chatters(&world, &ana, lobby, 400).await;
    world.says(&ben, lobby, "you talk a lot").await;
    world.says(&ana, garden, "do I").await;
    catch_up(&world).await;
    let before = (counts(&world, &ana, Some(lobby)).await, counts(&world, &ana, None).await);
    world.chat.rebuild("counts").await.unwrap();
    let heads: u64 = [world.room(&ana, lobby).await.head, world.room(&ana, garden).await.head].iter().sum();
    assert_eq!(lag(&world).await, heads);
    assert!(world.chat.consuming().step().await.unwrap());
    world.chat.rebuild("counts").await.unwrap();
    let world = world.restart().await;
    catch_up(&world).await;
    assert_eq!((counts(&world, &ana, Some(lobby)).await, counts(&world, &ana, None).await), before);
    assert_eq!(lag(&world).await, 0);
    assert!(matches!(world.chat.rebuild("horoscopes").await, Err(Error::NotFound("consumer"))));
}

#[tokio::test]
async fn what_a_rebuild_throws_away_goes_in_pieces() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    // One row for each of eleven hundred days.
    let posts = (0..1_100).map(|_| {
        world.pass(DAY);
        world.chat.post(&ana, lobby, "another day".into(), nonce())
    });
    for posted in join_all(posts).await {
        posted.unwrap();
    }
    world.listen();
    catch_up(&world).await;
    let before = counts(&world, &ana, Some(lobby)).await;
    world.chat.rebuild("counts").await.unwrap();
    let (mut consuming, all) = (world.chat.consuming(), lag(&world).await);
    assert!(consuming.step().await.unwrap());
    assert_eq!(
        (lag(&world).await, counts(&world, &ana, Some(lobby)).await),
        (all, vec![]),
        "the oldest went first"
    );
    catch_up(&world).await;
    assert_eq!((lag(&world).await, counts(&world, &ana, Some(lobby)).await), (0, before));
}

#[tokio::test]
async fn what_was_posted_stays_counted_when_it_is_edited_or_deleted() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    let (first, second) = (world.says(&ana, lobby, "one").await, world.says(&ana, lobby, "two").await);
    catch_up(&world).await;
    let before = counts(&world, &ana, Some(lobby)).await;
    world.chat.edit(&ana, lobby, first.seq, "uno").await.unwrap();
    world.chat.delete(&ana, lobby, second.seq).await.unwrap();
    assert_eq!(lag(&world).await, 2);
    catch_up(&world).await;
    assert_eq!((counts(&world, &ana, Some(lobby)).await, lag(&world).await), (before, 0));
}

#[tokio::test]
async fn a_room_that_is_removed_takes_its_places_along() {
    let mut world = world().await;
    let ana = world.ana().await;
    let passing = Visitor::Passing(chat::Name::new("name", "Eve").unwrap());
    let room = world.chat.room_named(&passing, "attic", true).await.unwrap();
    world.chat.join_room(&ana, room.id).await.unwrap();
    world.chat.leave_room(&ana, room.id).await.unwrap();
    catch_up(&world).await;
    let mut consuming = world.chat.consuming();
    assert!(!consuming.step().await.unwrap());
    // Some is taken of the room, some is still to be taken, when it goes.
    world.chat.join_room(&ana, room.id).await.unwrap();
    world.chat.leave_room(&ana, room.id).await.unwrap();
    assert!(world.chat.remove_provisional(room.key).await.unwrap());
    world.listen();
    consuming.step().await.unwrap();
    assert!(!consuming.step().await.unwrap());
    assert_eq!(lag(&world).await, 0);
    if !crate::ON_POSTGRES {
        let chat::Database::File(path) = &world.database else { panic!("a file") };
        let sql = rusqlite::Connection::open(path).unwrap();
        let left = "select count(*) from places where room not in (select key from rooms)";
        assert_eq!(sql.query_row(left, [], |row| row.get::<_, u64>(0)).unwrap(), 0);
    }
}

#[tokio::test]
async fn a_post_is_answered_while_thousands_of_events_wait_to_be_taken() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    chatters(&world, &ana, lobby, 10_000).await;
    let all = lag(&world).await;
    let mut consuming = world.chat.consuming();
    let (stepped, posted) =
        tokio::join!(consuming.step(), world.chat.post(&ana, lobby, "now".into(), nonce()));
    assert!(stepped.unwrap());
    posted.unwrap();
    assert!(lag(&world).await >= all - 256, "a post waits for one piece at most");
    catch_up(&world).await;
    assert_eq!(counts(&world, &ana, Some(lobby)).await, [on(TODAY, 10_001, 1)]);
}

#[tokio::test]
async fn the_loop_takes_what_happens_and_ends_with_the_database() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    world.says(&ana, lobby, "before").await;
    let running = tokio::spawn(world.chat.consuming().run());
    while lag(&world).await > 0 {}
    world.says(&ana, lobby, "during").await;
    assert_eq!(lag(&world).await, 1, "news gather before they are taken");
    while lag(&world).await > 0 {}
    assert_eq!(counts(&world, &ana, Some(lobby)).await, [on(TODAY, 2, 1)]);
    world.chat.close().await;
    running.await.unwrap();
}

#[tokio::test]
async fn how_far_a_consumer_is_behind_is_told_in_events_and_in_time() {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    catch_up(&world).await;
    let idle = world.chat.consumers().await.unwrap();
    assert_eq!(
        idle.iter().map(|one| (one.name, one.lag, one.age_ms)).collect::<Vec<_>>(),
        [("counts", 0, 0)]
    );
    world.says(&ana, lobby, "one").await;
    world.pass(60_000);
    world.says(&ana, lobby, "two").await;
    let behind = &world.chat.consumers().await.unwrap()[0];
    assert_eq!(behind.lag, 2);
    assert!((60_000..61_000).contains(&behind.age_ms), "{behind:?}");
    let (database, now) = (world.database.clone(), world.chat.now());
    let beside = tokio::task::spawn_blocking(move || chat::consumers_of(&database, now)).await.unwrap();
    assert_eq!(beside.unwrap()[0].lag, 2, "whoever looks beside the server sees the same");
}
