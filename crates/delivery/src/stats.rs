//! The counters of delivery.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters since the start, and gauges of this moment, summed over all shards. Each shard adds its counts once per
/// pass.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Connections attached and not closed. A gauge.
    pub connections: u64,
    /// Messages received.
    pub received: u64,
    /// System calls that read something.
    pub reads: u64,
    /// Publications deflated: at most once each, however many connections listen.
    pub deflates: u64,
    /// Frames kept in a tail: once for each publication, encoding and shard with a follower.
    pub published: u64,
    /// Runs of frames of one key given to one socket.
    pub sends: u64,
    /// System calls that write.
    pub writes: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Cursors of which frames were gone from the tail.
    pub lagged: u64,
    /// Follows to which the tail did not reach back.
    pub too_old: u64,
    /// Connections closed because they took too little.
    pub closed_slow: u64,
    /// Connections closed because nothing was heard from them.
    pub closed_silent: u64,
    /// Connections closed for what they sent.
    pub closed_protocol: u64,
    /// Panics of gateways.
    pub panics: u64,
    /// Bytes of memory of all tails. A gauge.
    pub tail_bytes: u64,
}

/// What one shard counted in one pass.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) received: u64,
    pub(crate) reads: u64,
    pub(crate) published: u64,
    pub(crate) sends: u64,
    pub(crate) writes: u64,
    pub(crate) bytes: u64,
    pub(crate) lagged: u64,
    pub(crate) too_old: u64,
    pub(crate) closed_slow: u64,
    pub(crate) closed_silent: u64,
    pub(crate) closed_protocol: u64,
    pub(crate) panics: u64,
}

/// The counters of one shard, readable by other threads.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicUsize,
    tail_bytes: AtomicUsize,
    received: AtomicU64,
    reads: AtomicU64,
    published: AtomicU64,
    sends: AtomicU64,
    writes: AtomicU64,
    bytes: AtomicU64,
    lagged: AtomicU64,
    too_old: AtomicU64,
    closed_slow: AtomicU64,
    closed_silent: AtomicU64,
    closed_protocol: AtomicU64,
    panics: AtomicU64,
}

impl Counters {
    /// Adds what a pass counted, and leaves the tally empty.
    pub(crate) fn add(&self, tally: &mut Tally, tail_bytes: usize) {
        let Tally {
            received,
            reads,
            published,
            sends,
            writes,
            bytes,
            lagged,
            too_old,
            closed_slow,
            closed_silent,
            closed_protocol,
            panics,
        } = std::mem::take(tally);
        let pairs = [
            (&self.received, received),
            (&self.reads, reads),
            (&self.published, published),
            (&self.sends, sends),
            (&self.writes, writes),
            (&self.bytes, bytes),
            (&self.lagged, lagged),
            (&self.too_old, too_old),
            (&self.closed_slow, closed_slow),
            (&self.closed_silent, closed_silent),
            (&self.closed_protocol, closed_protocol),
            (&self.panics, panics),
        ];
        for (counter, more) in pairs {
            if more > 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
        self.tail_bytes.store(tail_bytes, Ordering::Relaxed);
    }

    /// Adds this shard's counts to a sum.
    pub(crate) fn sum_into(&self, stats: &mut Stats) {
        stats.connections += self.connections.load(Ordering::Relaxed) as u64;
        stats.tail_bytes += self.tail_bytes.load(Ordering::Relaxed) as u64;
        stats.received += self.received.load(Ordering::Relaxed);
        stats.reads += self.reads.load(Ordering::Relaxed);
        stats.published += self.published.load(Ordering::Relaxed);
        stats.sends += self.sends.load(Ordering::Relaxed);
        stats.writes += self.writes.load(Ordering::Relaxed);
        stats.bytes += self.bytes.load(Ordering::Relaxed);
        stats.lagged += self.lagged.load(Ordering::Relaxed);
        stats.too_old += self.too_old.load(Ordering::Relaxed);
        stats.closed_slow += self.closed_slow.load(Ordering::Relaxed);
        stats.closed_silent += self.closed_silent.load(Ordering::Relaxed);
        stats.closed_protocol += self.closed_protocol.load(Ordering::Relaxed);
        stats.panics += self.panics.load(Ordering::Relaxed);
    }
}
