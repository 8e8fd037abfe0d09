//! The handle through which other threads use delivery.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;

use crate::deflate::Deflater;
use crate::drain::{Drain, Reason};
use crate::farewell::RESTART;
use crate::follow::Follow;
use crate::frame::Frame;
use crate::gateway::{Closed, Gateway};
use crate::gathering::Gathering;
use crate::interest::Interest;
use crate::job::{Attach, Job};
use crate::key::{ConnId, Encoding, Key};
use crate::options::Options;
use crate::publication::Publication;
use crate::shard::{Door, Shard};
use crate::socket::Socket;
use crate::stats::Stats;

/// Moves frames to the connections that follow keys. A handle: clones share the same shards.
///
/// 1. What one thread asks happens at each connection in the order in which it was asked. Only frames of different
///    keys may pass one another, where nothing for the connection itself stands between them.
/// 2. No method except `hush`, `drain` and `stop` waits for anything.
/// 3. The queues into the shards are not bounded: a caller that publishes must bound how far it runs ahead.
/// 4. A call for a connection that is unknown or closed does nothing, and so does every call after `stop`.
#[derive(Clone)]
pub struct Delivery {
    inner: Arc<Inner>,
}

struct Inner {
    doors: Vec<Arc<Door>>,
    interest: Arc<Interest>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    serial: AtomicU64,
    deflater: Mutex<Deflater>,
    deflates: AtomicU64,
    socket_lowat: u32,
}

