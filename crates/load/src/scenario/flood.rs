//! A small room beside a big one that is flooded: how much slower the small one gets, and whether a reader is lapped.

use super::{Contender, Leg, Shape};
use crate::book::Times;
use crate::checker::Faults;
use crate::people::{Protocol, Spread};
use crate::plot::Plot;
use crate::processor;
use crate::program::Program;
use crate::progress::Progress;
use crate::report::{self, Quantiles};
use crate::swarm::{Pace, Swarm};
use crate::usage::Used;
use crate::watch::Watch;
use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a flood goes on behind the part that is measured, so that none of that is quiet.
const BEYOND: Duration = Duration::from_millis(300);
/// Least time between two posts with which their thread sleeps most of it: it looks for a millisecond before each.
const RESTING: Duration = Duration::from_millis(4);
/// How long the big room reads before it looks whether it is to be flooded.
const READING: Duration = Duration::from_millis(50);

/// The big room.
#[derive(Debug, Clone, Copy)]
pub struct Flood {
    /// The people in it.
    pub spread: Spread,
    /// Posts that each bot keeps under way.
    pub window: u32,
    /// The server keeps to a processor of its own.
    pub apart: bool,
}

/// What a flood does to a small room.
#[derive(Debug, Serialize)]
pub struct Beside {
    scenario: &'static str,
    server: &'static str,
    protocol: Protocol,
    small: usize,
    big: usize,
    bots: usize,
    window: u32,
    /// Microseconds from when a post in the small room was due to each of its deliveries.
    quiet_us: Quantiles,
    beside_us: Quantiles,
    /// How much later the 99th percentile is beside the flood.
    p99_ratio: f64,
    flood: Flooded,
    /// Times a reader of the small room was told that it fell behind.
    lagged: u64,
    /// Whether the small room's thread of the load ran whenever it woke. If not, the times hold that thread's own
    /// waits for a processor, too.
    keeps_time: bool,
    /// How much of a processor each thread used during the flood.
    threads: Vec<Share>,
    #[serde(skip)]
    times: [Times; 2],
    #[serde(skip)]
    resident: Vec<(f64, u64)>,
    #[serde(skip)]
    faults: Faults,
}

/// The size of a flood.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Flooded {
    deliveries: u64,
    seconds: f64,
    /// Times a reader was told that it fell behind.
    lagged: u64,
    faults: Faults,
}

#[derive(Debug, Serialize)]
struct Share {
    of: &'static str,
    thread: String,
    /// How long it ran, and how long it was ready to run and had to wait for a processor.
    ran: f64,
    waited: f64,
}

/// The big room's thread. It is not the small room's, because the times of a thread that reads a flood hold the
/// reading.
struct Big {
    floods: Sender<Instant>,
    over: Receiver<()>,
    thread: JoinHandle<Result<Flooded>>,
}

/// Measures the small room of `contender` quiet, flooded, flooded and quiet.
///
/// # Errors
/// When connections cannot be opened.
pub fn run(contender: &Contender, shape: &Shape, flood: Flood, progress: &Progress) -> Result<Beside> {
    let watch = Watch::begin(contender.program.pid);
    progress.say("the big room fills");
    let big = Big::fill(contender.program.beside(), *shape, flood)?;
    let mut swarm = contender.swarm(shape.protocol, shape.spread.connections)?;
    swarm.say(shape.length);
    swarm.open(shape.spread.connections)?;
    // Done last, because a thread that is started from here would inherit the right. Done only where the server runs
    // elsewhere, and where this thread sleeps between two posts.
    let rests = matches!(shape.pace, Pace::Every(interval) if interval > RESTING);
    let keeps_time = rests && flood.apart && processor::keep_time();
    let (mut quiet, mut beside, mut used) = (Vec::new(), Vec::new(), [Used::default(), Used::default()]);
    for floods in [false, true, true, false] {
        progress.say(if floods { "measuring beside a flood" } else { "measuring without a flood" });
        if !floods {
            quiet.push(half(contender, &mut swarm, shape)?.0);
            continue;
        }
        big.flood(Instant::now() + shape.warm + shape.span + BEYOND)?;
        let (leg, [server, load]) = half(contender, &mut swarm, shape)?;
        used[0] += server;
        used[1] += load;
        beside.push(leg);
        big.ends()?;
    }
    let flooded = big.leave()?;
    let (quiet, beside) = (sum(&quiet)?, sum(&beside)?);
    let mut beside = Beside::new(contender, shape, flood, [&quiet, &beside], flooded);
    beside.share(&used, shape.span * 2);
    beside.faults = swarm.faults;
    beside.faults += flooded.faults;
    beside.lagged = swarm.read.lagged;
    beside.keeps_time = keeps_time;
    beside.resident = watch.end();
    Ok(beside)
}

/// A warm-up and a measurement of the small room, and the use of server and load.
fn half(contender: &Contender, swarm: &mut Swarm, shape: &Shape) -> Result<(Leg, [Used; 2])> {
    swarm.post_until(shape.pace, Instant::now() + shape.warm)?;
    let leg = contender.measure(swarm, shape)?;
    let used = [leg.server.clone(), leg.load.clone()];
    Ok((leg, used))
}

fn sum(legs: &[Leg]) -> Result<Leg> {
    let (first, rest) = legs.split_first().context("nothing was measured")?;
    let mut sum = first.clone();
    rest.iter().for_each(|leg| sum.add(leg));
    Ok(sum)
}

