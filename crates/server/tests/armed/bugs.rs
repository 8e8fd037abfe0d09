//! Bugs that a build can be told to have are there when it is told, and only then.

use crate::process::{Breaks, Process, folder};
use serde_json::json;

const BUG: &str = "ROOMFUL_BUG";
const DISK: &str = "ROOMFUL_DISK";

/// How many of ten messages are lost that were answered before the power went.
fn lost(breaks: Breaks<'_>) -> usize {
    let folder = folder();
    let server = Process::start(folder.path(), breaks).unwrap();
    let said: Vec<_> = (0..10).map(|number| format!("message-{number}")).collect();
    for text in &said {
        // Where signing in is answered too early, too, the session may not be there yet.
        while server.say(text).unwrap().0 == 401 {}
    }
    server.kill();
    let texts = Process::start(folder.path(), &[]).unwrap().texts();
    assert_eq!(texts, said[..texts.len()]);
    said.len() - texts.len()
}

#[test]
fn what_is_answered_too_early_can_be_lost() {
    assert_eq!(lost(&[(DISK, "hold")]), 0);
    assert_eq!(lost(&[(DISK, "hold"), (BUG, "normal_sync")]), 10);
    assert_eq!(lost(&[(DISK, "hold;slow:ms=50")]), 0);
    assert!(lost(&[(DISK, "hold;slow:ms=50"), (BUG, "reply_before_commit")]) > 0);
}

#[test]
fn what_is_unique_for_less_than_its_author_is_there_twice() {
    let folder = folder();
    for (breaks, times) in [(&[][..], 1), (&[(BUG, "nonce_per_connection")], 2)] {
        let server = Process::start(folder.path(), breaks).unwrap();
        let text = format!("said {times} times").replace(' ', "-");
        for _ in 0..2 {
            assert_eq!(server.say(&text).unwrap().0, 201);
        }
        assert_eq!(server.texts().iter().filter(|other| **other == text).count(), times);
    }
}

#[test]
fn what_is_counted_for_all_rooms_leaves_holes_in_each() {
    for (breaks, expected) in [(&[][..], 2), (&[(BUG, "global_seq")], 6)] {
        let folder = folder();
        let server = Process::start(folder.path(), breaks).unwrap();
        for text in ["one", "two", "three", "four"] {
            server.say(text).unwrap();
        }
        let garden = json!({ "name": "garden", "kind": "open", "nonce": "garden" });
        assert_eq!(server.ask("POST", "/api/v1/rooms", Some(&garden)).unwrap().0, 201);
        let (_, posted) = server.say_in("garden", "hello").unwrap();
        assert_eq!(posted["seq"], expected);
    }
}
