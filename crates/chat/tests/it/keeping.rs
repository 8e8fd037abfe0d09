//! What operators do with a database while people talk: copies, checks, exports.

use crate::support::{World, nonce, world};
use chat::DatabaseError;
use chat::backup::{copy, holes, inspect, renew_epoch};
use chat::checks::{Check, check};
use protocol::Role;
use rusqlite::Connection;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Ana and Ben in the lobby and in the garden, where something was said, edited, deleted, and somebody left.
async fn talk() -> World {
    let mut world = world().await;
    let (ana, ben) = (world.ana().await, world.ben().await);
    let (lobby, garden) = (world.lobby(&ana).await, world.garden(&ana).await);
    world.chat.invite_member(&ana, garden.id, ben.user().id).await.unwrap();
    let first = world.says(&ana, lobby, "good morning").await;
    let second = world.says(&ben, garden.id, "between us").await;
    world.says(&ana, garden.id, "the roses are out").await;
    world.chat.edit(&ana, lobby, first.seq, "good evening").await.unwrap();
    world.chat.delete(&ben, garden.id, second.seq).await.unwrap();
    world.chat.leave_room(&ben, garden.id).await.unwrap();
    world.chat.create_invite(&ana, Some(garden.id), Some(3), None, nonce()).await.unwrap();
    world
}

fn empty(world: &World, name: &str) -> PathBuf {
    let path = world.database().with_file_name(name);
    std::fs::write(&path, "").unwrap();
    path
}

fn faults(database: &Path, of: Check) -> Vec<String> {
    let findings = check(&database.into()).unwrap();
    findings.faults.into_iter().find(|(check, _)| *check == of).unwrap().1
}

fn is_sound(database: &Path) -> bool {
    check(&database.into()).unwrap().faults.iter().all(|(_, faults)| faults.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_of_one_moment_and_holds_up_nobody() {
    let world = talk().await;
    let ana = world.chat.sign_in("Ana", "correct horse").await.unwrap().caller;
    let lobby = world.lobby(&ana).await;
    // Enough for several steps.
    for _ in 0..600 {
        world.says(&ana, lobby, &"𐍈".repeat(4_000)).await;
    }
    let (before, path) = (inspect(&world.database()).unwrap(), empty(&world, "copy.db"));
    let (mut steps, mut sizes) = (0, Vec::new());

    // Whatever is posted between two steps of the copy is answered, and is not in it.
    let runtime = tokio::runtime::Handle::current();
    let copied = tokio::task::block_in_place(|| {
        copy(&world.database(), &path, &mut |done, all| {
            runtime.block_on(world.says(&ana, lobby, "meanwhile"));
            steps += 1;
            sizes.push((done, all));
            true
        })
    });

    assert_eq!(copied.unwrap(), before);
    assert!(steps > 1 && sizes.iter().all(|(done, all)| done <= all), "{sizes:?}");
    assert!(is_sound(&path) && is_sound(&world.database()));
    assert_eq!(inspect(&path).unwrap(), before);
    assert_eq!(inspect(&world.database()).unwrap().messages, before.messages + steps);
    let left = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let left = left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("copy"));
    assert_eq!(left.count(), 1, "a copy is one file");
}

#[tokio::test]
async fn a_copy_stops_when_it_is_told_to() {
    let world = talk().await;
    let path = empty(&world, "copy.db");
    assert!(matches!(copy(&world.database(), &path, &mut |_, _| false), Err(DatabaseError::Stopped)));
}

#[tokio::test]
async fn a_file_that_is_no_database_of_ours_is_refused_by_name() {
    let world = talk().await;
    let path = empty(&world, "other.db");
    assert!(matches!(inspect(&path), Err(DatabaseError::Foreign)));
    Connection::open(&path).unwrap().execute_batch("create table notes (text)").unwrap();
    assert!(matches!(inspect(&path), Err(DatabaseError::Foreign)));
    std::fs::write(&path, "a letter, and no database at all".repeat(400)).unwrap();
    assert!(inspect(&path).is_err());
}

#[tokio::test]
async fn a_newer_database_is_refused_with_both_versions() {
    let world = talk().await;
    let sql = Connection::open(world.database()).unwrap();
    let known = inspect(&world.database()).unwrap().schema;
    sql.execute(
        "insert into refinery_schema_history values (?1, 'later', '2030-01-01T00:00:00Z', '1')",
        [known + 1],
    )
    .unwrap();
    let refused = inspect(&world.database()).unwrap_err();
    let DatabaseError::Newer { found, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*found, known + 1);
    assert!(refused.to_string().contains("use the newer Roomful"), "{refused}");
    assert!(check(&world.database().into()).is_err());
}

#[tokio::test]
async fn another_life_has_another_epoch_and_everything_else() {
    let world = talk().await;
    let path = empty(&world, "copy.db");
    let before = copy(&world.database(), &path, &mut |_, _| true).unwrap();
    let epoch = renew_epoch(&path).unwrap();
    let after = inspect(&path).unwrap();
    assert_ne!(epoch, before.epoch);
    assert_eq!(after, chat::backup::Contents { epoch, ..before });
}

#[tokio::test]
async fn what_people_did_passes_every_check() {
    let world = talk().await;
    let findings = check(&world.database().into()).unwrap();
    assert_eq!(findings.faults.len(), Check::ALL.len());
    for (check, faults) in findings.faults {
        assert!(faults.is_empty(), "{}: {faults:?}", check.name());
    }
    assert!(findings.newest.is_some());
}

#[tokio::test]
async fn every_check_notices_what_it_is_there_for() {
    let breaks = [
        (Check::Rooms, "delete from events where kind = 'member_joined' and seq = 1"),
        (Check::Rooms, "update rooms set head = head + 1 where kind = 'closed'"),
        (Check::Rooms, "insert into events values (99, 1, 'member_left', null, 1, 0, null)"),
        (Check::Rooms, "update messages set n = n + 1 where n = 1"),
        (Check::Messages, "update events set kind = 'member_left' where kind = 'message_posted'"),
        (Check::Messages, "update events set by = 99 where kind = 'message_posted'"),
        (Check::Messages, "delete from messages where deleted = 1"),
        (Check::Messages, "update messages set rev = seq where edited_at is not null"),
        (Check::Messages, "update messages set rev = rev + 1 where edited_at is not null"),
        (Check::Messages, "update messages set text = 'still there' where deleted = 1"),
        (Check::Messages, "update rooms set n = n + 1 where kind = 'closed'"),
        (Check::References, "update memberships set user = 99 where user = 1"),
        (Check::Reads, "update memberships set read_seq = 99 where user = 1"),
    ];
    for (of, statement) in breaks {
        let world = talk().await;
        let sql = Connection::open(world.database()).unwrap();
        sql.execute_batch("pragma foreign_keys = off").unwrap();
        let changed = sql.execute(statement, []).unwrap();
        assert!(changed > 0, "{statement}");
        assert!(!faults(&world.database(), of).is_empty(), "{}: {statement}", of.name());
        assert!(of != Check::Rooms || !holes(&world.database()).unwrap().is_empty(), "{statement}");
    }
}

#[tokio::test]
async fn a_damaged_page_and_an_index_that_lies_are_told_apart() {
    let world = talk().await;
    let path = empty(&world, "copy.db");
    copy(&world.database(), &path, &mut |_, _| true).unwrap();
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch(
        "pragma writable_schema = on;
         update sqlite_schema set sql = replace(sql, 'where role', 'where role <> ''x'' and role')
         where name = 'users_owner';
         update sqlite_schema set sql = 'create index users_name on users (name)' where name = 'users_name'",
    )
    .unwrap();
    drop(sql);
    let wrong = faults(&path, Check::Indexes);
    assert!(wrong.iter().any(|line| line.contains("users_name")), "{wrong:?}");
    assert!(faults(&path, Check::Integrity).is_empty());

    copy(&world.database(), &path, &mut |_, _| true).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4_096 * 4_096;
    bytes[middle..middle + 4_096].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(inspect(&path), Err(DatabaseError::Damaged(_))));
    assert!(!faults(&path, Check::Integrity).is_empty() || !faults(&path, Check::Indexes).is_empty());
}