impl Delivery {
    /// Starts the shards. Fails if the system gives no epoll instance, event counter or thread.
    pub fn start(options: Options) -> io::Result<Delivery> {
        let options = options.bounded();
        let interest = Arc::new(Interest::new());
        let shards = (0..options.shards)
            .map(|number| Shard::new(number, options.clone(), interest.clone()))
            .collect::<io::Result<Vec<Shard>>>()?;
        let inner = Arc::new(Inner {
            doors: shards.iter().map(|shard| shard.door.clone()).collect(),
            interest,
            threads: Mutex::default(),
            serial: AtomicU64::new(0),
            deflater: Mutex::default(),
            deflates: AtomicU64::new(0),
            socket_lowat: options.socket_lowat,
        });
        for shard in shards {
            let name = format!("delivery-{}", shard.number);
            // When one thread cannot be had, dropping `inner` stops the threads that were started.
            let thread = thread::Builder::new().name(name).spawn(move || shard.run())?;
            inner.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(Delivery { inner })
    }

    /// Names a connection to come that speaks `encoding`, and with that picks its shard. A name that is never attached
    /// costs nothing.
    pub fn reserve(&self, encoding: Encoding) -> ConnId {
        let serial = self.inner.serial.fetch_add(1, Ordering::Relaxed);
        ConnId::new((serial % self.inner.doors.len() as u64) as usize, encoding, serial)
    }

    /// Takes over a socket on which the opening handshake is done, and the bytes that were read behind the handshake
    /// (decrypted, over TLS).
    ///
    /// Call this before anything else is asked for the connection. From here on `gateway` hears
    /// [`on_closed`](Gateway::on_closed) exactly once, whatever happens.
    pub fn attach(
        &self,
        conn: ConnId,
        socket: impl Into<Socket>,
        leftover: Bytes,
        gateway: Arc<dyn Gateway>,
    ) {
        self.door(conn).counters.connections.fetch_add(1, Ordering::Relaxed);
        let socket = socket.into();
        if tune(&socket.stream, self.inner.socket_lowat).is_err() {
            self.refuse(conn, gateway.as_ref(), Closed::Lost);
            return;
        }
        let attach = Box::new(Attach { conn, socket, leftover, gateway });
        if let Err(Job::Attach(attach)) = self.door(conn).inbox.push(Job::Attach(attach)) {
            self.refuse(conn, attach.gateway.as_ref(), Closed::ByUs { code: RESTART });
        }
    }

    /// Makes a connection follow a key, or follow it again from another seq. See [`Follow`].
    pub fn follow(&self, follow: Follow) {
        let (conn, key) = (follow.conn, follow.key);
        self.expect(&follow);
        if self.door(conn).inbox.push(Job::Follow(follow)).is_err() {
            self.inner.interest.remove(key, conn);
        }
    }

    /// Ends following: the connection does not hear what is published under the key from now on.
    pub fn unfollow(&self, conn: ConnId, key: Key) {
        self.ask(conn, Job::Unfollow { conn, key });
    }

    /// Gives a frame to every connection of this encoding that follows the key.
    ///
    /// If one of them agreed on compression, the caller's thread deflates the frame, once for all of them.
    pub fn publish(&self, key: Key, encoding: Encoding, publication: Publication) {
        self.spread(key, encoding, &publication, |shard, job| self.ask_shard(shard, job));
    }

    /// Gives a frame to one connection.
    pub fn unicast(&self, conn: ConnId, frame: Frame) {
        self.ask(conn, Job::Unicast { conn, frame });
    }

    /// Gives frames to one connection, and calls [`on_drained`](Gateway::on_drained) when the last of them has left.
    /// Without frames, it calls that when everything that waits for the connection has left.
    pub fn page(&self, conn: ConnId, frames: Vec<Frame>) {
        self.ask(conn, Job::Page { conn, frames });
    }

    /// Answers messages with one frame each. Every frame counts one message as answered.
    pub fn reply(&self, conn: ConnId, frames: Vec<Frame>) {
        self.ask(conn, Job::Reply { conn, frames });
    }

    /// Counts one message as answered, without a frame.
    pub fn answered(&self, conn: ConnId) {
        self.ask(conn, Job::Answered { conn });
    }

    /// Calls [`on_taken`](Gateway::on_taken) when nothing waits for this connection alone. A gateway that makes long
    /// answers waits for that between two of them. Ask again only after that call.
    pub fn ask_taken(&self, conn: ConnId) {
        self.ask(conn, Job::Ask { conn });
    }

    /// Closes a connection after what is queued for it already. Nothing that is queued later is sent.
    ///
    /// `reason` is cut to 123 bytes.
    pub fn close(&self, conn: ConnId, code: u16, reason: &str) {
        self.ask(conn, Job::Close { conn, code, reason: reason.into() });
    }

    /// A second way to ask, for a thread that asks for much at once.
    pub fn gathering(&self) -> Gathering {
        Gathering::new(self.clone(), self.inner.doors.len())
    }

    /// Reads nothing more from any connection until the connection is closed. Waits until everything that was read is
    /// answered, or `patience` has passed. Connections live on, and are written to.
    pub fn hush(&self, patience: Duration) {
        let (quiet, told) = mpsc::channel();
        for door in &self.inner.doors {
            // A shard that has stopped reads nothing.
            let _: Result<(), Job> = door.inbox.push(Job::Hush { quiet: quiet.clone() });
        }
        drop(quiet);
        // The channel carries no value: each shard drops its end.
        let _: Result<(), RecvTimeoutError> = told.recv_timeout(patience);
    }

    /// Closes all connections, and every connection that is attached later. The close frames are spread over `over`.
    /// Each has a `reason` of its own, cut to 123 bytes, and is sent once what was read before is answered.
    ///
    /// Blocks until all connections are gone, or `patience` has passed.
    pub fn drain(
        &self,
        code: u16,
        reason: impl Fn() -> String + Send + Sync + 'static,
        over: Duration,
        patience: Duration,
    ) {
        let (gone, told) = mpsc::channel();
        let reason: Reason = Arc::new(reason);
        for door in &self.inner.doors {
            let drain = Drain::new(code, Arc::clone(&reason), over, gone.clone());
            // A shard that has stopped has no connection to close.
            let _: Result<(), Job> = door.inbox.push(Job::Drain(drain));
        }
        drop(gone);
        // The channel carries no value: each shard drops its end.
        let _: Result<(), RecvTimeoutError> = told.recv_timeout(patience);
    }

    /// Ends all connections at once, with code 1012 where one can still be sent, and waits for the shards to end.
    pub fn stop(&self) {
        self.inner.stop();
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A shard that panicked has reported it already.
            let _: thread::Result<()> = thread.join();
        }
    }

