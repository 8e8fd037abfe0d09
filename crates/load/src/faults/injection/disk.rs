//! Faults of the disk: an armed server is started on a disk that fails.

use super::Stage;
use anyhow::Result;
use client::Api;
use protocol::frame::MessagePage;
use std::time::Duration;
use tokio::time::timeout;

const DISK: &str = "ROOMFUL_DISK";
/// How long a life may last until the power is cut.
const CUT: Duration = Duration::from_secs(3);
/// Milliseconds that a sync takes.
const SYNCS: [u64; 4] = [50, 500, 2_000, 5_000];

impl Stage {
    /// Each life ends with the power: at a write or a sync, or at any moment of a slow sync.
    pub(super) async fn cut(&mut self) -> Result<()> {
        for number in 0..self.faults {
            if number % 4 == 3 {
                self.cut_in_a_sync().await?;
                continue;
            }
            let (seed, after) = (self.rng.u32(..), self.rng.u32(3..160));
            let all = if self.rng.u32(0..4) == 0 { ",lose_all" } else { "" };
            let variables = self.variables(DISK, format!("cut:seed={seed},after={after}{all}"));
            self.victim.kill();
            self.victim.spawn(&variables)?;
            let reached = self.victim.ends_within(CUT).await;
            self.mark(if reached { "power cut" } else { "power cut (not reached)" }, true);
        }
        self.victim.kill();
        self.live_again().await
    }

    async fn cut_in_a_sync(&mut self) -> Result<()> {
        let variables = self.variables(DISK, "hold;slow:ms=30".to_owned());
        self.victim.kill();
        self.victim.start(&variables).await?;
        self.wait(150..400).await;
        self.victim.kill();
        self.mark("power cut in a sync", true);
        Ok(())
    }

    /// The n-th call fails, for every n in turn; once, and from then on.
    pub(super) async fn fail(&mut self) -> Result<()> {
        let operations = ["sync", "write", "read", "truncate"];
        let operation = operations[self.rng.usize(0..operations.len())];
        let from_then_on = self.rng.bool();
        let first = self.rng.u32(1..40);
        for nth in first..first + self.faults {
            let on = if from_then_on { ",from_then_on" } else { "" };
            let variables = self.variables(DISK, format!("fail:op={operation},nth={nth}{on}"));
            self.victim.kill();
            self.victim.spawn(&variables)?;
            // A server may refuse to start on such a disk.
            let reached = self.victim.ends_within(Duration::from_millis(500)).await;
            self.mark(&format!("{operation} {nth}{on}{}", if reached { " ended it" } else { "" }), true);
        }
        self.victim.kill();
        self.live_again().await
    }

    /// The disk is full for a while. Meanwhile people can read, and once there is space they can post again without a
    /// restart.
    pub(super) async fn fill(&mut self) -> Result<()> {
        for number in 0..self.faults {
            let space = self.victim.data().with_file_name(format!("space-{number}"));
            let nth = self.rng.u32(1..120);
            let variables = self.variables(DISK, format!("full:nth={nth},until={}", space.display()));
            self.victim.kill();
            self.victim.spawn(&variables)?;
            self.mark("disk full", true);
            self.wait(500..900).await;
            if self.victim.lives() {
                self.look_while_full(&space).await?;
            } else {
                // It may refuse to start, and would then never start again.
                std::fs::write(&space, "")?;
            }
        }
        self.victim.kill();
        self.live_again().await
    }

    async fn look_while_full(&mut self, space: &std::path::Path) -> Result<()> {
        let api = Api::new(self.victim.address().to_string()).with_token(&self.community.ana.token);
        let room = self.community.lobby;
        let path = format!("/api/v1/rooms/{room}/messages");
        let page = timeout(Duration::from_secs(2), api.get::<MessagePage>(&path)).await;
        if !matches!(page, Ok(Ok(_))) {
            self.complaints.push(format!("a server with a full disk cannot be read: {page:?}"));
        }
        std::fs::write(space, "")?;
        if !self.takes_posts().await {
            self.complaints.push("nothing could be posted 5 s after there was space again".to_owned());
        }
        Ok(())
    }

    pub(super) async fn slow(&mut self) -> Result<()> {
        for number in 0..self.faults as usize {
            let ms = SYNCS[number % SYNCS.len()];
            let variables = self.variables(DISK, format!("slow:ms={ms}"));
            self.victim.kill();
            self.victim.start(&variables).await?;
            self.mark(&format!("syncs of {ms} ms"), true);
            self.wait(ms.max(1_500)..ms + 2_500).await;
        }
        self.victim.kill();
        self.live_again().await
    }
}
