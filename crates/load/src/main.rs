//! The program `roomful-load`.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match load::run(load::Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("roomful-load: {error:#}");
            ExitCode::from(2)
        }
    }
}
