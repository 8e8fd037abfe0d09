//! The one-time link that makes the first owner.

use chat::Token;
use std::sync::atomic::{AtomicBool, Ordering};
use subtle::ConstantTimeEq;

/// How long the link works, in milliseconds.
const LIFETIME: i64 = 30 * 60 * 1000;

/// The link of this start. A restart makes another one.
#[derive(Debug)]
pub struct Setup {
    token: Token,
    expires_at: i64,
    waits: AtomicBool,
}

impl Setup {
    /// A new link, from `now` on. `waits` says whether the server has no owner yet.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn new(waits: bool, now: i64) -> chat::Result<Self> {
        Ok(Self { token: Token::random("rfo")?, expires_at: now + LIFETIME, waits: AtomicBool::new(waits) })
    }

    /// The path and fragment to open in a browser; none once there is an owner.
    pub fn link(&self) -> Option<String> {
        self.waits().then(|| format!("/setup#token={}", self.token.reveal()))
    }

    /// Whether `token` is the link's, and the link works. Takes as long for a near miss as for any other.
    pub fn fits(&self, token: &str, now: i64) -> bool {
        let same: bool = self.token.reveal().as_bytes().ct_eq(token.as_bytes()).into();
        same && self.waits() && now < self.expires_at
    }

    /// Whether the server had no owner when last heard of.
    pub fn waits(&self) -> bool {
        self.waits.load(Ordering::Acquire)
    }

    /// There is an owner: the link is spent for ever.
    pub fn spend(&self) {
        self.waits.store(false, Ordering::Release);
    }
}
