//! How faults are done.

use super::kind::Kind;
use super::victim::Victim;
use anyhow::Result;
use fastrand::Rng;
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Something that was done.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// Seconds since the round began.
    pub at: f64,
    /// What.
    pub what: String,
    /// Whether it ended the server's life.
    pub ends_life: bool,
}

/// Where faults happen.
pub struct Stage {
    /// To whom.
    pub victim: Victim,
    /// Their chance.
    pub rng: Rng,
    /// How many.
    pub faults: u32,
    /// What was done.
    pub marks: Vec<Mark>,
    /// When the round began.
    pub began: Instant,
}

/// What is done before there is anybody.
///
/// # Errors
/// When the server does something that it must not.
pub async fn before(kind: Kind, _victim: &mut Victim) -> Result<()> {
    match kind {
        Kind::Calm | Kind::Kill => Ok(()),
    }
}

impl Stage {
    /// Does all faults of a kind. The server lives at the end, and nothing more is done to it.
    ///
    /// # Errors
    /// When the server does not come back, or ends by itself.
    pub async fn run(&mut self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Calm => self.wait(1_000..2_000).await,
            Kind::Kill => self.kill().await?,
        }
        Ok(())
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
            self.victim.spawn(&vec![])?;
            if number % 4 != 2 {
                self.victim.listens().await?;
            }
        }
        self.victim.listens().await?;
        Ok(())
    }

    async fn wait(&mut self, ms: std::ops::Range<u64>) {
        sleep(Duration::from_millis(self.rng.u64(ms))).await;
        self.victim.look();
    }

    fn mark(&mut self, what: &str, ends_life: bool) {
        let at = self.began.elapsed().as_secs_f64();
        self.marks.push(Mark { at, what: what.to_owned(), ends_life });
    }
}
