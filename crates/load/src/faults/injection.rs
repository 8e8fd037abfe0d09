//! How faults are done.

mod crowd;
mod database;
mod disk;
mod restore;

use super::community::Community;
use super::kind::Kind;
use super::postgres::Database;
use super::proxy::{Mood, Proxy};
use super::verdict::Life;
use super::victim::{Variables, Victim};
use anyhow::{Result, bail};
use fastrand::Rng;
use sabotage::Point;
use serde::Serialize;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep;

/// How long to wait until a point is reached. After that the process is killed wherever it is.
const REACHING: Duration = Duration::from_millis(1_500);
/// How much longer a flood may take until a reader is lapped.
const LAPPING: Duration = Duration::from_secs(20);
/// How long a polite stop may take.
const STOPPING: Duration = Duration::from_secs(12);
/// Between these two marks one process takes over from another.
pub const UPGRADE: &str = "upgrade";
/// See `UPGRADE`.
pub const UPGRADED: &str = "the old process is gone";
/// Jumps of the clock, in milliseconds: an hour, twenty days and ten years, and back. None is so far ahead that
/// sessions would rightly end.
const JUMPS: [i64; 6] = [3_600_000, -3_600_000, 0, 20 * 86_400_000, -3_650 * 86_400_000, 0];

/// A fault that was done.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Seconds since the round began.
    pub at: f64,
    /// The fault, in words.
    pub what: String,
    /// Whether it ended the server's life.
    pub ends_life: bool,
    /// Whether nothing could be posted for a while although the server lived on.
    pub is_outage: bool,
}

/// Everything that a fault needs.
pub struct Stage {
    /// The server.
    pub victim: Victim,
    /// Its database, in rounds on PostgreSQL.
    pub database: Option<Arc<Database>>,
    /// The proxy in front of it, for faults of the line.
    pub proxy: Option<Proxy>,
    /// The people and rooms.
    pub community: Arc<Community>,
    /// The chance of the faults.
    pub rng: Rng,
    /// The number of faults.
    pub faults: u32,
    /// The faults that were done.
    pub marks: Vec<Mark>,
    /// Wrong acts of the server during a fault.
    pub complaints: Vec<String>,
    /// Lives of the data that a restore ended.
    pub lives: Vec<Life>,
    /// Tells one of the people to stay away.
    pub away: watch::Sender<bool>,
    /// Whether a deaf reader was lapped.
    pub lapped: watch::Sender<bool>,
    /// When the round began.
    pub began: Instant,
    /// The variables of every life.
    pub always: Variables,
}

/// Dies at every statement of the migrations of an empty database, until it survives them.
///
/// # Errors
/// When the server cannot be started.
pub async fn migrate(victim: &mut Victim, always: &Variables, began: Instant) -> Result<Vec<Mark>> {
    let mut marks = Vec::new();
    for nth in 1.. {
        let mut variables = always.clone();
        variables.push(("ROOMFUL_POINT", format!("{}:{nth}", Point::MidMigration.name())));
        victim.spawn(&variables)?;
        if victim.listens().await? && !victim.ends_within(Duration::from_millis(400)).await {
            victim.kill();
            return Ok(marks);
        }
        let what = format!("{} {nth}", Point::MidMigration.name());
        marks.push(Mark { at: began.elapsed().as_secs_f64(), what, ends_life: true, is_outage: false });
    }
    bail!("there is no end of migrations")
}

