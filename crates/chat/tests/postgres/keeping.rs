//! What operators do with a PostgreSQL database while people talk.

use crate::support::{World, nonce, world, world_on};
use chat::checks::{Check, check};
use chat::{Chat, Clock, Database, backup};
use serde_json::Value;
use std::collections::HashMap;
use std::process::Command;
use tokio::task::{block_in_place, spawn_blocking};

/// Ana, Ben and a guest, in the lobby and in the garden, where something was said, edited, deleted, and somebody left.
async fn talk(mut world: World) -> World {
    let (ana, ben) = (world.ana().await, world.ben().await);
    let (lobby, garden) = (world.lobby(&ana).await, world.garden(&ana).await);
    let guest = world.chat.come_in("Dot").await.unwrap().caller;
    world.chat.join_room(&guest, lobby).await.unwrap();
    world.chat.invite_member(&ana, garden.id, ben.user().id).await.unwrap();
    let first = world.says(&ana, lobby, "good \"morning\"\n𐍈").await;
    let second = world.says(&ben, garden.id, "between us").await;
    world.says(&ana, garden.id, "the roses are out").await;
    world.chat.edit(&ana, lobby, first.seq, "good evening").await.unwrap();
    world.chat.delete(&ben, garden.id, second.seq).await.unwrap();
    world.chat.mark_read(&ben, lobby, first.seq).await.unwrap();
    world.chat.write_reads().await.unwrap();
    world.chat.leave_room(&ben, garden.id).await.unwrap();
    let invite = world.chat.create_invite(&ana, Some(garden.id), Some(3), None, nonce()).await.unwrap();
    world.chat.revoke_invite(&ana, invite.id).await.unwrap();
    world.chat.create_invite(&ana, None, None, Some(2), nonce()).await.unwrap();
    world
}

/// The export of a world, with what differs from world to world taken out: ids are numbered, times are whether there is one.
fn exported(world: &World) -> Vec<Value> {
    let mut bytes = Vec::new();
    let lines = block_in_place(|| chat::export(&world.database, 7, &mut bytes)).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count() as u64, lines);
    let mut ids = HashMap::new();
    text.lines().map(|line| alike(&mut ids, serde_json::from_str(line).unwrap())).collect()
}

fn alike(ids: &mut HashMap<String, usize>, line: Value) -> Value {
    let Value::Object(fields) = line else { panic!("{line}") };
    let fields = fields.into_iter().map(|(name, value)| {
        let value = match (name.as_str(), value) {
            (_, Value::Null) => Value::Null,
            (
                "at" | "created_at" | "opened_at" | "edited_at" | "expires_at" | "revoked_at",
                Value::Number(_),
            ) => "a time".into(),
            ("epoch" | "nonce", Value::String(_)) => "something new".into(),
            ("id" | "room" | "user" | "by" | "opened_by" | "created_by", Value::String(id)) => {
                let next = ids.len();
                (*ids.entry(id).or_insert(next)).into()
            }
            (_, other) => other,
        };
        (name, value)
    });
    fields.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_export_the_same_story_in_the_same_lines() {
    let on_postgres = talk(world().await).await;
    let directory = tempfile::tempdir().unwrap();
    let file = Database::File(directory.path().join("roomful.db"));
    let in_a_file = talk(world_on(file, directory).await).await;
    let lines = exported(&on_postgres);
    assert_eq!(lines, exported(&in_a_file));
    for kind in ["export", "user", "room", "membership", "invite", "message", "event", "end"] {
        assert!(lines.iter().any(|line| line["type"] == kind), "{kind}");
    }
}

fn faults(world: &World, of: Check) -> Vec<String> {
    let findings = block_in_place(|| check(&world.database)).unwrap();
    findings.faults.into_iter().find(|(check, _)| *check == of).unwrap().1
}

/// Runs statements on the database of a world, as somebody with a tool would.
fn hurt(world: &World, statements: &str) {
    let Database::Postgres(address) = &world.database else { panic!("a file") };
    let done = Command::new("psql")
        .args(["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--command", statements, address])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_finds_what_it_is_for() {
    let world = talk(world().await).await;
    let findings = block_in_place(|| check(&world.database)).unwrap();
    assert!(findings.faults.iter().all(|(_, faults)| faults.is_empty()), "{:?}", findings.faults);
    assert!(findings.newest.is_some() && findings.server.is_some_and(|server| server.major >= 15));
    for (statement, check, said) in [
        (
            "set session_replication_role = replica; update sessions set \"user\" = 999 where key = (select min(key) from sessions)",
            Check::References,
            "a row of sessions refers to one of users that is not there",
        ),
        ("update messages set author = 999 where edited_at is not null", Check::References, "is by nobody"),
        ("update rooms set head = head + 1 where kind = 'closed'", Check::Rooms, "and its head is"),
        (
            "update messages set rev = 1 where edited_at is not null",
            Check::Messages,
            "which is about something else",
        ),
        ("update memberships set read_seq = 1000", Check::Reads, "somebody read up to seq 1000"),
    ] {
        hurt(&world, statement);
        let found = faults(&world, check).join("; ");
        assert!(found.contains(said), "{said:?} in {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_is_held_does_not_hold_up_those_who_write() {
    let world = talk(world().await).await;
    let ana = world.chat.sign_in("Ana", "correct horse").await.unwrap().caller;
    let lobby = world.lobby(&ana).await;
    let Database::Postgres(address) = world.database.clone() else { panic!("a file") };
    let runtime = tokio::runtime::Handle::current();
    let held = spawn_blocking(move || {
        backup::hold(&address, |moment| {
            runtime.block_on(world.says(&ana, lobby, "meanwhile"));
            (moment.contents.clone(), moment.holes.clone(), world)
        })
    });
    let (contents, holes, world) = held.await.unwrap().unwrap();
    assert_eq!((contents.users, contents.rooms, contents.messages), (3, 2, 3));
    assert!(holes.is_empty(), "{holes:?}");
    let Database::Postgres(address) = &world.database else { panic!("a file") };
    let address = address.clone();
    let later = spawn_blocking(move || backup::hold(&address, |moment| moment.contents.messages));
    assert_eq!(later.await.unwrap().unwrap(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_beside_a_server_adds_accounts_and_a_second_server_does_not_start() {
    let mut world = world().await;
    let ana = world.ana().await;
    let (beside, _told) = Chat::open_beside(world.database.clone(), Clock::system()).await.unwrap();
    beside.add_user("Cyd", "battery staple", protocol::Role::Member).await.unwrap();
    assert_eq!(beside.epoch(), world.chat.epoch());
    beside.close().await;
    let cyd = world.chat.sign_in("Cyd", "battery staple").await.unwrap().caller;
    let lobby = world.lobby(&ana).await;
    world.says(&cyd, lobby, "here I am").await;
    let Err(refused) = Chat::open(world.database.clone(), Clock::system()).await else {
        panic!("a second server")
    };
    assert!(matches!(refused, chat::OpenError::InUse), "{refused}");
}
