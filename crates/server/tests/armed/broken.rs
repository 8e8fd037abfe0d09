//! Deaths, power cuts, broken and full disks.

use crate::process::{Breaks, Process, add_user, folder};
use std::path::Path;

const DISK: &str = "ROOMFUL_DISK";
const POINT: &str = "ROOMFUL_POINT";
const WHOLE: Breaks<'_> = &[];

/// Says things until the server does not answer 201 any more: what it had answered, and what it had not.
fn talk(server: &Process) -> (Vec<String>, String) {
    let mut said = Vec::new();
    for number in 0.. {
        let text = format!("message-{number}");
        match server.say(&text) {
            Some((201, _)) => said.push(text),
            _ => return (said, text),
        }
    }
    unreachable!("it breaks some time");
}

/// All that was acknowledged is there once, and what was not can be said again without being there twice.
fn nothing_is_lost(folder: &Path, (said, mut unanswered): (Vec<String>, String)) {
    let server = Process::start(folder, WHOLE).unwrap();
    if unanswered.is_empty() {
        unanswered = "the last word".to_owned();
    }
    assert_eq!(server.say(&unanswered).unwrap().0, 201);
    assert_eq!(server.texts(), [said, vec![unanswered]].concat());
}

#[test]
fn whoever_was_answered_before_a_death_finds_their_message_and_nobody_finds_one_twice() {
    for point in ["before_commit:20", "before_reply:20", "before_publish:20"] {
        let folder = folder();
        let server = Process::start(folder.path(), &[(POINT, point)]).unwrap();
        let talked = talk(&server);
        assert!(!server.wait().success());
        nothing_is_lost(folder.path(), talked);
    }
}

#[test]
fn a_power_cut_takes_nothing_that_was_answered() {
    for seed in 0..10 {
        let folder = folder();
        let cut = format!("cut:seed={seed},after={}", 60 + 23 * seed);
        let talked = Process::start(folder.path(), &[(DISK, &cut)]).map(|server| {
            let talked = talk(&server);
            assert!(!server.wait().success());
            talked
        });
        nothing_is_lost(folder.path(), talked.unwrap_or_default());
    }
}

#[test]
fn a_server_whose_disk_breaks_ends_and_the_next_start_tells_what_is_there() {
    let folder = folder();
    let server = Process::start(folder.path(), &[(DISK, "fail:op=sync,nth=30,from_then_on")]).unwrap();
    let talked = talk(&server);
    assert!(talked.0.len() > 5, "{talked:?}");
    assert!(!server.is_ready());
    assert_eq!(server.wait().code(), Some(1));
    nothing_is_lost(folder.path(), talked);
}

#[test]
fn a_server_whose_disk_is_full_is_read_and_writes_again_when_there_is_space() {
    let folder = folder();
    let space = folder.path().join("space");
    let full = format!("full:nth=150,until={}", space.display());
    let server = Process::start(folder.path(), &[(DISK, &full)]).unwrap();
    let (said, refused) = talk(&server);
    assert!(said.len() > 5, "{said:?}");
    let (status, told) = server.say(&refused).unwrap();
    assert_eq!((status, &told["code"]), (503, &"overloaded".into()));
    assert_eq!(told["params"]["reason"], "disk_full");
    assert!(told["retry_after_ms"].as_u64().unwrap() > 0);
    assert!(!server.is_ready());
    assert_eq!(server.texts(), said, "it can be read");
    std::fs::write(space, "").unwrap();
    while !server.is_ready() {}
    assert_eq!(server.say(&refused).unwrap().0, 201);
    assert_eq!(server.texts(), [said.as_slice(), &[refused]].concat());
    server.kill();
}

#[test]
fn whoever_dies_while_the_tables_are_made_makes_them_at_the_next_start() {
    let mut deaths = 0;
    for statement in 1.. {
        let folder = tempfile::tempdir().unwrap();
        let breaks = format!("mid_migration:{statement}");
        if add_user(folder.path(), "Ana", &[(POINT, &breaks)]).success() {
            break;
        }
        deaths += 1;
        if statement % 5 == 0 {
            assert!(add_user(folder.path(), "Ana", WHOLE).success(), "statement {statement}");
        }
    }
    assert!(deaths > 20, "{deaths} statements");
}
