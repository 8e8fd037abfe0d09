//! How long a cold start takes, and what an idle process holds.

use crate::program::{Program, acknowledged, address, command, first_byte};
use crate::{median, pages, quantile};
use chat::{Chat, Clock};
use client::Api;
use rusqlite::Connection;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// From the start of the process on an empty directory to the first byte of an answer.
pub fn cold() {
    let mut times: Vec<f64> =
        (0..15).map(|_| until(tempfile::tempdir().unwrap().path(), first_byte)).collect();
    println!(
        "cold start to first byte: median {:.1} ms, worst {:.1} ms of 15",
        median(times.clone()),
        quantile(&mut times, 1.0)
    );
}

/// The same on a directory with a million messages: stopped cleanly, and killed with a log of 64 MiB that was never folded.
/// After the latter also to the answer of a post that is tried from the first moment on.
pub async fn full() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let path = data.join("roomful.db");
    let (chat, mut told) = Chat::open(&path, Clock::system()).await.unwrap();
    tokio::spawn(async move { while told.recv().await.is_some() {} });
    let ana = chat.set_up("Ana", "correct horse").await.unwrap();
    let room = chat.rooms_of(ana.caller.key()).await.unwrap()[0].1.id;
    chat.close().await;
    pages::fill(&Connection::open(&path).unwrap());
    tell("stopped cleanly, to first byte", (0..15).map(|_| until(folder.path(), first_byte)).collect());
    let log = data.join("roomful.db-wal");
    leave_log(&path, &log);
    // A start folds some of the log, so each has its own copy.
    let on_a_copy = |done: &dyn Fn(&str) -> io::Result<()>| {
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir(copy.path().join("data")).unwrap();
        for file in [&path, &log] {
            std::fs::copy(file, copy.path().join("data").join(file.file_name().unwrap())).unwrap();
        }
        until(copy.path(), done)
    };
    let times = (0..5).map(|_| on_a_copy(&first_byte)).collect();
    tell("killed with a log of 64 MiB, to first byte", times);
    let posted = |address: &str| acknowledged(address, ana.token.reveal(), room);
    let times = (0..5).map(|_| on_a_copy(&posted)).collect();
    tell("killed with a log of 64 MiB, to the first acknowledged post", times);
}

fn tell(how: &str, mut times: Vec<f64>) {
    println!(
        "start on a million messages, {how}: median {:.1} ms, worst {:.1} ms of {}",
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

/// Milliseconds from starting the process until `done`, which is tried again and again; then it is killed.
fn until(folder: &Path, done: impl Fn(&str) -> io::Result<()>) -> f64 {
    let mut command = command(folder);
    let address = address(folder);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    while done(&address).is_err() {
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
