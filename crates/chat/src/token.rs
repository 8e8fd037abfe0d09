//! Secrets that are told once and kept as a hash.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use uuid::Uuid;

/// A secret of 256 random bits, such as `rfs_…` for a session. Whoever shows it is let in.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new one. `prefix` tells people and secret scanners what it is for.
    ///
    /// # Errors
    /// `Hashing` when the machine has no randomness to give.
    pub fn random(prefix: &str) -> Result<Self> {
        let mut bits = [0u8; 32];
        getrandom::fill(&mut bits).map_err(|error| Error::Hashing(error.to_string()))?;
        let mut text = String::with_capacity(prefix.len() + 1 + 64);
        text.push_str(prefix);
        text.push('_');
        for byte in bits {
            text.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
            text.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        Ok(Self(text))
    }

    /// The secret itself, to be told once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept: SHA-256 is enough for 256 random bits, where a password would need Argon2.
    pub(crate) fn hash(text: &str) -> [u8; 32] {
        Sha256::digest(text.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A new id. Version 7, so that ids made later sort later and indexes grow at their end.
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}
