//! The load tool against the real binary: nothing is lost, doubled or swapped, and the tool can tell.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use clap::Parser;
use load::Arguments;

fn all_is_delivered(arguments: &[&str]) -> bool {
    let binary = ["--unpinned", "--binary", env!("CARGO_BIN_EXE_roomful")];
    let all = ["roomful-load"].iter().chain(arguments).chain(&binary);
    load::run(Arguments::parse_from(all)).unwrap()
}

const FEW: [&str; 6] = ["--connections", "50", "--duration", "1", "--warm", "0.1"];

#[test]
fn fifty_connections_hear_everything_in_both_protocols() {
    for protocol in ["native", "simple"] {
        let room = ["room", "--pace", "closed", "--protocol", protocol];
        assert!(all_is_delivered(&[&room[..], &FEW].concat()), "{protocol}");
    }
}

#[test]
fn over_tls_and_deflated_everything_is_heard_too() {
    for way in [&["--tls"][..], &["--deflate"], &["--tls", "--deflate"]] {
        for protocol in ["native", "simple"] {
            let room = ["room", "--payload", "400", "--protocol", protocol];
            assert!(all_is_delivered(&[&room[..], &FEW, way].concat()), "{protocol}, {way:?}");
        }
    }
    assert!(all_is_delivered(&["mixed", "--people", "5", "--pause", "0.1", "--duration", "1", "--tls"]));
}

#[test]
fn people_who_come_join_post_read_and_reload_see_the_same_rooms() {
    assert!(all_is_delivered(&["mixed", "--people", "20", "--pause", "0.1", "--duration", "1"]));
}

#[test]
fn everybody_comes_back_after_a_storm() {
    let storm = ["storm", "--rooms", "5", "--times", "1"];
    assert!(all_is_delivered(&[&storm[..], &FEW].concat()));
}
