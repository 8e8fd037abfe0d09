//! `roomful doctor` and `roomful health`, as an operator meets them.

use crate::operator::{Process, add_user, roomful, run, text};
use crate::support::{PASSWORD, Server};
use crate::tunnel::Pair;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// A folder with a data directory in which a server has been.
fn kept() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    assert!(add_user(folder.path(), &["Ben"], PASSWORD).status.success());
    folder
}

/// What is found, and the exit code.
fn examine(folder: &Path, arguments: &[&str]) -> (Value, Option<i32>) {
    let examined = run(folder, &[&["doctor", "--json"], arguments].concat());
    let found = serde_json::from_slice(&examined.stdout).expect("JSON");
    (found, examined.status.code())
}

fn finding<'a>(found: &'a Value, name: &str) -> &'a Value {
    found["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|check| check["name"] == name)
        .expect("every check")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn all_is_well_beside_a_running_server() {
    let folder = TempDir::new().expect("a folder");
    let server = Process::start(folder.path(), &[]);
    let (found, code) = examine(folder.path(), &[]);
    assert_eq!((code, &found["ok"]), (Some(0), &true.into()), "{found}");
    let what = finding(&found, "server")["what"].as_str().expect("text").to_owned();
    assert!(what.contains(&server.address.to_string()) && what.contains("ready"), "{what}");
    for check in found["checks"].as_array().expect("a list") {
        assert_eq!(check["verdict"], "ok", "{check}");
        assert!(check["what"].as_str().is_some_and(|what| what.ends_with('.')), "{check}");
    }
    assert!(
        finding(&found, "consumers")["what"].as_str().is_some_and(|what| what.starts_with("counts ")),
        "{found}"
    );
    let told = run(folder.path(), &["doctor"]);
    assert!(text(&told.stdout).ends_with("All is well.\n"), "{}", text(&told.stdout));
}

#[test]
fn every_check_is_listed_by_name() {
    let folder = kept();
    let listed = run(folder.path(), &["doctor", "--list"]);
    let names: Vec<_> =
        text(&listed.stdout).lines().map(|line| line.split(' ').next().expect("a word")).collect();
    let (found, _) = examine(folder.path(), &[]);
    let found: Vec<_> =
        found["checks"].as_array().expect("a list").iter().map(|check| check["name"].clone()).collect();
    assert_eq!(found, names);
}

#[test]
fn what_others_can_read_is_closed_when_asked() {
    let folder = kept();
    let (data, database) =
        (folder.path().join("roomful-data"), folder.path().join("roomful-data/roomful.db"));
    for (path, open) in [(&data, 0o755), (&database, 0o644)] {
        fs::set_permissions(path, Permissions::from_mode(open)).expect("ours");
    }
    let (found, code) = examine(folder.path(), &[]);
    assert_eq!((code, &finding(&found, "modes")["verdict"]), (Some(1), &"fail".into()), "{found}");
    assert_eq!((mode(&data), mode(&database)), (0o755, 0o644), "without --fix nothing is changed");
    for (of_folder, of_file) in [(0o700, 0o644), (0o755, 0o600), (0o710, 0o604)] {
        // Made with the database's mode by whoever looked into it.
        let _ = fs::remove_file(data.join("roomful.db-shm"));
        fs::set_permissions(&data, Permissions::from_mode(of_folder)).expect("ours");
        fs::set_permissions(&database, Permissions::from_mode(of_file)).expect("ours");
        let (found, code) = examine(folder.path(), &[]);
        assert_eq!((code, &finding(&found, "modes")["verdict"]), (Some(0), &"warn".into()), "{found}");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("ours");
    let (found, _) = examine(folder.path(), &["--fix"]);
    assert_eq!(finding(&found, "modes")["verdict"], "ok", "{found}");
    assert!(
        finding(&found, "modes")["what"].as_str().is_some_and(|what| what.contains("roomful.db")),
        "{found}"
    );
    assert_eq!((mode(&data), mode(&database)), (0o700, 0o600));
}

#[test]
fn what_was_left_behind_is_removed_unless_somebody_uses_it() {
    let folder = kept();
    let left = folder.path().join("roomful-data/backup-7.partial");
    let held = folder.path().join("roomful-data/backup-8.partial");
    fs::write(&left, "half").expect("ours");
    let file = File::create(&held).expect("ours");
    file.lock().expect("ours");
    fs::create_dir(folder.path().join("roomful-data.restoring-20260101T000000Z")).expect("ours");
    fs::create_dir(folder.path().join("roomful-data.before-restore-20260101T000000Z")).expect("ours");
    let (found, _) = examine(folder.path(), &[]);
    assert_eq!(finding(&found, "leftovers")["verdict"], "warn", "{found}");
    let (found, _) = examine(folder.path(), &["--fix"]);
    let leftovers = finding(&found, "leftovers");
    assert!(leftovers["what"].as_str().is_some_and(|what| what.contains("before-restore-")), "{leftovers}");
    assert_eq!(leftovers["verdict"], "warn", "{leftovers}");
    assert!(!left.exists() && held.exists());
    assert!(!folder.path().join("roomful-data.restoring-20260101T000000Z").exists());
    assert!(
        folder.path().join("roomful-data.before-restore-20260101T000000Z").exists(),
        "that is somebody's data"
    );
}

#[test]
fn damage_fails_and_says_what_to_do() {
    let folder = kept();
    let path = folder.path().join("roomful-data/roomful.db");
    let mut database = File::options().write(true).open(&path).expect("ours");
    database.seek(SeekFrom::Start(4_096)).expect("ours");
    database.write_all(&[0xA5; 8_192]).expect("ours");
    let (found, code) = examine(folder.path(), &[]);
    assert_eq!((code, &found["ok"]), (Some(1), &false.into()), "{found}");
    let failed: Vec<_> = found["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|check| check["verdict"] == "fail")
        .collect();
    assert!(
        failed
            .iter()
            .any(|check| check["advice"].as_str().is_some_and(|advice| advice.contains("roomful restore")))
    );
    let said = run(folder.path(), &["doctor"]);
    assert!(text(&said.stderr).contains("checks failed"), "{}", text(&said.stderr));
    let refused = run(folder.path(), &["backup", "it.tar"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("damaged") || text(&refused.stderr).contains("malformed"));
    assert!(!folder.path().join("it.tar").exists());
}

#[test]
fn settings_that_are_wrong_fail_and_those_that_are_odd_warn() {
    let folder = kept();
    let (found, code) = examine(folder.path(), &["--listen", "here"]);
    assert_eq!((code, &finding(&found, "settings")["verdict"]), (Some(1), &"fail".into()), "{found}");
    for arguments in [
        &["--listen", "0.0.0.0:3000"][..],
        &["--public-url", "http://chat.example"],
        &["--public-url", "https://chat.example"],
    ] {
        let (found, code) = examine(folder.path(), arguments);
        assert_eq!((code, &finding(&found, "exposure")["verdict"]), (Some(0), &"warn".into()), "{found}");
    }
    let behind = ["--public-url", "https://chat.example", "--trusted-proxies", "127.0.0.1"];
    let (found, _) = examine(folder.path(), &behind);
    assert_eq!(finding(&found, "exposure")["verdict"], "ok", "{found}");
    let (found, code) = examine(folder.path(), &["--data", "gone"]);
    assert_eq!((code, &finding(&found, "directory")["verdict"]), (Some(1), &"fail".into()), "{found}");
    assert!(!folder.path().join("gone").exists(), "looking makes nothing");
}

#[test]
fn a_certificate_that_ended_or_is_for_others_fails() {
    let folder = kept();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = |ends: i32| {
        let pair = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["chat.example".to_owned()]).expect("a name");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        fs::write(&cert, params.self_signed(&pair).expect("a certificate").pem()).expect("ours");
        fs::write(&key, pair.serialize_pem()).expect("ours");
    };
    let judge = |url: &str| {
        let arguments = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--public-url", url];
        finding(&examine(folder.path(), &arguments).0, "certificate").clone()
    };
    made(2021);
    assert_eq!(judge("https://chat.example")["verdict"], "fail");
    made(2200);
    assert_eq!(judge("https://chat.example")["verdict"], "ok");
    let other = judge("https://other.example");
    assert!(
        other["verdict"] == "fail"
            && other["what"].as_str().is_some_and(|what| what.contains("other.example"))
    );
}

#[test]
fn health_is_told_by_the_exit_code() {
    let folder = kept();
    let nobody = run(folder.path(), &["health", "--listen", "127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("no server answers at 127.0.0.1:1"), "{}", text(&nobody.stderr));
    let mut server = Process::start(folder.path(), &[]);
    let ready = run(folder.path(), &["health"]);
    assert_eq!(text(&ready.stdout), format!("The server at {} is ready.\n", server.address));
    assert!(ready.status.success());
    server.signal("KILL");
    server.child.wait().expect("it ends");
    assert_eq!(run(folder.path(), &["health"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_doctor_pass_on_why_a_server_is_not_ready() {
    let server = Server::start().await;
    server.running.app().draining.store(true, std::sync::atomic::Ordering::Release);
    let health = run(server.data.path(), &["health", "--data", "data"]);
    assert_eq!(health.status.code(), Some(1));
    let said = text(&health.stderr);
    assert!(said.contains("is not ready: The server is stopping"), "{said}");
    let (found, _) = examine(server.data.path(), &["--data", "data"]);
    let what = finding(&found, "server")["what"].as_str().expect("text").to_owned();
    assert!(what.contains("The server is stopping"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_over_tls_and_trusts_our_certificate_alone() {
    let server = Server::start_over_tls().await;
    let folder = server.data.path();
    let ask = |pair: Pair| {
        let path = |path: &Path| path.to_str().expect("text").to_owned();
        let (cert, key) = (path(&pair.certificate), path(&pair.key));
        let arguments = ["health", "--data", "data", "--tls-cert", &cert, "--tls-key", &key];
        roomful(folder, &arguments).output().expect("the binary runs")
    };
    let other = TempDir::new().expect("a folder");
    let refused = ask(Pair::made_in(other.path()));
    assert!(text(&refused.stderr).contains("another certificate"), "{}", text(&refused.stderr));
    let ours = Pair { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    let ready = ask(ours);
    assert!(ready.status.success(), "{}", text(&ready.stderr));
}