impl Big {
    /// Starts the thread, and waits until everybody is in the room.
    fn fill(program: Program, shape: Shape, flood: Flood) -> Result<Self> {
        let (floods, asked) = channel();
        let (tell, over) = channel();
        let thread = thread::Builder::new()
            .name("big room".to_owned())
            .spawn(move || be_big(program, &shape, flood, &asked, &tell))
            .context("a thread cannot be started")?;
        let big = Self { floods, over, thread };
        match big.ends() {
            Ok(()) => Ok(big),
            // The thread knows the reason better.
            Err(gone) => Err(big.leave().err().unwrap_or(gone)),
        }
    }

    fn flood(&self, until: Instant) -> Result<()> {
        self.floods.send(until).map_err(|_| anyhow!("the big room is gone"))
    }

    fn ends(&self) -> Result<()> {
        self.over.recv().map_err(|_| anyhow!("the big room is gone"))
    }

    fn leave(self) -> Result<Flooded> {
        drop(self.floods);
        self.thread.join().unwrap_or_else(|_| Err(anyhow!("the big room's thread broke")))
    }
}

/// Fills the big room, and floods it when asked to.
fn be_big(
    program: Program,
    shape: &Shape,
    flood: Flood,
    asked: &Receiver<Instant>,
    tell: &Sender<()>,
) -> Result<Flooded> {
    processor::give_way()?;
    let contender = Contender::new(program, shape.protocol, &flood.spread)?;
    let mut swarm = contender.swarm(shape.protocol, flood.spread.connections)?;
    swarm.say(shape.length);
    swarm.open(flood.spread.connections)?;
    // The server tells presence for another second.
    swarm.listen(Instant::now() + Duration::from_secs(2))?;
    let mut flooded = Flooded::default();
    // If the other side does not wait any more, it has left.
    let _ = tell.send(());
    loop {
        match asked.recv_timeout(Duration::ZERO) {
            Err(RecvTimeoutError::Timeout) => swarm.listen(Instant::now() + READING)?,
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(until) => {
                let (began, heard) = (Instant::now(), swarm.book.deliveries);
                swarm.post_until(Pace::Window(flood.window), until)?;
                flooded.deliveries += swarm.book.deliveries - heard;
                flooded.seconds += began.elapsed().as_secs_f64();
                swarm.hear_out()?;
                let _ = tell.send(());
            }
        }
    }
    swarm.settle();
    (flooded.lagged, flooded.faults) = (swarm.read.lagged, swarm.faults);
    Ok(flooded)
}

impl Beside {
    fn new(
        contender: &Contender,
        shape: &Shape,
        flood: Flood,
        [quiet, beside]: [&Leg; 2],
        flooded: Flooded,
    ) -> Self {
        let p99 = |leg: &Leg| leg.each.value_at_quantile(0.99) as f64;
        Self {
            scenario: "flood",
            server: contender.program.name(),
            protocol: shape.protocol,
            small: shape.spread.connections,
            big: flood.spread.connections,
            bots: flood.spread.senders,
            window: flood.window,
            quiet_us: Quantiles::from(&quiet.each),
            beside_us: Quantiles::from(&beside.each),
            p99_ratio: p99(beside) / p99(quiet),
            flood: flooded,
            lagged: 0,
            keeps_time: false,
            threads: Vec::new(),
            times: [quiet.each.clone(), beside.each.clone()],
            resident: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// Adds up how much of `span` each thread used. Small shares are left out.
    fn share(&mut self, [server, load]: &[Used; 2], span: Duration) {
        for (of, used) in [("server", server), ("load", load)] {
            for (thread, ran) in &used.threads {
                let part = |us: f64| us / 1e6 / span.as_secs_f64();
                let waited = part(used.waits.get(thread).copied().unwrap_or(0.0));
                let share = Share { of, thread: thread.clone(), ran: part(*ran), waited };
                if share.ran + share.waited > 0.01 {
                    self.threads.push(share);
                }
            }
        }
    }
}

impl report::Tell for Beside {
    fn print(&self) {
        let Self { scenario, server, small, big, bots, window, flood, .. } = self;
        println!(
            "{scenario}: {server}, {}, a room of {small} beside one of {big} in which {bots} bots keep {window} posts each under way",
            self.protocol.name()
        );
        println!("  the small room, quiet:  {}", self.quiet_us.shown());
        println!("  the small room, beside: {}", self.beside_us.shown());
        println!("  p99 beside to quiet: {:.2}", self.p99_ratio);
        println!(
            "  the flood: {:.0} deliveries a second; told that they fell behind: {} in it, {} beside it",
            flood.deliveries as f64 / flood.seconds.max(0.001),
            flood.lagged,
            self.lagged
        );
        if !self.keeps_time {
            println!(
                "  the load waited for its processor like anybody else (not pinned, too many posts, no CAP_SYS_NICE or no chrt)"
            );
        }
        for Share { of, thread, ran, waited } in &self.threads {
            println!("  {of}'s {thread}: ran {ran:.2} of a processor, waited {waited:.2} for one");
        }
    }

    fn faults(&self) -> Faults {
        self.faults
    }

    fn plot(&self) -> Plot {
        let [quiet, beside] = self.times.clone();
        Plot {
            title: format!("flood: {}, {} beside {}", self.server, self.small, self.big),
            times: vec![("quiet", quiet), ("beside a flood", beside)],
            memory: self.resident.clone(),
            over: "seconds",
        }
    }
}
