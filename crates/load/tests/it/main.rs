//! What the load tool promises, against the servers that it brings along.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomful-load"));
    command.args(arguments).args(["--unpinned", "--json", "out.json", "--svg", "out.svg"]);
    command.current_dir(directory).output().unwrap()
}

fn report(arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let output = run(arguments, directory.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let svg = std::fs::read_to_string(directory.path().join("out.svg")).unwrap();
    assert!(svg.contains("<polyline"));
    serde_json::from_str(&std::fs::read_to_string(directory.path().join("out.json")).unwrap()).unwrap()
}

const FEW: [&str; 6] = ["--connections", "50", "--duration", "0.3", "--warm", "0.1"];

fn assert_all_was_delivered(report: &Value, audience: u64) {
    assert!(report["posts"].as_u64().unwrap() > 0, "{report}");
    assert!(report["deliveries"].as_u64().unwrap() >= audience, "{report}");
    assert!(report["cpu_us_per_delivery"].as_f64().unwrap() > 0.0, "{report}");
    for fault in ["lost", "doubled", "misplaced", "broken", "refused"] {
        assert_eq!(report["faults"][fault], 0, "{report}");
    }
}

#[test]
fn the_lower_bound_delivers_everything_in_both_protocols_and_at_every_pace() {
    for protocol in ["native", "simple"] {
        for pace in ["paced", "closed", "saturated"] {
            let room = ["room", "--serve", "lower-bound", "--protocol", protocol, "--pace", pace];
            assert_all_was_delivered(&report(&[&room[..], &FEW].concat()), 50);
        }
    }
}

#[test]
fn the_textbook_server_can_be_measured_in_the_simple_protocol() {
    let rooms = ["rooms", "--serve", "textbook", "--protocol", "simple", "--rooms", "5"];
    assert_all_was_delivered(&report(&[&rooms[..], &FEW].concat()), 10);
}

#[test]
fn a_small_room_is_measured_with_and_without_a_flood_beside_it() {
    for protocol in ["native", "simple"] {
        let flood = ["flood", "--serve", "lower-bound", "--protocol", protocol, "--big", "50", "--bots", "4"];
        let report = report(&[&flood[..], &["--duration", "0.3", "--warm", "0.1"]].concat());
        assert!(report["flood"]["deliveries"].as_u64().unwrap() > 50, "{report}");
        assert!(report["p99_ratio"].as_f64().unwrap() > 0.0, "{report}");
        assert_eq!((&report["small"], &report["big"]), (&10.into(), &50.into()));
    }
}

#[test]
fn times_of_an_open_loop_are_told_by_rank() {
    let steady = ["steady", "--serve", "lower-bound", "--rooms", "5", "--rate", "100"];
    let report = report(&[&steady[..], &FEW].concat());
    assert_all_was_delivered(&report, 10);
    let rank = |name: &str| report["last_us"][name].as_u64().unwrap();
    assert!(rank("p50") <= rank("p99") && rank("p99") <= rank("max") && rank("max") > 0, "{report}");
}

#[test]
fn memory_of_idle_connections_is_a_slope_over_sizes() {
    let idle =
        ["idle", "--serve", "lower-bound", "--protocol", "simple", "--connections", "20,200", "--rooms"];
    let report = report(&[&idle[..], &["10", "--quiet", "0.2"]].concat());
    assert_eq!(report["sizes"].as_array().unwrap().len(), 2);
    assert!(report["bytes_each"].is_number(), "{report}");
}

#[test]
fn a_server_that_is_not_there_cannot_be_measured() {
    let directory = tempfile::tempdir().unwrap();
    // No server listens on port 1, and none may.
    let output = run(&["room", "--url", "http://127.0.0.1:1"], directory.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("roomful-load:"), "{output:?}");
}
