//! Power cuts, broken and full disks, as SQLite meets them.

use crate::writing::{ROWS, Written, rows, start, watch};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::tempdir;

/// Cuts in a test: enough that a disk which forgets too little or too much shows.
const CUTS: u64 = 120;

fn write(folder: &Path, disk: &str, synchronous: &str) -> Written {
    watch(start(folder, disk, synchronous), |_, _| {})
}

/// Writes until the power is cut, `CUTS` times; how many rows were acknowledged, and how many of those were lost.
fn cut(synchronous: &str) -> (usize, usize) {
    let (mut acknowledged, mut lost) = (0, 0);
    for seed in 0..CUTS {
        let folder = tempdir().expect("a folder");
        let written = write(folder.path(), &format!("cut:seed={seed}"), synchronous);
        assert!(!written.whole || written.acknowledged.len() as i64 == ROWS, "seed {seed}: {written:?}");
        let kept = rows(folder.path());
        acknowledged += written.acknowledged.len();
        lost += written.acknowledged.iter().filter(|row| !kept.contains(row)).count();
    }
    (acknowledged, lost)
}

#[test]
fn a_power_cut_takes_no_row_that_was_synced() {
    let (acknowledged, lost) = cut("full");
    assert!(acknowledged > 1000, "{acknowledged}");
    assert_eq!(lost, 0, "of {acknowledged}");
}

#[test]
fn a_power_cut_takes_rows_that_were_not_synced() {
    let (acknowledged, lost) = cut("normal");
    assert!(lost > 0, "of {acknowledged}");
}

#[test]
fn the_same_seed_loses_the_same() {
    let kept = |_| {
        let folder = tempdir().expect("a folder");
        let written = write(folder.path(), "cut:seed=11,after=400", "normal");
        assert!(!written.whole);
        rows(folder.path())
    };
    assert_eq!(kept(1), kept(2));
}

#[test]
fn killing_a_process_takes_what_the_disk_holds_back() {
    let folder = tempdir().expect("a folder");
    let written = watch(start(folder.path(), "hold", "off"), |line, process| {
        if line == "end" {
            process.kill().expect("a kill");
        }
    });
    assert_eq!((written.whole, written.acknowledged.len() as i64), (false, ROWS));
    assert_eq!(rows(folder.path()), [], "it never synced");
}

#[test]
fn a_disk_that_holds_back_is_a_disk_to_whoever_stays() {
    let folder = tempdir().expect("a folder");
    let written = write(folder.path(), "hold", "full");
    assert!(written.whole);
    assert_eq!(rows(folder.path()), written.acknowledged);
}

#[test]
fn a_sync_that_fails_once_is_reported_once() {
    let folder = tempdir().expect("a folder");
    let written = write(folder.path(), "fail:op=sync,nth=30", "full");
    assert!(written.whole);
    assert_eq!(written.refused, ["disk I/O error"]);
    assert_eq!(rows(folder.path()), written.acknowledged);
}

#[test]
fn a_full_disk_refuses_until_there_is_space() {
    let folder = tempdir().expect("a folder");
    let space = folder.path().join("space");
    let full = start(folder.path(), &format!("full:nth=60,until={}", space.display()), "full");
    let written = watch(full, |line, _| {
        if line.starts_with("error") && !space.exists() {
            std::fs::write(&space, "").expect("space");
        }
    });
    assert!(written.whole);
    assert!(!written.refused.is_empty());
    assert!(written.refused.iter().all(|error| error == "database or disk is full"), "{:?}", written.refused);
    assert_eq!(rows(folder.path()), written.acknowledged);
}

#[test]
fn a_slow_disk_takes_its_time() {
    let folder = tempdir().expect("a folder");
    let began = Instant::now();
    let written = watch(start(folder.path(), "slow:ms=20", "full"), |line, process| {
        if line == "row 10" {
            process.kill().expect("a kill");
        }
    });
    assert!(began.elapsed() >= Duration::from_millis(200), "{written:?}");
}
