//! Collects what one thread asks, and gives each shard its part at once.

use crate::delivery::Delivery;
use crate::follow::Follow;
use crate::frame::Frame;
use crate::job::Job;
use crate::key::{ConnId, Encoding, Key};
use crate::milestone::Milestone;
use crate::publication::Publication;

/// Asks the same of the shards as [`Delivery`], in the same order, and keeps it back until
/// [`hand_over`](Self::hand_over). A shard that gets many frames at once takes one lock, wakes once and writes once
/// to each connection.
///
/// A call of the [`Delivery`] itself overtakes what is kept back.
pub struct Gathering {
    delivery: Delivery,
    /// Kept back for each shard.
    jobs: Vec<Vec<Job>>,
}

impl Gathering {
    pub(crate) fn new(delivery: Delivery, shards: usize) -> Gathering {
        Gathering { delivery, jobs: (0..shards).map(|_| Vec::new()).collect() }
    }

    /// See [`Delivery::publish`].
    pub fn publish(&mut self, key: Key, encoding: Encoding, publication: &Publication) {
        let Gathering { delivery, jobs } = self;
        delivery.spread(key, encoding, publication, |shard, job| jobs[shard].push(job));
    }

    /// Sets a milestone behind everything published under the key so far, in every encoding.
    pub fn set(&mut self, key: Key, milestone: &Milestone) {
        for shard in self.delivery.followers(key) {
            self.jobs[shard].push(Job::Set { key, milestone: milestone.clone() });
        }
    }

    /// See [`Delivery::follow`].
    pub fn follow(&mut self, follow: Follow) {
        let conn = follow.conn;
        self.delivery.expect(&follow);
        self.ask(conn, Job::Follow(follow));
    }

    /// See [`Delivery::unfollow`].
    pub fn unfollow(&mut self, conn: ConnId, key: Key) {
        self.ask(conn, Job::Unfollow { conn, key });
    }

    /// See [`Delivery::unicast`].
    pub fn unicast(&mut self, conn: ConnId, frame: Frame) {
        self.ask(conn, Job::Unicast { conn, frame });
    }

    /// See [`Delivery::close`].
    pub fn close(&mut self, conn: ConnId, code: u16, reason: &str) {
        self.ask(conn, Job::Close { conn, code, reason: reason.into() });
    }

    /// Gives the shards what was asked since the last call.
    pub fn hand_over(&mut self) {
        for (shard, jobs) in self.jobs.iter_mut().enumerate() {
            if !jobs.is_empty() {
                self.delivery.take_all(shard, jobs);
            }
        }
    }

    fn ask(&mut self, conn: ConnId, job: Job) {
        self.jobs[conn.shard()].push(job);
    }
}
