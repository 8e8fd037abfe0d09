//! What an operator sees: lines, a line that moves while they wait, sizes and times for people.

use anyhow::Result;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::serve::Signals;

/// How often the line moves.
const PACE: Duration = Duration::from_millis(100);

/// Prints a line. Unlike `println!` it does not panic when the reader has gone (`roomful user list | head -1`).
pub(super) fn say(line: &str) -> Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Says something to a person who waits at a terminal. A program that waits is told nothing: it looks at the exit code.
pub(super) fn tell(line: &str) {
    if io::stderr().is_terminal() {
        eprintln!("{line}");
    }
}

/// Says something that must not be missed, wherever it goes.
pub(super) fn warn(line: &str) {
    let _ = writeln!(io::stderr(), "roomful: {line}");
}

/// How far something is, on one line of a terminal; and whether somebody asked for its end.
pub(super) struct Progress {
    shown: Option<Instant>,
    terminal: bool,
    stop: Stop,
}

impl Progress {
    pub(super) fn new(stop: Stop) -> Self {
        Self { shown: None, terminal: io::stderr().is_terminal(), stop }
    }

    /// Shows that `done` of `all` bytes are done, now and then. False once a signal came.
    pub(super) fn show(&mut self, doing: &str, done: u64, all: u64) -> bool {
        if self.terminal && self.shown.is_none_or(|at| at.elapsed() >= PACE) {
            let percent = (done.min(all) * 100).checked_div(all).unwrap_or(100);
            let line = format!("{doing}: {percent} % of {}", bytes(all));
            eprint!("\r{line:<60}");
            self.shown = Some(Instant::now());
        }
        !self.stop.came()
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r{:60}\r", "");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Whether a signal asked for the end. Work that makes files looks now and then, and takes them away again.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on. A second signal ends the process at once.
    pub(super) fn listen() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&came);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let mut signals = runtime.block_on(async { Signals::listen() })?;
        // Ends with the process.
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(signals.next());
            told.store(true, Ordering::Release);
            runtime.block_on(signals.next());
            std::process::exit(130);
        })?;
        Ok(Self(came))
    }

    fn came(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A size for people.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut size = bytes as f64 / 1_000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < units.len() {
        size /= 1_000.0;
        unit += 1;
    }
    if bytes < 1_000 { format!("{bytes} bytes") } else { format!("{size:.1} {}", units[unit]) }
}

/// A number of things for people.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// A time for people, to the minute; `at` is in milliseconds since 1970 UTC.
pub(super) fn time(at: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_for_people() {
        let sizes = [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (999_960, "1.0 MB"),
            (123_456_789, "123.5 MB"),
        ];
        for (size, shown) in sizes {
            assert_eq!(bytes(size), shown);
        }
        assert_eq!(
            (count(1, "room", "rooms").as_str(), count(0, "room", "rooms").as_str()),
            ("1 room", "0 rooms")
        );
    }
}
