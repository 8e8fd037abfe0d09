//! Backups and restores, as an operator meets them.

use crate::operator::{Process, add_user, roomful, run, text};
use crate::support::{Ask, PASSWORD};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// People who post at once, as fast as they are answered.
const TALKERS: usize = 8;

/// How much they say in a round: enough to talk all through a backup, and no more, so that a hundred rounds stay short.
const WORDS: usize = 400;

/// What was posted to the lobby, by its seq.
type Said = Arc<Mutex<HashMap<u64, String>>>;

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout).to_owned()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr).to_owned()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn export(folder: &Path, data: &str) -> Vec<Value> {
    let lines = ok(&run(folder, &["export", "--data", data]));
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn is_sound(folder: &Path, data: &str) {
    let examined: Value =
        serde_json::from_str(&ok(&run(folder, &["doctor", "--json", "--data", data]))).expect("JSON");
    assert_eq!(examined["ok"], true, "{examined}");
}

async fn ben(address: SocketAddr) -> String {
    let body = json!({ "name": "Ben", "password": PASSWORD, "token": true });
    let session = Ask::new(address, "POST", "/api/v1/session").json(&body).await.ok();
    session["token"].as_str().expect("a token").to_owned()
}

async fn say(address: SocketAddr, token: &str, words: &str) -> u64 {
    let post = Ask::new(address, "POST", "/api/v1/rooms/lobby/messages");
    let post = post.header("authorization", &format!("Bearer {token}"));
    post.json(&json!({ "text": words })).await.ok()["seq"].as_u64().expect("a number")
}

/// Everybody talks as long as there are permits, and goes when these are closed.
async fn talk(address: SocketAddr, said: Said, permits: Arc<Semaphore>) {
    let token = ben(address).await;
    let talker = |who: usize| {
        let (token, said, permits) = (token.clone(), Arc::clone(&said), Arc::clone(&permits));
        async move {
            for n in 0.. {
                let Ok(permit) = permits.acquire().await else { return };
                permit.forget();
                let words = format!("{who}.{n}.{}", "x".repeat(n % 900));
                let seq = say(address, &token, &words).await;
                said.lock().expect("no panic").insert(seq, words);
            }
        }
    };
    let talkers: Vec<_> = (0..TALKERS).map(|who| tokio::spawn(talker(who))).collect();
    for talker in talkers {
        talker.await.expect("it talks");
    }
}

/// Takes backups of a server that is talked to, and restores each.
async fn back_up_under_load(rounds: usize) {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    let server = Process::start(folder.path(), &[]);
    let (said, permits) = (Said::default(), Arc::new(Semaphore::new(0)));
    let talking = tokio::spawn(talk(server.address, Arc::clone(&said), Arc::clone(&permits)));
    let mut epochs = Vec::new();
    for round in 0..rounds {
        permits.add_permits(WORDS);
        // A backup of nothing would prove nothing.
        while said.lock().expect("no panic").len() < WORDS * round + 20 {
            tokio::task::yield_now().await;
        }
        let acknowledged = said.lock().expect("no panic").clone();
        let path = folder.path().to_owned();
        let restored = tokio::task::spawn_blocking(move || {
            ok(&run(&path, &["backup", "--force", "it.tar"]));
            let _ = fs::remove_dir_all(path.join("restored"));
            ok(&run(&path, &["restore", "it.tar", "--data", "restored"]));
            is_sound(&path, "restored");
            export(&path, "restored")
        });
        let restored = restored.await.expect("no panic");
        let found: HashMap<u64, &str> = restored
            .iter()
            .filter(|line| line["type"] == "message")
            .map(|line| (line["seq"].as_u64().expect("a number"), line["text"].as_str().expect("text")))
            .collect();
        for (seq, words) in &acknowledged {
            assert_eq!(found.get(seq), Some(&words.as_str()), "round {round}: {seq} was acknowledged before");
        }
        epochs.push(restored[0]["epoch"].clone());
    }
    permits.close();
    talking.await.expect("nobody was refused");
    epochs.push(export(folder.path(), "roomful-data")[0]["epoch"].clone());
    let lives: std::collections::HashSet<_> = epochs.iter().map(Value::to_string).collect();
    assert_eq!(lives.len(), rounds + 1, "every restore begins another life");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_under_load_restore_all_that_was_acknowledged() {
    back_up_under_load(3).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: the long form of the test above"]
async fn a_hundred_backups_under_load_restore_all_that_was_acknowledged() {
    back_up_under_load(100).await;
}

#[tokio::test]
async fn a_backup_holds_every_file_and_is_for_its_owner_alone() {
    let folder = TempDir::new().expect("a folder");
    let _server = Process::start(folder.path(), &[]);
    let data = folder.path().join("roomful-data");
    fs::create_dir(data.join("files")).expect("ours");
    fs::write(data.join("files/ab"), "picture").expect("ours");
    fs::write(data.join("config.toml"), "name = \"Pond\"").expect("ours");
    fs::write(data.join("half.partial"), "unfinished").expect("ours");
    fs::write(data.join("roomful-before-v2.db"), "as it was").expect("ours");
    symlink("/etc/hostname", data.join("link")).expect("ours");

    let made = run(folder.path(), &["backup", "it.tar"]);
    assert_eq!(ok(&made), "", "nobody at a terminal, nothing to say");
    assert!(text(&made.stderr).contains("leaves out link"), "{}", text(&made.stderr));
    let file = folder.path().join("it.tar");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["it.tar", "roomful-data"]);
    let listed = Command::new("tar").arg("tf").arg(&file).output().expect("tar is there");
    let expected =
        ["data/roomful.db", "data/config.toml", "data/files/ab", "manifest.json", "manifest.json.sha256"];
    assert_eq!(text(&listed.stdout).lines().collect::<Vec<_>>(), expected);

    let piped = run(folder.path(), &["backup", "-"]);
    fs::write(folder.path().join("piped.tar"), &piped.stdout).expect("ours");
    for name in ["it.tar", "piped.tar"] {
        assert!(
            ok(&run(folder.path(), &["restore", "--check", name])).contains("is whole: 0 users, 1 room, 0")
        );
    }
    assert_eq!(names(folder.path()), ["it.tar", "piped.tar", "roomful-data"]);

    ok(&run(folder.path(), &["restore", "it.tar", "--data", "new"]));
    let new = folder.path().join("new");
    assert_eq!(names(&new), ["config.toml", "files", "roomful.db"]);
    assert_eq!(fs::read_to_string(new.join("files/ab")).expect("it is there"), "picture");
    let mode = |path: &str| fs::metadata(new.join(path)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!([mode(""), mode("files"), mode("files/ab"), mode("roomful.db")], [0o700, 0o700, 0o600, 0o600]);
}

#[test]
fn a_backup_replaces_nothing_unless_it_is_told_to() {
    let folder = TempDir::new().expect("a folder");
    assert!(
        refused(&run(folder.path(), &["backup", "it.tar"])).contains("no data of a server in roomful-data")
    );
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    fs::write(folder.path().join("it.tar"), "precious").expect("ours");
    assert!(refused(&run(folder.path(), &["backup", "it.tar"])).contains("--force"));
    assert_eq!(fs::read_to_string(folder.path().join("it.tar")).expect("it is there"), "precious");
    ok(&run(folder.path(), &["backup", "it.tar", "--force"]));
    std::os::unix::fs::symlink("it.tar", folder.path().join("link.tar")).expect("a link");
    for command in ["backup", "export"] {
        assert!(refused(&run(folder.path(), &[command, "link.tar", "--force"])).contains("no ordinary file"));
    }
    fs::remove_file(folder.path().join("link.tar")).expect("the link is there");
    ok(&run(folder.path(), &["restore", "it.tar", "--check"]));
    assert!(refused(&run(folder.path(), &["backup", "roomful-data/it.tar"])).contains("lost with it"));
    assert!(refused(&run(folder.path(), &["backup", "gone/it.tar"])).contains("there is no folder gone"));
    assert!(refused(&run(folder.path(), &["backup", "roomful-data"])).contains("name a file"));
}

#[test]
fn what_lies_where_a_backup_or_an_export_is_being_written_is_not_written_to() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    let path = |name: &str| folder.path().join(name);
    let mode = |name: &str| fs::metadata(path(name)).expect("it is there").permissions().mode() & 0o777;
    for (command, name) in [("backup", "it.tar"), ("export", "all.jsonl")] {
        let partial = format!("{name}.partial");
        fs::write(path(&partial), "open to all").expect("ours");
        fs::set_permissions(path(&partial), fs::Permissions::from_mode(0o666)).expect("ours");
        ok(&run(folder.path(), &[command, name]));
        assert_eq!(mode(name), 0o600);
        fs::write(path("precious"), "precious").expect("ours");
        for link in [partial.clone(), format!("{name}.database.partial")] {
            symlink("precious", path(&link)).expect("ours");
        }
        ok(&run(folder.path(), &[command, name, "--force"]));
        assert_eq!(fs::read_to_string(path("precious")).expect("it is there"), "precious");
        assert!(fs::symlink_metadata(path(name)).expect("it is there").is_file());
        let _ = fs::remove_file(path("all.jsonl.database.partial"));
        let held = fs::File::create(path(&partial)).expect("ours");
        held.lock().expect("ours");
        assert!(refused(&run(folder.path(), &[command, name, "--force"])).contains("is being written to"));
        fs::remove_file(path(&partial)).expect("ours");
    }
}

#[test]
fn a_database_that_lacks_an_event_is_backed_up_only_when_asked_to() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    ok(&run(folder.path(), &["backup", "it.tar"]));
    let before = fs::read(folder.path().join("it.tar")).expect("a file");
    let sql = rusqlite::Connection::open(folder.path().join("roomful-data/roomful.db")).expect("a database");
    assert_eq!(sql.execute("update rooms set head = 1", []).expect("ours"), 1);
    drop(sql);
    for to in ["it.tar", "-"] {
        let said = refused(&run(folder.path(), &["backup", to, "--force"]));
        assert!(said.contains("its head is 1") && said.contains("roomful doctor"), "{said}");
    }
    assert_eq!(fs::read(folder.path().join("it.tar")).expect("a file"), before);
    assert_eq!(names(folder.path()), ["it.tar", "roomful-data"]);
    let taken = run(folder.path(), &["backup", "damaged.tar", "--damaged"]);
    ok(&taken);
    assert!(text(&taken.stderr).contains("its head is 1"), "{}", text(&taken.stderr));
    ok(&run(folder.path(), &["restore", "damaged.tar", "--check"]));
}

#[test]
fn a_backup_that_finds_no_room_says_so_and_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    fs::write(folder.path().join("roomful-data/large"), vec![7; 600_000]).expect("ours");
    // No file may grow beyond so many blocks, which is how a full disk looks to who writes.
    for blocks in ["8", "400"] {
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" backup it.tar");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_roomful")]).current_dir(folder.path()).env_clear();
        let said = refused(&command.output().expect("sh is there"));
        assert!(said.contains("the backup was not written to it.tar"), "{blocks}: {said}");
        assert_eq!(names(folder.path()), ["roomful-data"], "{blocks}");
    }
}

