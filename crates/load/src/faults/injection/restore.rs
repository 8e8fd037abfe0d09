//! A backup while people talk, and later a restore of it. Messages from in between are gone, and every client starts
//! afresh.

use super::{STOPPING, Stage};
use crate::faults::community::Record;
use crate::faults::verdict::Life;
use crate::faults::victim::Victim;
use anyhow::{Context, Result, bail};
use client::{Api, Connection};
use protocol::frame::RoomPage;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long reading the log may take, after the end of a life.
const READING: Duration = Duration::from_secs(10);
/// How long people may take to say more than was said in the life before.
const OUTGROWING: Duration = Duration::from_secs(10);
/// How often to look whether they have.
const LOOK: Duration = Duration::from_millis(20);

impl Stage {
    /// One of the people is away from before the stop until the new log is longer than the part of the old log that
    /// they know. Then nothing but the epoch tells them of the restore.
    pub(super) async fn restore(&mut self) -> Result<()> {
        for number in 0..self.faults {
            let file = self.victim.data().with_file_name(format!("backup-{number}.tar"));
            let file = file.display().to_string();
            self.wait(300..700).await;
            self.mark("backup", false);
            let backed_up_us = self.now_us();
            self.victim.command(&["backup", &file], &self.always).await?;
            self.wait(300..700).await;
            self.away.send_replace(true);
            self.wait(150..250).await;
            self.stop().await;
            self.mark("restore", true);
            let (epoch, record) = self.read_aside().await?;
            self.victim.command(&["restore", &file], &self.always).await?;
            let head = record.heads().get(&self.community.lobby).copied().unwrap_or_default();
            self.lives.push(Life { epoch, record, backed_up_us, ended_us: self.now_us() });
            self.victim.start(&self.always).await?;
            self.outgrow(head).await;
            self.away.send_replace(false);
            self.wait(200..400).await;
        }
        Ok(())
    }

    async fn stop(&mut self) {
        if self.rng.bool() {
            self.victim.terminate();
            if !self.victim.ends_within(STOPPING).await {
                self.complaints.push("a polite stop took more than 12 s".to_owned());
            }
        }
        self.victim.kill();
    }

    /// Reads the epoch and everything that was kept in a life that is over, on a server that nobody else uses.
    async fn read_aside(&self) -> Result<(String, Record)> {
        let mut aside = Victim::new(self.victim.binary(), self.victim.folder(), None)?;
        aside.start(&self.always).await?;
        let address = aside.address().to_string();
        let began = Instant::now();
        // The server listens before it has opened its database.
        loop {
            let read = self.read(&address).await;
            if read.is_ok() || began.elapsed() > READING {
                return read.context("the life before the restore cannot be read");
            }
            sleep(LOOK).await;
        }
    }

    async fn read(&self, address: &str) -> Result<(String, Record)> {
        let record = self.community.read(address).await?;
        let Ok(connection) = Connection::open(address, Some(&self.community.ana.token)).await else {
            bail!("the owner cannot connect");
        };
        Ok((connection.hello().epoch.clone(), record))
    }

    /// Waits until the log of the lobby goes beyond `head`.
    async fn outgrow(&mut self, head: u64) {
        let api = Api::new(self.victim.address().to_string()).with_token(&self.community.ana.token);
        let began = Instant::now();
        while began.elapsed() < OUTGROWING {
            self.victim.look();
            let rooms = api.get::<RoomPage>("/api/v1/rooms").await.map(|page| page.mine).unwrap_or_default();
            if rooms.iter().any(|room| room.id == self.community.lobby && room.head > head + 1) {
                return;
            }
            sleep(LOOK).await;
        }
        self.complaints.push(format!("nobody said more than {head} within 10 s after a restore"));
    }

    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}
