//! What people of a round share: what they are to do now, what they know, and how they speak.

use crate::faults::community::{Account, Community};
use crate::faults::journal::Pen;
use fastrand::Rng;
use protocol::{ErrorCode, RoomId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// What everybody is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Whatever they like.
    Live,
    /// Begin nothing new, find out what became of unanswered requests, and come to know every room up to these heads.
    Agree(Heads),
    /// Close the journal.
    Close,
}

/// The heads of all rooms, as they were read one time after another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heads {
    /// The number of the reading; 0: none yet.
    pub turn: u64,
    /// By room.
    pub of: Arc<BTreeMap<RoomId, u64>>,
}

/// Whether the same request may succeed a moment later.
pub fn is_of_the_moment(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unknown
            | ErrorCode::RateLimited
            | ErrorCode::SlowDown
            | ErrorCode::Overloaded
            | ErrorCode::Internal
    )
}

/// Whether a person has come to agree with the log.
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<Mutex<(u64, Option<String>)>>);

/// What all people know of a round.
#[derive(Clone)]
pub struct Scene {
    /// The address of the server, or of the proxy in front of it.
    pub address: String,
    /// The people and rooms.
    pub community: Arc<Community>,
    /// What to do now.
    pub act: watch::Receiver<Act>,
    /// How long people wait between two things that they do, at most.
    pub pause: Duration,
    /// Whether to stay away, for the one person who has this.
    pub away: Option<watch::Receiver<bool>>,
    /// Whether a person in doubt tries again under another nonce, as buggy clients do.
    pub new_nonces: bool,
    /// Whether texts are long.
    pub is_loud: bool,
    /// Whether a deaf reader was told `lagged` on its present connection.
    pub lapped: watch::Sender<bool>,
    /// Whether most people only listen, on lines that never last.
    pub is_flapping: bool,
}

/// A person who is about to begin: the account, the chance and the journal.
pub struct Part {
    /// The account.
    pub account: Account,
    /// Their chance.
    pub rng: Rng,
    /// Their journal.
    pub pen: Pen,
    /// Whether the person agrees at the end.
    pub standing: Standing,
}

impl Standing {
    /// Notes whether a person agrees with the heads, or why not.
    pub fn is(&self, heads: &Heads, stuck: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (heads.turn, stuck);
    }

    /// Why a person does not agree with the heads of `turn`; none when they agree.
    pub fn stuck(&self, turn: u64) -> Option<String> {
        let standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.0 == turn { standing.1.clone() } else { Some("has not looked yet".to_owned()) }
    }
}

impl Scene {
    /// Whether people do what they like.
    pub fn is_live(&self) -> bool {
        *self.act.borrow() == Act::Live
    }

    /// Whether there is no time left.
    pub fn is_closing(&self) -> bool {
        *self.act.borrow() == Act::Close
    }

    /// The heads to agree on, once people are to.
    pub fn heads(&self) -> Option<Heads> {
        match &*self.act.borrow() {
            Act::Agree(heads) => Some(heads.clone()),
            Act::Live | Act::Close => None,
        }
    }

    /// Waits a little while, or until the act changes.
    pub async fn rest(&mut self, rng: &mut Rng) {
        let pause = self.pause.mul_f64(rng.f64());
        // Either way it is time to look again.
        let _ = timeout(pause, self.act.changed()).await;
    }
}

const WORDS: [&str; 8] = [
    "tomatoes",
    "müsli",
    "rain",
    "<b>bold</b>",
    "日本",
    "tea",
    "\"quoted\"",
    "and something that goes on for a while",
];

/// The text of a message: its nonce, and some words, or very many.
pub(super) fn words(nonce: &str, rng: &mut Rng, is_loud: bool) -> String {
    let mut text = nonce.to_owned();
    let count = if is_loud { rng.usize(500..850) } else { rng.usize(0..6) };
    for _ in 0..count {
        text.push(' ');
        text.push_str(WORDS[rng.usize(0..WORDS.len())]);
    }
    text
}