#[tokio::test]
async fn a_restore_keeps_what_was_there_and_begins_another_life() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    let mut server = Process::start(folder.path(), &[]);
    let token = ben(server.address).await;
    say(server.address, &token, "in the backup").await;
    ok(&run(folder.path(), &["backup", "it.tar"]));
    say(server.address, &token, "after it").await;
    let while_running = refused(&run(folder.path(), &["restore", "it.tar"]));
    assert!(while_running.contains("Stop it first") && while_running.contains("process"), "{while_running}");
    server.signal("TERM");
    server.child.wait().expect("it ends");
    let epoch = export(folder.path(), "roomful-data")[0]["epoch"].clone();

    let said = ok(&run(folder.path(), &["restore", "it.tar"]));
    assert!(said.contains("1 user, 1 room, 1 message") && said.contains("Start the server"), "{said}");
    let kept = names(folder.path()).into_iter().find(|name| name.starts_with("roomful-data.before-restore-"));
    let kept = kept.expect("what was there is kept");
    assert!(said.contains(&kept), "{said}");
    let texts = |data: &str| {
        let lines = export(folder.path(), data).into_iter().filter(|line| line["type"] == "message");
        lines.map(|line| line["text"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts("roomful-data"), ["in the backup"]);
    assert_eq!(texts(&kept), ["in the backup", "after it"]);
    assert_ne!(export(folder.path(), "roomful-data")[0]["epoch"], epoch);

    let server = Process::start(folder.path(), &[]);
    assert_eq!(say(server.address, &token, "and on we go").await, 3);
    assert_eq!(names(folder.path()).len(), 3, "{:?}", names(folder.path()));
}

#[test]
fn a_backup_that_is_not_whole_restores_nothing() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    ok(&run(folder.path(), &["backup", "it.tar"]));
    let (whole, before) =
        (fs::read(folder.path().join("it.tar")).expect("a file"), export(folder.path(), "roomful-data"));
    let mut flipped = whole.clone();
    flipped[70_000] ^= 4;
    let cases: [(&[u8], &str); 4] = [
        (&flipped, "damaged"),
        (&whole[..whole.len() / 2], "not whole"),
        (&[b'x'; 2_000], "not a backup of Roomful"),
        (b"", "not whole"),
    ];
    for (bytes, said) in cases {
        fs::write(folder.path().join("bad.tar"), bytes).expect("ours");
        let refused = refused(&run(folder.path(), &["restore", "bad.tar"]));
        assert!(refused.contains(said) && refused.contains("bad.tar"), "{refused}");
        assert_eq!(names(folder.path()), ["bad.tar", "it.tar", "roomful-data"]);
    }
    assert_eq!(export(folder.path(), "roomful-data")[1..], before[1..]);
    assert!(
        refused(&run(folder.path(), &["restore", "it.tar", "--data", "."])).contains("holds other things")
    );
}

