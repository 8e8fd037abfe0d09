//! Faults of a PostgreSQL server, or of the way to it, while the server that is tried lives on.

use super::Stage;
use crate::faults::postgres::{Database, Sessions};
use anyhow::{Context, Result};
use client::Api;
use protocol::frame::Posted;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// How long a server may take to take posts again once nothing is in its way.
const RECOVERING: Duration = Duration::from_secs(5);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(50);

impl Stage {
    /// All of PostgreSQL dies, and stays away for a while; every fourth time only one of its processes.
    pub(super) async fn kill_database(&mut self) -> Result<()> {
        let database = self.database()?;
        for number in 0..self.faults {
            self.wait(100..400).await;
            if number % 4 == 3 {
                let died = database.kill_one(&mut self.rng).await?;
                self.mark_outage(&format!(
                    "one of PostgreSQL dies{}",
                    if died { "" } else { " (none was there)" }
                ));
            } else {
                self.mark_outage("PostgreSQL dies");
                database.kill().await?;
                self.wait(0..700).await;
                database.restart().await?;
            }
            self.come_back("PostgreSQL was back").await?;
        }
        Ok(())
    }

    /// The server's sessions end, all at any moment or one in the middle of a commit.
    pub(super) async fn end_sessions(&mut self) -> Result<()> {
        let database = self.database()?;
        for number in 0..self.faults {
            self.wait(60..300).await;
            let (which, what) = match number % 2 {
                0 => (Sessions::All, "sessions end"),
                _ => (Sessions::Committing, "a session ends in a commit"),
            };
            let ended = database.end_sessions(which).await?;
            self.mark_outage(&format!("{what}{}", if ended { "" } else { " (none was there)" }));
            self.come_back("its sessions had ended").await?;
        }
        Ok(())
    }

    /// The server has outlived it all, and takes posts again by itself.
    pub(super) async fn come_back(&mut self, since: &str) -> Result<()> {
        if !self.takes_posts().await {
            self.complaints.push(format!("nothing could be posted {} s after {since}", RECOVERING.as_secs()));
        }
        if !self.victim.lives() {
            self.complaints.push("the server ended by itself".to_owned());
            self.live_again().await?;
        }
        Ok(())
    }

    /// Whether the server takes a post in time.
    pub(super) async fn takes_posts(&self) -> bool {
        let api = Api::new(self.victim.address().to_string()).with_token(&self.community.ana.token);
        let path = format!("/api/v1/rooms/{}/messages", self.community.lobby);
        let nonce = format!("again-{}", self.marks.len());
        let body = json!({ "text": format!("{nonce} it goes on"), "nonce": nonce });
        let began = Instant::now();
        while began.elapsed() < RECOVERING {
            if let Ok(Ok(_)) = timeout(Duration::from_secs(1), api.post::<Posted>(&path, &body)).await {
                return true;
            }
            sleep(AGAIN).await;
        }
        false
    }

    fn database(&self) -> Result<Arc<Database>> {
        self.database.clone().context("the round is not on PostgreSQL")
    }
}
