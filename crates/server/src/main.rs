//! The binary `roomful`.

use clap::Parser;
use listenfd::ListenFd;
use server::operator::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    match server::operator::run(Arguments::parse(), std::env::vars_os(), ListenFd::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("roomful: {error:#}");
            ExitCode::FAILURE
        }
    }
}
