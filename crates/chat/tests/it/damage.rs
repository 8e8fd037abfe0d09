//! What the disk has damaged, and what it must not take with it.

use crate::support::{World, world};
use chat::{Caller, Chat, Checked, Clock, Window};
use protocol::{EventKind, RoomId};
use rusqlite::Connection;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use tempfile::{TempDir, tempdir};

/// Ana has said `one` to `seven` in the lobby, at seq 2 to 8; then somebody hurt the database.
async fn hurt(statements: &str) -> (World, Caller, RoomId) {
    let mut world = world().await;
    let ana = world.ana().await;
    let lobby = world.lobby(&ana).await;
    for text in ["one", "two", "three", "four", "five", "six", "seven"] {
        world.says(&ana, lobby, text).await;
    }
    let sql = Connection::open(world.database()).unwrap();
    sql.execute_batch(&format!("pragma foreign_keys = off; pragma busy_timeout = 5000; {statements}"))
        .unwrap();
    (world, ana, lobby)
}

const ROWS: &str = "update messages set text = cast(x'ff' as text) where seq = 3;
                    update messages set nonce = '' where seq = 4;
                    update events set kind = 'message_burnt' where seq = 5;
                    delete from events where seq in (6, 8);
                    update events set by = 999 where seq = 7;";

#[tokio::test]
async fn one_bad_row_keeps_nobody_from_the_rest_of_a_room() {
    let (world, ana, lobby) = hurt(ROWS).await;
    let page = world.chat.events(ana.key(), lobby, 0).await.unwrap();
    let seqs: Vec<u64> = page.events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(!page.more);
    assert!(matches!(&page.events[1].kind, EventKind::MessagePosted(posted) if posted.body.text == "one"));
    for event in &page.events[2..] {
        let blank = EventKind::MessageDeleted { target: event.seq, rev: event.seq };
        assert_eq!((event.seq, &event.kind), (event.seq, &blank));
    }
}

