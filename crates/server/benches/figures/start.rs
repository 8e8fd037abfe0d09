//! How long a cold start takes, and what an idle process holds.

use crate::program::{Program, address, command, first_byte};
use crate::{median, quantile};
use client::Api;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// From the start of the process on an empty directory to the first byte of an answer.
pub fn cold() {
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let directory = tempfile::tempdir().unwrap();
            let mut command = command(directory.path());
            let address = address(directory.path());
            let began = Instant::now();
            let mut child = command.stdout(Stdio::null()).spawn().unwrap();
            while first_byte(&address).is_err() {
                std::hint::spin_loop();
            }
            let took = began.elapsed().as_secs_f64() * 1_000.0;
            child.kill().unwrap();
            child.wait().unwrap();
            took
        })
        .collect();
    println!(
        "cold start to first byte: median {:.1} ms, worst {:.1} ms of 15",
        median(times.clone()),
        quantile(&mut times, 1.0)
    );
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
