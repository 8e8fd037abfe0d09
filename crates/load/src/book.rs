//! The book of posts: when each was due, how many have heard it, and how long that took.

use crate::mark::Mark;
use hdrhistogram::Histogram;
use std::time::Instant;

/// Times in microseconds.
pub type Times = Histogram<u64>;

/// The longest time, in microseconds. Longer times count as this one.
const LONGEST: u64 = 60_000_000;

/// A post under way or heard by all.
#[derive(Debug, Clone, Copy)]
struct Post {
    /// When it was due, in nanoseconds since the book was opened.
    due: u64,
    /// How many have heard it.
    heard: u32,
}

/// All posts of a run.
#[derive(Debug)]
pub struct Book {
    opened: Instant,
    posts: Vec<Vec<Post>>,
    /// How many connections are to hear each sender.
    audience: Vec<u32>,
    /// From when a post was due to each delivery of it, and to the last.
    pub each: Times,
    /// From when a post was due to the last of its deliveries.
    pub last: Times,
    /// Deliveries so far.
    pub deliveries: u64,
    /// Posts that all their receivers have heard.
    pub complete: u64,
    /// Posts so far.
    pub posted: u64,
}

impl Book {
    /// A book for senders, with the number of receivers of each.
    pub fn new(audience: Vec<u32>) -> Self {
        Self {
            opened: Instant::now(),
            posts: vec![Vec::new(); audience.len()],
            audience,
            each: times(),
            last: times(),
            deliveries: 0,
            complete: 0,
            posted: 0,
        }
    }

    /// Nanoseconds since the book was opened.
    pub fn now(&self) -> u64 {
        self.opened.elapsed().as_nanos() as u64
    }

    /// Notes a post that was due at `due`; returns its mark.
    pub fn post(&mut self, sender: u32, due: u64) -> Mark {
        let posts = &mut self.posts[sender as usize];
        posts.push(Post { due, heard: 0 });
        self.posted += 1;
        Mark { sender, count: posts.len() as u64 - 1 }
    }

    /// Notes that a connection heard a post. `false` if no sender has sent it.
    pub fn hear(&mut self, mark: Mark, now: u64) -> bool {
        let Some(posts) = self.posts.get_mut(mark.sender as usize) else { return false };
        let Some(post) = usize::try_from(mark.count).ok().and_then(|count| posts.get_mut(count)) else {
            return false;
        };
        post.heard += 1;
        self.deliveries += 1;
        let took = now.saturating_sub(post.due) / 1_000;
        self.each.saturating_record(took);
        if post.heard == self.audience[mark.sender as usize] {
            self.complete += 1;
            self.last.saturating_record(took);
        }
        true
    }

    /// How many posts a sender has made.
    pub fn count(&self, sender: u32) -> u64 {
        self.posts[sender as usize].len() as u64
    }

    /// Whether every post was heard by all its receivers.
    pub fn is_complete(&self) -> bool {
        self.complete == self.posted
    }

    /// Forgets the times so far, because a warm-up is not measured.
    pub fn begin(&mut self) {
        self.each.reset();
        self.last.reset();
    }
}

/// An empty record of times.
pub fn times() -> Times {
    Times::new_with_bounds(1, LONGEST, 3).expect("bounds in order and at most five digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_is_complete_when_all_of_its_audience_has_heard_it() {
        let mut book = Book::new(vec![2]);
        let mark = book.post(0, 0);
        assert!(book.hear(mark, 1_000_000));
        assert!(!book.is_complete());
        assert!(book.hear(mark, 3_000_000));
        assert!(book.is_complete());
        assert_eq!((book.each.len(), book.last.len()), (2, 1));
        assert!((2_990..=3_010).contains(&book.last.max()));
    }

    #[test]
    fn what_nobody_has_sent_is_not_heard() {
        let mut book = Book::new(vec![1]);
        assert!(!book.hear(Mark { sender: 0, count: 0 }, 0));
        assert!(!book.hear(Mark { sender: 9, count: 0 }, 0));
    }
}