#[tokio::test]
async fn one_bad_row_keeps_nobody_from_older_messages() {
    let (world, ana, lobby) = hurt(&format!("{ROWS} update messages set author = 999 where seq = 5;")).await;
    let mut seen = Vec::new();
    let mut place = Window::Newest;
    loop {
        let page = world.chat.list_messages(&ana, lobby, place, Some(2)).await.unwrap();
        seen.extend(
            page.messages
                .iter()
                .rev()
                .map(|message| (message.seq, message.body.text.clone(), message.deleted)),
        );
        if !page.more_before {
            break;
        }
        place = Window::Before(page.messages[0].seq);
    }
    let shown = |seq, text: &str| (seq, text.to_owned(), text.is_empty());
    let expected = [
        shown(8, "seven"),
        shown(7, "six"),
        shown(6, "five"),
        shown(5, ""),
        shown(4, ""),
        shown(3, ""),
        shown(2, "one"),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn one_bad_membership_keeps_nobody_from_their_other_rooms() {
    let (world, ana, lobby) = hurt("update memberships set role = 'emperor'").await;
    assert!(world.chat.rooms_of(ana.key()).await.unwrap().is_empty());
    let sql = Connection::open(world.database()).unwrap();
    sql.execute("update memberships set role = 'member'", []).unwrap();
    assert_eq!(world.room(&ana, lobby).await.name, "lobby");
}

/// The database as a process that was killed now would leave it, hurt by `statements`, opened again.
async fn killed(world: &World, statements: &str) -> (TempDir, Chat) {
    let folder = tempdir().unwrap();
    let copy = folder.path().join("roomful.db");
    std::fs::copy(world.database(), &copy).unwrap();
    std::fs::copy(world.database().with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    if !statements.is_empty() {
        let sql = Connection::open(&copy).unwrap();
        sql.execute_batch(statements).unwrap();
        // Not closed, so that its log stays.
        std::mem::forget(sql);
    }
    let (chat, _) = Chat::open(&copy, Clock::system()).await.unwrap();
    (folder, chat)
}

async fn found(chat: &Chat) -> Checked {
    let mut checked = chat.checked();
    checked.wait_for(|checked| *checked != Checked::UnderWay).await.unwrap().clone()
}

#[tokio::test]
async fn a_database_that_was_not_closed_is_looked_through() {
    let (world, _, lobby) = hurt("").await;
    assert_eq!(found(&world.chat).await, Checked::Unneeded);
    let (_folder, chat) = killed(&world, "").await;
    assert_eq!(found(&chat).await, Checked::Sound);
    chat.close().await;
    let (_folder, chat) = killed(&world, "delete from events where seq = 4").await;
    assert_eq!(
        found(&chat).await,
        Checked::Damaged(format!("room {lobby}: 7 events up to seq 8, and its head is 8"))
    );
    chat.close().await;
    let world = world.restart().await;
    assert_eq!(found(&world.chat).await, Checked::Unneeded);
}

#[tokio::test]
async fn damage_is_told_at_every_start_until_it_is_mended() {
    let (world, ..) = hurt("").await;
    let (folder, chat) = killed(&world, "update rooms set head = head + 1").await;
    let path = folder.path().join("roomful.db");
    let damage = found(&chat).await;
    assert!(matches!(damage, Checked::Damaged(_)), "{damage:?}");
    chat.close().await;
    let (chat, _) = Chat::open(&path, Clock::system()).await.unwrap();
    assert_eq!(found(&chat).await, damage);
    chat.close().await;
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch("update rooms set head = head - 1").unwrap();
    drop(sql);
    for expected in [Checked::Sound, Checked::Unneeded] {
        let (chat, _) = Chat::open(&path, Clock::system()).await.unwrap();
        assert_eq!(found(&chat).await, expected);
        chat.close().await;
    }
}

#[tokio::test]
async fn damage_that_a_reader_meets_is_known_from_then_on() {
    let (world, ana, lobby) = hurt("").await;
    world.chat.close().await;
    let sql = Connection::open(world.database()).unwrap();
    let page: u64 = sql
        .query_row("select rootpage from sqlite_schema where name = 'events'", [], |row| row.get(0))
        .unwrap();
    drop(sql);
    let file = OpenOptions::new().write(true).open(world.database()).unwrap();
    file.write_all_at(&[0xff; 4096], (page - 1) * 4096).unwrap();
    let (chat, _) = Chat::open(&world.database(), Clock::system()).await.unwrap();
    assert_eq!(found(&chat).await, Checked::Unneeded);
    assert!(chat.events(ana.key(), lobby, 0).await.is_err());
    assert!(matches!(found(&chat).await, Checked::Damaged(_)));
    chat.close().await;
    let (chat, _) = Chat::open(&world.database(), Clock::system()).await.unwrap();
    assert!(matches!(found(&chat).await, Checked::Damaged(_)), "it is looked through at the next start");
    chat.close().await;
}

#[tokio::test]
async fn a_database_that_was_closed_leaves_no_log_behind_for_those_who_read() {
    let (world, ana, lobby) = hurt("").await;
    world.chat.events(ana.key(), lobby, 0).await.unwrap();
    let log = world.database().with_extension("db-wal");
    assert!(log.exists());
    world.chat.close().await;
    assert!(!log.exists());
    assert!(world.chat.events(ana.key(), lobby, 0).await.is_err(), "nobody opens it again");
}

#[tokio::test]
async fn an_older_server_refuses_a_newer_database_and_names_both_versions() {
    let mut world = world().await;
    world.ana().await;
    let sql = Connection::open(world.database()).unwrap();
    let newer = "insert into refinery_schema_history (version, name, applied_on, checksum)
                 select 9000, name, applied_on, checksum from refinery_schema_history limit 1";
    sql.execute(newer, []).unwrap();
    world.chat.close().await;
    let Err(error) = Chat::open(&world.database(), Clock::system()).await else { panic!("it was opened") };
    let message = error.to_string();
    assert!(
        message.starts_with("its tables have version 9000, and this Roomful knows them up to "),
        "{message}"
    );
}

#[tokio::test]
async fn damaged_events_keep_no_consumer_from_the_rest() {
    let (world, ana, _) =
        hurt(&format!("{ROWS} update events set kind = cast(x'ff' as text) where seq = 3;")).await;
    let mut consuming = world.chat.consuming();
    while consuming.step().await.unwrap() {}
    assert_eq!(world.chat.consumers().await.unwrap()[0].lag, 0);
    let counted = world.chat.counts(&ana, None, 0..=i64::MAX).await.unwrap();
    // Of seven messages two events are gone, and two say nothing that can be understood.
    assert_eq!(counted.iter().map(|day| (day.messages, day.people)).collect::<Vec<_>>(), [(3, 2)]);
}

#[tokio::test]
async fn a_room_in_which_a_consumer_fails_is_set_aside_and_tried_again() {
    let (world, ana, lobby) = hurt("").await;
    let sql = Connection::open(world.database()).unwrap();
    let garden = world.garden(&ana).await.id;
    world.says(&ana, garden, "roses").await;
    sql.execute_batch(
        "pragma busy_timeout = 5000;
         create trigger trouble before insert on counts when new.room = (select key from rooms where name = 'lobby')
         begin select raise(abort, 'trouble'); end",
    )
    .unwrap();
    let mut consuming = world.chat.consuming();
    while consuming.step().await.unwrap() {}
    let counted = |room| world.chat.counts(&ana, Some(room), 0..=i64::MAX);
    assert_eq!(counted(lobby).await.unwrap(), []);
    assert_eq!(counted(garden).await.unwrap()[0].messages, 1);
    sql.execute_batch("drop trigger trouble").unwrap();
    world.says(&ana, lobby, "eight").await;
    while consuming.step().await.unwrap() {}
    assert_eq!(counted(lobby).await.unwrap()[0].messages, 8);
}
