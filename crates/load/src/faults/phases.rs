//! The parts of a round, and how long each took.

use std::collections::BTreeMap;
use std::time::Instant;

/// The parts of a round, one after another.
pub struct Phases<'a> {
    say: &'a dyn Fn(&str),
    under_way: Option<(&'static str, Instant)>,
    seconds: BTreeMap<&'static str, f64>,
}

impl<'a> Phases<'a> {
    /// No part yet. `say` is called with the name of each that begins.
    pub fn new(say: &'a dyn Fn(&str)) -> Self {
        Self { say, under_way: None, seconds: BTreeMap::new() }
    }

    /// Ends the one under way and begins another.
    pub fn begin(&mut self, name: &'static str) {
        self.end();
        (self.say)(name);
        self.under_way = Some((name, Instant::now()));
    }

    /// Ends the last part. Returns the seconds that each took.
    pub fn finish(mut self) -> BTreeMap<&'static str, f64> {
        self.end();
        self.seconds
    }

    fn end(&mut self) {
        if let Some((name, began)) = self.under_way.take() {
            *self.seconds.entry(name).or_default() += began.elapsed().as_secs_f64();
        }
    }
}
