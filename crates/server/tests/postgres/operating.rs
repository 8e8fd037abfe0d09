//! The binary on PostgreSQL, as an operator meets it.

use crate::stories::process::{Process, add_user, roomful};
use crate::stories::support::room;
use crate::support::database_in;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const ANYWHERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    roomful(folder, arguments).stderr(Stdio::piped()).output().unwrap()
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn export(folder: &Path, database: &str) -> Vec<Value> {
    let lines = ok(&run(folder, &["export", "--database", database]));
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn finding(folder: &Path, database: &str, name: &str) -> Value {
    let found = run(folder, &["doctor", "--json", "--database", database]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    found["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone()
}

/// A folder of a server that knows Ana.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    add_user(folder.path(), "Ana");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_has_one_server_at_a_time_and_the_next_takes_it_over() {
    let (folder, other) = (folder(), TempDir::new().unwrap());
    let first = Process::start(folder.path(), &ANYWHERE);
    let ana = first.client("Ana").await;
    let lobby = room(&ana, "lobby");
    ana.post(lobby, "to the first").await.unwrap();

    let address = database_in(folder.path()).unwrap();
    let second = ["serve", "--listen", "127.0.0.1:0", "--database", &address];
    let said = refused(&run(other.path(), &second));
    assert!(said.contains("another Roomful serves this database already"), "{said}");
    add_user(folder.path(), "Ben");
    assert!(ok(&run(folder.path(), &["user", "list"])).contains("Ben "));
    let ben = first.client("Ben").await;

    let _second = Process::take_over(folder.path()).await;
    assert!(first.ends().await.success());
    ana.post(lobby, "to the second").await.unwrap();
    ben.hears("to the second").await.unwrap();
    for client in [&ana, &ben] {
        client.agrees().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_restored_begins_another_epoch_and_a_restart_does_not() {
    let folder = folder();
    let address = database_in(folder.path()).unwrap();
    let server = Process::start(folder.path(), &ANYWHERE);
    let ana = server.client("Ana").await;
    let lobby = room(&ana, "lobby");
    ana.post(lobby, "in the backup").await.unwrap();
    ok(&run(folder.path(), &["backup", "it.dump"]));
    let file = folder.path().join("it.dump");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(refused(&run(folder.path(), &["backup", "it.dump"])).contains("--force"));
    ana.post(lobby, "after it").await.unwrap();
    drop(server);
    let before = export(folder.path(), &address);

    let said = refused(&run(folder.path(), &["restore", "it.dump"]));
    let command = said.lines().find(|line| line.contains("pg_restore")).unwrap();
    let other = testbed::database();
    for to in [&address, &other] {
        let command = command.replace(&address, to);
        let restored = Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
        ok(&restored);
    }
    let texts = |lines: &[Value]| -> Vec<String> {
        let texts = lines.iter().filter(|line| line["type"] == "message");
        texts.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
    };
    let mut epochs = vec![before[0]["epoch"].clone()];
    for to in [&address, &other] {
        drop(Process::start(folder.path(), &["--listen", "127.0.0.1:0", "--database", to]));
        let after = export(folder.path(), to);
        assert_eq!(texts(&after), ["in the backup"]);
        assert!(!epochs.contains(&after[0]["epoch"]), "another epoch");
        epochs.push(after[0]["epoch"].clone());
        drop(Process::start(folder.path(), &["--listen", "127.0.0.1:0", "--database", to]));
        assert_eq!(export(folder.path(), to)[0]["epoch"], after[0]["epoch"], "the same after a restart");
    }
    assert_eq!(texts(&before), ["in the backup", "after it"]);
}

#[test]
fn a_backup_without_the_program_for_it_says_what_to_install() {
    let folder = folder();
    let backup = ["backup", "it.dump"];
    let without = |path: &Path| {
        let mut command = roomful(folder.path(), &backup);
        refused(&command.env("PATH", path).stderr(Stdio::piped()).output().unwrap())
    };
    let said = without(folder.path());
    assert!(said.contains("there is no pg_dump") && said.contains("postgresql-client-"), "{said}");

    let program = folder.path().join("pg_dump");
    let old = |script: &str| {
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        without(folder.path())
    };
    let said = old("echo 'pg_dump (PostgreSQL) 9.6.1'");
    assert!(said.contains("pg_dump has version 9, and the server is PostgreSQL"), "{said}");
    let said = old("echo 'pg_dump (PostgreSQL) 99.1'; echo 'no such luck' >&2; exit 3");
    assert!(said.contains("pg_dump failed") && said.contains("no such luck"), "{said}");
    assert!(!folder.path().join("it.dump").exists());
    assert!(!folder.path().join("it.dump.partial").exists());
}

#[test]
fn the_password_of_the_database_is_shown_nowhere() {
    let folder = folder();
    let address = database_in(folder.path()).unwrap().replacen('@', ":s3cret@", 1);
    fs::write(
        folder.path().join("pg_dump"),
        "#!/bin/sh\necho \"$0 $*\" >> calls; echo $PGPASSWORD >> passwords\n",
    )
    .unwrap();
    fs::set_permissions(folder.path().join("pg_dump"), fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut backup = roomful(folder.path(), &["backup", "it.dump", "--database", &address]);
    let taken = backup.env("PATH", path).stderr(Stdio::piped()).output().unwrap();
    ok(&taken);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("calls").contains("--snapshot") && !read("calls").contains("s3cret"), "{}", read("calls"));
    assert!(read("passwords").contains("s3cret"));
    for command in [&["config", "print"][..], &["restore", "it.dump"], &["doctor"]] {
        let said = run(folder.path(), &[command, &["--database", &address]].concat());
        let said = [said.stdout, said.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("s3cret"), "{command:?}");
    }
}

#[test]
fn the_doctor_looks_at_what_is_in_the_database() {
    let folder = folder();
    let address = database_in(folder.path()).unwrap();
    let database = finding(folder.path(), &address, "database");
    assert_eq!(database["verdict"], "ok", "{database}");
    assert!(database["what"].as_str().unwrap().contains("It is on PostgreSQL "), "{database}");
    for name in ["references", "rooms", "messages", "reads"] {
        let found = finding(folder.path(), &address, name);
        assert_eq!(found["verdict"], "ok", "{found}");
    }
    let integrity = finding(folder.path(), &address, "integrity");
    assert!(integrity["what"].as_str().unwrap().contains("pg_amcheck"), "{integrity}");

    let gone = finding(folder.path(), "postgres://127.0.0.1:1/roomful", "database");
    assert_eq!(gone["verdict"], "fail", "{gone}");
    assert!(gone["advice"].as_str().unwrap().contains("whether PostgreSQL runs"), "{gone}");
    let empty = finding(folder.path(), &testbed::database(), "database");
    assert!(empty["what"].as_str().unwrap().contains("no tables of Roomful"), "{empty}");
}
