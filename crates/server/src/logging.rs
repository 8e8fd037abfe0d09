//! The log: lines for people on a terminal, JSON otherwise, on standard error.

use crate::config::{Config, LogFormat};
use std::io::{self, IsTerminal};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log of this process. Does nothing when there is one already.
pub fn start(config: &Config) {
    let terminal = io::stderr().is_terminal();
    let json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(terminal);
    let lines =
        if json { lines.json().flatten_event(true).with_span_list(false).boxed() } else { lines.boxed() };
    // A second log in one process, as tests would start, changes nothing.
    let _ = tracing_subscriber::registry().with(lines.with_filter(config.log.clone())).try_init();
}