#[test]
fn each_restore_keeps_what_was_there_even_within_one_second() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    ok(&run(folder.path(), &["backup", "it.tar"]));
    let mut lives = std::collections::HashSet::new();
    for round in 1..=4 {
        lives.insert(export(folder.path(), "roomful-data")[0]["epoch"].to_string());
        ok(&run(folder.path(), &["restore", "it.tar"]));
        let kept = names(folder.path()).into_iter().filter(|name| name.contains(".before-restore-"));
        let kept: std::collections::HashSet<_> =
            kept.map(|name| export(folder.path(), &name)[0]["epoch"].to_string()).collect();
        assert_eq!(kept, lives, "{round}");
    }
}

#[test]
fn a_restore_that_is_killed_leaves_one_whole_directory() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    fs::write(folder.path().join("roomful-data/large"), vec![7; 4_000_000]).expect("ours");
    ok(&run(folder.path(), &["backup", "it.tar"]));
    assert!(add_user(folder.path(), &["Cyd"], PASSWORD).status.success());
    let exists = |part: &str| names(folder.path()).iter().any(|name| name.contains(part));
    let mut ends = [0; 2];
    for part in ["never", ".restoring-", ".before-restore-"].repeat(3) {
        let mut restoring =
            roomful(folder.path(), &["restore", "it.tar"]).stdout(Stdio::null()).spawn().expect("it runs");
        while !exists(part) && restoring.try_wait().expect("ours").is_none() {
            std::hint::spin_loop();
        }
        let _ = restoring.kill();
        restoring.wait().expect("ours");
        let users =
            export(folder.path(), "roomful-data").iter().filter(|line| line["type"] == "user").count();
        is_sound(folder.path(), "roomful-data");
        // Ben and Cyd before, Ben alone after.
        assert!((1..=2).contains(&users), "{part}: {users}");
        ends[users - 1] += 1;
        if users == 1 {
            assert!(add_user(folder.path(), &["Cyd"], PASSWORD).status.success());
        }
        for name in names(folder.path()).iter().filter(|name| name.contains(".before-")) {
            is_sound(folder.path(), name);
            fs::remove_dir_all(folder.path().join(name)).expect("ours");
        }
    }
    assert!(ends[0] > 0 && ends[1] > 0, "{ends:?}");
    ok(&run(folder.path(), &["doctor", "--fix"]));
    assert!(!exists(".restoring-"), "{:?}", names(folder.path()));
}

#[test]
fn an_export_goes_to_a_file_for_its_owner_alone() {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    ok(&run(folder.path(), &["export", "all.jsonl"]));
    let file = folder.path().join("all.jsonl");
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let lines = fs::read_to_string(&file).expect("text").lines().count();
    assert_eq!(lines, export(folder.path(), "roomful-data").len());
    assert!(refused(&run(folder.path(), &["export", "all.jsonl"])).contains("--force"));
    ok(&run(folder.path(), &["export", "all.jsonl", "--force"]));
    assert_eq!(names(folder.path()), ["all.jsonl", "roomful-data"]);
}
