//! What the program is doing, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line that moves while something is measured. Without a terminal nothing is shown.
pub struct Progress(ProgressBar);

impl Progress {
    /// A line that begins with `name`.
    pub fn new(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        // The template is a constant and right.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self(bar)
    }

    /// Shows the present step.
    pub fn say(&self, what: &str) {
        self.0.set_message(what.to_owned());
        self.0.tick();
    }

    /// Keeps moving by itself, for a wait in which nothing is measured.
    pub fn keep_moving(&self) {
        self.0.enable_steady_tick(Duration::from_millis(250));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
