//! How long a cold start takes, and what an idle process holds.

use crate::program::{Program, address, command, first_byte};
use crate::{median, pages, quantile};
use chat::{Chat, Clock};
use client::Api;
use rusqlite::Connection;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// From the start of the process on an empty directory to the first byte of an answer.
pub fn cold() {
    let mut times: Vec<f64> = (0..15).map(|_| first_answer(tempfile::tempdir().unwrap().path())).collect();
    println!(
        "cold start to first byte: median {:.1} ms, worst {:.1} ms of 15",
        median(times.clone()),
        quantile(&mut times, 1.0)
    );
}

/// The same on a directory with a million messages: stopped cleanly, and killed with a log of 64 MiB that was never folded.
pub async fn full() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let path = data.join("roomful.db");
    let (chat, mut told) = Chat::open(&path, Clock::system()).await.unwrap();
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    chat.set_up("Ana", "correct horse").await.unwrap();
    chat.close().await;
    pages::fill(&Connection::open(&path).unwrap());
    tell("stopped cleanly", (0..15).map(|_| first_answer(folder.path())).collect());
    let log = data.join("roomful.db-wal");
    leave_log(&path, &log);
    // A start folds some of the log, so each has its own copy.
    let copies = (0..5).map(|_| {
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir(copy.path().join("data")).unwrap();
        for file in [&path, &log] {
            std::fs::copy(file, copy.path().join("data").join(file.file_name().unwrap())).unwrap();
        }
        first_answer(copy.path())
    });
    tell("killed with a log of 64 MiB", copies.collect());
}

fn tell(how: &str, mut times: Vec<f64>) {
    println!(
        "start on a million messages, {how}, to first byte: median {:.1} ms, worst {:.1} ms of {}",
        median(times.clone()),
        quantile(&mut times, 1.0),
        times.len()
    );
}

/// Leaves a log of 64 MiB beside the database, as a process that was killed does.
fn leave_log(path: &Path, log: &Path) {
    let kept = log.with_extension("kept");
    let sql = Connection::open(path).unwrap();
    sql.execute_batch("pragma wal_autocheckpoint = 0; pragma synchronous = off").unwrap();
    let mut from = 0;
    while std::fs::metadata(log).map_or(0, |log| log.len()) < 64 << 20 {
        sql.execute("update messages set edited_at = 1 where key between ?1 and ?1 + 2000", [from]).unwrap();
        from += 2_000;
    }
    std::fs::copy(log, &kept).unwrap();
    drop(sql);
    std::fs::rename(kept, log).unwrap();
}

/// Milliseconds from starting the process to the first byte of an answer; then it is killed.
fn first_answer(folder: &Path) -> f64 {
    let mut command = command(folder);
    let address = address(folder);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    while first_byte(&address).is_err() {
        std::hint::spin_loop();
    }
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

/// Resident memory after one sign-in and a quiet time.
pub async fn idle(quiet: Duration) {
    let program = Program::start();
    let api = Api::new(&program.address);
    api.set_up(&program.setup, "Ana", "correct horse").await.unwrap();
    api.sign_in("Ana", "correct horse").await.unwrap();
    tokio::time::sleep(quiet).await;
    let (cpu_user, cpu_system) = program.cpu();
    let (all, own) = program.memory();
    println!(
        "idle process, signed in, {} s quiet: {:.1} MB resident, {:.1} MB of it not file-backed; {:.2} s CPU since start",
        quiet.as_secs(),
        all as f64 / 1024.0,
        own as f64 / 1024.0,
        cpu_user + cpu_system
    );
}