impl Stage {
    /// Does all faults of a kind. The server lives at the end, and nothing more is done to it.
    ///
    /// # Errors
    /// When the server does not come back, or ends by itself.
    pub async fn run(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Calm | Kind::Migration => self.wait(1_500..2_500).await,
            Kind::Flood => self.flood().await,
            Kind::Flap => {
                for _ in 0..self.faults {
                    self.mark("a second of flapping", false);
                    self.wait(1_000..1_001).await;
                }
            }
            Kind::Crush => self.crush().await?,
            Kind::Kill => self.kill().await?,
            Kind::Points => self.die_at_points().await?,
            Kind::Cut => self.cut().await?,
            Kind::Io => self.fail().await?,
            Kind::Full => self.fill().await?,
            Kind::Slow => self.slow().await?,
            Kind::Pause => self.pause().await,
            Kind::Clock => self.jump().await?,
            Kind::Files => self.run_out_of_files().await,
            Kind::Upgrade => self.upgrade().await?,
            Kind::Restart => self.restart().await?,
            Kind::Restore => self.restore().await?,
            Kind::DatabaseKill => self.kill_database().await?,
            Kind::SessionsEnd => self.end_sessions().await?,
            Kind::Delay | Kind::Drop | Kind::Freeze | Kind::Trickle | Kind::Reset | Kind::Replay => {
                self.disturb(kind).await;
            }
        }
        Ok(())
    }

    /// Goes on until a reader was lapped. How long that takes depends on the machine.
    async fn flood(&mut self) {
        self.wait(9_000..10_000).await;
        let began = Instant::now();
        while !*self.lapped.borrow() && began.elapsed() < LAPPING {
            self.wait(50..51).await;
        }
        if !*self.lapped.borrow() {
            self.mark("nobody was lapped", false);
        }
    }

    /// `kill -9` while people talk, and every fourth time once more while it starts.
    async fn kill(&mut self) -> Result<()> {
        for number in 0..self.faults {
            if number % 4 == 3 {
                self.wait(0..60).await;
            } else {
                self.wait(60..260).await;
            }
            self.mark("kill", true);
            self.victim.kill();
            self.victim.spawn(&self.always)?;
            if number % 4 != 2 {
                self.victim.listens().await?;
                if self.database.is_some() {
                    // A start takes longer there, and nobody would have said anything until the next kill.
                    self.come_back("the server had listened again").await?;
                }
            }
        }
        self.live_again().await
    }

    /// Each life has a point at which it will die.
    async fn die_at_points(&mut self) -> Result<()> {
        // Only the file of an embedded database has checkpoints of ours.
        let has_none = |point: &Point| *point == Point::MidCheckpoint && self.database.is_some();
        let points = Point::ALL.into_iter().filter(|point| *point != Point::MidMigration && !has_none(point));
        let points: Vec<Point> = points.collect();
        for number in 0..self.faults as usize {
            let point = points[number % points.len()];
            let nth = match point {
                Point::BeforeCommit | Point::BeforeReply | Point::BeforePublish => self.rng.u32(1..60),
                Point::MidFanOut => self.rng.u32(1..600),
                Point::MidCheckpoint | Point::MidMigration => 1,
                Point::MidDrain => self.rng.u32(1..6),
            };
            let variables = self.variables("ROOMFUL_POINT", format!("{}:{nth}", point.name()));
            self.victim.kill();
            self.victim.spawn(&variables)?;
            if point == Point::MidDrain && self.victim.listens().await? {
                self.wait(80..200).await;
                self.victim.terminate();
            }
            let reached = self.victim.ends_within(REACHING).await;
            self.mark(&format!("{}{}", point.name(), if reached { "" } else { " (not reached)" }), true);
        }
        self.live_again().await
    }

    /// Stopped and let go on, at times for longer than two beats.
    async fn pause(&mut self) {
        for _ in 0..self.faults {
            self.wait(100..500).await;
            self.mark("pause", false);
            self.victim.freeze();
            sleep(Duration::from_millis(self.rng.u64(300..3_000))).await;
            self.victim.thaw();
        }
    }

    async fn jump(&mut self) -> Result<()> {
        let file = self.victim.data().with_file_name("clock");
        let variables = self.variables("ROOMFUL_CLOCK", file.display().to_string());
        self.victim.kill();
        self.victim.start(&variables).await?;
        for number in 0..self.faults as usize {
            self.wait(100..400).await;
            let ahead = JUMPS[number % JUMPS.len()];
            std::fs::write(&file, ahead.to_string())?;
            self.mark(&format!("clock {ahead:+} ms"), false);
        }
        self.wait(100..400).await;
        Ok(std::fs::write(&file, "0")?)
    }

    /// For a while the process may open no more files than it has.
    async fn run_out_of_files(&mut self) {
        for _ in 0..self.faults {
            self.wait(100..300).await;
            let files = self.victim.files() + self.rng.u64(0..3);
            self.mark(&format!("{files} files"), false);
            self.victim.limit_files(files);
            self.wait(300..900).await;
            self.victim.limit_files(20_000);
        }
    }

    /// The judge measures the longest silence from the first of these marks to the second.
    async fn upgrade(&mut self) -> Result<()> {
        for _ in 0..self.faults {
            self.wait(300..900).await;
            self.mark(UPGRADE, false);
            if !self.victim.give_way(&self.always, STOPPING).await? {
                self.complaints.push("the old process did not end well within 12 s".to_owned());
            }
            self.mark(UPGRADED, false);
        }
        self.wait(300..600).await;
        Ok(())
    }

    async fn restart(&mut self) -> Result<()> {
        for _ in 0..self.faults {
            self.wait(300..900).await;
            self.mark("restart", true);
            self.victim.terminate();
            if !self.victim.ends_within(STOPPING).await {
                self.complaints.push("a polite stop took more than 12 s".to_owned());
            }
            self.live_again().await?;
        }
        Ok(())
    }

    async fn disturb(&mut self, kind: Kind) {
        let mood = kind.mood().unwrap_or(Mood::Clear);
        for _ in 0..self.faults {
            self.wait(100..400).await;
            self.mark(&kind.name(), false);
            self.become_mood(mood);
            self.wait(200..900).await;
            self.become_mood(Mood::Clear);
        }
    }

    fn become_mood(&self, mood: Mood) {
        if let Some(proxy) = &self.proxy {
            proxy.become_mood(mood);
        }
    }

    /// A life without a fault.
    async fn live_again(&mut self) -> Result<()> {
        if self.victim.lives() && self.victim.listens().await? {
            return Ok(());
        }
        self.victim.start(&self.always).await
    }

    /// The variables of one life: those of every life, and one more.
    fn variables(&self, name: &'static str, value: String) -> Variables {
        let mut variables = self.always.clone();
        variables.push((name, value));
        variables
    }

    async fn wait(&mut self, ms: Range<u64>) {
        let until = Instant::now() + Duration::from_millis(self.rng.u64(ms));
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            sleep(left.min(Duration::from_millis(100))).await;
            self.victim.look();
        }
    }

    fn mark(&mut self, what: &str, ends_life: bool) {
        let at = self.began.elapsed().as_secs_f64();
        self.marks.push(Mark { at, what: what.to_owned(), ends_life, is_outage: false });
    }

    /// Marks a fault that lets nobody post for a while and that the server outlives.
    fn mark_outage(&mut self, what: &str) {
        let at = self.began.elapsed().as_secs_f64();
        self.marks.push(Mark { at, what: what.to_owned(), ends_life: false, is_outage: true });
    }
}
