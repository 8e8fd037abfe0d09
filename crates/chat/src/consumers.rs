//! What works behind the conversation: a consumer reads the log of every room in the background, from a place of its own.
//!
//! A consumer is one file below this one, and one line in [`CONSUMERS`]. Its places are stored in the transaction in which
//! is stored what it made of the events before them: so it takes each event exactly once, whenever the process ends.

mod consumer;
mod consuming;
mod counts;
mod pending;

use crate::chat::Chat;
use crate::error::{DatabaseError, Error, Result};
use crate::sql::Sql;
use crate::store::{Database, places};
use consumer::Consumer;

pub use consuming::Consuming;
pub use counts::DayCount;

/// All of them.
const CONSUMERS: [Consumer; 1] = [counts::COUNTS];

/// Places that are forgotten in one transaction.
const FORGOTTEN: u64 = 1_000;

/// How a consumer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerState {
    /// Its name.
    pub name: &'static str,
    /// How many events it has not taken yet, in all rooms.
    pub lag: u64,
    /// How long ago the oldest of them happened, in milliseconds; 0 when there is none.
    pub age_ms: u64,
}

impl Chat {
    /// The loop of all consumers, to be run once for a database.
    pub fn consuming(&self) -> Consuming {
        Consuming::new(self.clone(), &CONSUMERS)
    }

    /// How each consumer stands. Looks at each room once, on a connection that reads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn consumers(&self) -> Result<Vec<ConsumerState>> {
        let now = self.now();
        self.read(move |sql| states(sql, now)).await
    }

    /// Has a consumer begin anew in every room, while people go on talking: its places are forgotten, and what it has
    /// stored of a room is thrown away when its turn comes to that room. A rebuild that is cut short leaves each room
    /// either as it was or to be made anew, and can be asked for again.
    ///
    /// # Errors
    /// `NotFound` for an unknown name; when nothing can be written.
    pub async fn rebuild(&self, name: &str) -> Result<()> {
        let consumer = CONSUMERS.iter().find(|consumer| consumer.name == name);
        let name = consumer.ok_or(Error::NotFound("consumer"))?.name;
        let mut after = None;
        loop {
            after = self.write(move |tx| places::forget(tx.sql, name, after, FORGOTTEN)).await?;
            if after.is_none() {
                break;
            }
        }
        self.0.news.any();
        Ok(())
    }
}

/// How each consumer stands in a database, beside a server that may be running. Blocks its thread.
///
/// # Errors
/// When the database cannot be read, or is of a version without consumers.
pub fn consumers_of(database: &Database, now: i64) -> std::result::Result<Vec<ConsumerState>, DatabaseError> {
    places::look_beside(database, |sql| states(sql, now))
}

fn states(sql: Sql<'_>, now: i64) -> Result<Vec<ConsumerState>> {
    let state = |consumer: &Consumer| {
        let (lag, oldest) = places::lag(sql, consumer.name)?;
        let age = oldest.map_or(0, |at| now.saturating_sub(at));
        Ok(ConsumerState { name: consumer.name, lag, age_ms: u64::try_from(age).unwrap_or(0) })
    };
    CONSUMERS.iter().map(state).collect()
}
