//! When the senders post.

use super::Swarm;
use crate::mark::Mark;
use crate::people::{Crowd, Protocol};
use crate::wire;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How fast senders post.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each keeps this many posts under way: the next one leaves when an earlier one was heard by its own sender.
    Window(u32),
    /// One post at this interval over all senders, whatever has become of those before: an open loop. Times count from
    /// when a post was due, so that a server that stops for a while cannot hide it.
    Every(Duration),
}

/// How long to wait at most for the last posts to be heard by everybody.
const PATIENCE: Duration = Duration::from_secs(15);
/// The kernel wakes a thread by milliseconds. The rest is spent looking.
const LOOKING: Duration = Duration::from_millis(1);

/// The state of the senders.
pub struct Posting {
    /// By sender: their connection and the posts they have under way.
    senders: Vec<(usize, u32)>,
    /// Senders that have heard themselves since their last post.
    heard: Vec<u32>,
    /// Posts to be sent again, and when.
    again: Vec<(Instant, Mark)>,
    /// How long a text is.
    pub length: usize,
    /// A number that tells the nonces of this run from those of others.
    pub run: u64,
    next: usize,
    frame: Vec<u8>,
}

impl Posting {
    pub(super) fn new(crowd: &Crowd) -> Self {
        let mut senders: Vec<(u32, usize)> = crowd
            .people
            .iter()
            .enumerate()
            .filter_map(|(number, person)| Some((person.sender?, number)))
            .collect();
        senders.sort_unstable();
        Self {
            senders: senders.into_iter().map(|(_, number)| (number, 0)).collect(),
            heard: Vec::new(),
            again: Vec::new(),
            length: 0,
            run: fastrand::u64(..),
            next: 0,
            frame: Vec::new(),
        }
    }

    pub(super) fn heard(&mut self, sender: u32) {
        self.senders[sender as usize].1 -= 1;
        self.heard.push(sender);
    }
}

impl Swarm {
    /// Sets how many bytes a text has.
    pub fn say(&mut self, length: usize) {
        self.posting.length = length;
    }

    /// Posts at `pace` and reads until `until`.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn post_until(&mut self, pace: Pace, until: Instant) -> Result<()> {
        let mut events = Self::events();
        match pace {
            Pace::Window(window) => {
                self.posting.heard = (0..self.posting.senders.len() as u32).collect();
                while Instant::now() < until {
                    self.fill(window);
                    self.send_again();
                    self.pass(&mut events, Some(LOOKING))?;
                }
            }
            Pace::Every(interval) => {
                let mut due = Instant::now();
                while due < until {
                    while due <= Instant::now() {
                        self.post_next(due);
                        due += interval;
                    }
                    self.send_again();
                    let left = due.saturating_duration_since(Instant::now());
                    self.pass(&mut events, Some(left.saturating_sub(LOOKING)))?;
                }
            }
        }
        Ok(())
    }

    /// Waits until every post was heard by all, or for too long.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn hear_out(&mut self) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut events = Self::events();
        while !self.book.is_complete() && Instant::now() < until {
            self.send_again();
            self.pass(&mut events, Some(Duration::from_millis(10)))?;
        }
        Ok(())
    }

    fn fill(&mut self, window: u32) {
        while let Some(sender) = self.posting.heard.pop() {
            let free = window.saturating_sub(self.posting.senders[sender as usize].1);
            for _ in 0..free {
                let now = self.book.now();
                let mark = self.book.post(sender, now);
                self.posting.senders[sender as usize].1 += 1;
                self.push_post(mark);
            }
            self.send_posts(sender);
        }
    }

    fn post_next(&mut self, due: Instant) {
        let sender = self.posting.next as u32;
        self.posting.next = (self.posting.next + 1) % self.posting.senders.len();
        let late = due.elapsed().as_nanos() as u64;
        let due = self.book.now().saturating_sub(late);
        let mark = self.book.post(sender, due);
        self.posting.senders[sender as usize].1 += 1;
        self.push_post(mark);
        self.send_posts(sender);
    }

    /// A post was refused. It is sent again under the same nonce if that makes sense, and given up otherwise.
    pub(super) fn refused(&mut self, number: usize, count: u64, retry_after_ms: Option<u64>) {
        match (self.crowd.people[number].sender, retry_after_ms) {
            (Some(sender), Some(wait)) => {
                let at = Instant::now() + Duration::from_millis(wait);
                self.posting.again.push((at, Mark { sender, count }));
            }
            (_, _) => self.faults.refused += 1,
        }
    }

    fn send_again(&mut self) {
        if self.posting.again.is_empty() {
            return;
        }
        let now = Instant::now();
        let due: Vec<Mark> =
            self.posting.again.extract_if(.., |(at, _)| *at <= now).map(|(_, mark)| mark).collect();
        for mark in due {
            self.push_post(mark);
            self.send_posts(mark.sender);
        }
    }

    fn push_post(&mut self, mark: Mark) {
        let text = mark.text(self.posting.length);
        let post = match self.protocol {
            Protocol::Native => {
                let room = &self.crowd.rooms[mark.sender as usize / self.crowd.senders];
                let run = self.posting.run;
                format!(
                    r#"{{"id":{},"type":"post_message","room":"{room}","text":"{text}","nonce":"{run:016x}-{:04x}-{:014x}"}}"#,
                    mark.count, mark.sender, mark.count
                )
            }
            Protocol::Simple => format!(r#"{{"type":"chat","text":"{text}"}}"#),
        };
        wire::push_text(&mut self.posting.frame, post.as_bytes());
    }

    fn send_posts(&mut self, sender: u32) {
        let frame = std::mem::take(&mut self.posting.frame);
        if !frame.is_empty() {
            self.write(self.posting.senders[sender as usize].0, &frame);
        }
        self.posting.frame = frame;
        self.posting.frame.clear();
    }
}
