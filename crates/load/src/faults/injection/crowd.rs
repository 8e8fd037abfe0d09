//! Many connections that post without waiting for an answer. The server must bound what waits.

use super::Stage;
use anyhow::Result;
use client::{Connection, Received};
use protocol::{Body, Command, Nonce};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Connections.
const CROWD: usize = 240;
/// Posts that each sends without reading an answer.
const POSTS: usize = 16;
/// Characters of a text, of four bytes each.
const CHARACTERS: usize = 9_500;

/// How long they post; less when it is plain that nothing bounds what waits.
const CRUSHING: Duration = Duration::from_secs(25);
const FULL: u64 = 160 << 20;

impl Stage {
    /// Everybody posts at once on a disk that is too slow for it.
    pub(super) async fn crush(&mut self) -> Result<()> {
        let variables = self.variables("ROOMFUL_DISK", "slow:ms=400".to_owned());
        self.victim.kill();
        self.victim.start(&variables).await?;
        self.mark("crush", true);
        let text = "🍅".repeat(CHARACTERS);
        let mut crowd = Vec::new();
        for number in 0..CROWD {
            let account = &self.community.others[number % self.community.others.len()];
            let (token, address) = (account.token.clone(), self.victim.address().to_string());
            let (room, text) = (self.community.lobby, text.clone());
            crowd.push(tokio::spawn(async move {
                let Ok(mut connection) = Connection::open(&address, Some(&token)).await else { return };
                for count in 0..POSTS {
                    let Ok(nonce) = Nonce::new(format!("crush-{number}-{count}")) else { return };
                    let body = Body { text: format!("crush-{number}-{count} {text}") };
                    connection.send(Command::PostMessage { room, body, nonce }).await;
                }
                while !matches!(connection.next().await, Received::Closed(_)) {}
            }));
        }
        let began = Instant::now();
        while began.elapsed() < CRUSHING && self.victim.peak < FULL {
            self.wait(250..251).await;
        }
        crowd.iter().for_each(JoinHandle::abort);
        self.victim.kill();
        self.live_again().await
    }
}
