//! The program `roomful-faults`.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match load::run_faults(&load::FaultArguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("roomful-faults: {error:#}");
            ExitCode::from(2)
        }
    }
}