    /// How many connections are attached of which the gateway has not heard that they are over.
    pub fn connections(&self) -> usize {
        self.inner.doors.iter().map(|door| door.counters.connections.load(Ordering::Acquire)).sum()
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { deflates: self.inner.deflates.load(Ordering::Relaxed), ..Stats::default() };
        for door in &self.inner.doors {
            door.counters.sum_into(&mut stats);
        }
        stats
    }

    fn door(&self, conn: ConnId) -> &Door {
        &self.inner.doors[conn.shard()]
    }

    fn ask(&self, conn: ConnId, job: Job) {
        // A shard that has stopped has no connections, and jobs for unknown connections are ignored.
        let _: Result<(), Job> = self.door(conn).inbox.push(job);
    }

    fn ask_shard(&self, shard: usize, job: Job) {
        // See `ask`.
        let _: Result<(), Job> = self.inner.doors[shard].inbox.push(job);
    }

    /// Makes a job to publish for each shard that has a follower, or is about to have one.
    pub(crate) fn spread(
        &self,
        key: Key,
        encoding: Encoding,
        publication: &Publication,
        mut give: impl FnMut(usize, Job),
    ) {
        let (plain, deflated) = self.inner.interest.listeners(key, encoding);
        let mut spread = |shards, encoding, publication: &Publication| {
            for shard in bits(shards) {
                give(shard, Job::Publish { key, encoding, publication: publication.clone() });
            }
        };
        if deflated != 0 {
            let frame = self.deflate(&publication.frame);
            spread(deflated, encoding.deflated(), &Publication { frame, ..publication.clone() });
        }
        spread(plain, encoding, publication);
    }

    /// The shards that have, or are about to have, a follower of a key in any encoding.
    pub(crate) fn followers(&self, key: Key) -> impl Iterator<Item = usize> + use<> {
        bits(self.inner.interest.shards(key))
    }

    /// From here on a publication under the key reaches the shard.
    pub(crate) fn expect(&self, follow: &Follow) {
        self.inner.interest.add(follow.key, follow.conn);
    }

    /// Queues jobs at a shard, and empties the list. A shard that has stopped drops them.
    pub(crate) fn take_all(&self, shard: usize, jobs: &mut Vec<Job>) {
        self.inner.doors[shard].inbox.push_all(jobs);
        jobs.clear();
    }

    /// The deflated frame, or the frame as it is where deflating makes it no shorter.
    fn deflate(&self, frame: &Frame) -> Frame {
        if !Deflater::is_worth_it(frame) {
            return frame.clone();
        }
        self.inner.deflates.fetch_add(1, Ordering::Relaxed);
        let deflated = self.inner.deflater.lock().unwrap_or_else(PoisonError::into_inner).deflate(frame);
        deflated.unwrap_or_else(|| frame.clone())
    }

    fn refuse(&self, conn: ConnId, gateway: &dyn Gateway, closed: Closed) {
        self.door(conn).counters.connections.fetch_sub(1, Ordering::Release);
        gateway.on_closed(conn, closed);
    }
}

/// The numbers of the shards in a set of bits.
fn bits(mut shards: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let shard = (shards != 0).then(|| shards.trailing_zeros() as usize);
        shards &= shards.wrapping_sub(1);
        shard
    })
}

impl Inner {
    fn stop(&self) {
        for door in &self.doors {
            let _: Result<(), Job> = door.inbox.push(Job::Stop);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn tune(socket: &TcpStream, lowat: u32) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(socket).set_tcp_notsent_lowat(lowat)?;
    Ok(())
}