async fn exported(world: &World) -> Vec<Value> {
    let mut out = Vec::new();
    let lines = chat::export(&world.database().into(), 7, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let values: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values.len() as u64, lines);
    values
}

#[tokio::test]
async fn an_export_holds_everything_and_says_when_it_ends() {
    let world = talk().await;
    let all = exported(&world).await;
    let of = |kind: &str| all.iter().filter(|line| line["type"] == kind).cloned().collect::<Vec<_>>();
    assert_eq!(
        (&all[0]["type"], &all[0]["version"], &all[0]["at"]),
        (&"export".into(), &1.into(), &7.into())
    );
    assert_eq!(all[0]["epoch"], world.chat.epoch());
    let names: Vec<_> = of("user").iter().map(|user| user["name"].clone()).collect();
    assert_eq!(names, ["Ana", "Ben"]);
    let garden = of("room").into_iter().find(|room| room["kind"] == "closed").unwrap();
    assert_eq!((&garden["name"], &garden["opened_by"]), (&"garden".into(), &of("user")[0]["id"]));
    let texts: Vec<_> = of("message").iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["good evening", "", "the roses are out"]);
    let in_garden: Vec<_> = of("event").into_iter().filter(|event| event["room"] == garden["id"]).collect();
    assert_eq!(in_garden.len() as u64, garden["head"].as_u64().unwrap());
    let last = in_garden.last().unwrap();
    assert_eq!((&last["event"], &last["user"]), (&"member_left".into(), &of("user")[1]["id"]));
    assert_eq!(of("invite")[0]["uses"], 3);
    assert_eq!(of("membership").len(), 3);
    assert_eq!(all.last().unwrap()["type"], "end");
    assert_eq!(all.last().unwrap()["lines"], all.len());
}

#[tokio::test]
async fn an_export_holds_nothing_that_proves_who_one_is() {
    let world = talk().await;
    world.chat.add_user("Cyd", "battery staple", Role::Member).await.unwrap();
    let text = exported(&world).await.iter().map(ToString::to_string).collect::<String>();
    for secret in ["argon2", "password", "token", "hash", "digest"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
