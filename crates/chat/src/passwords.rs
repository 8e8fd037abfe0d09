//! Hashing passwords, a few at a time.

use crate::error::{Error, Result};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// Hashes under way at once. Each takes 19 MiB and a core for some 20 ms; more at once would starve the talking.
const AT_ONCE: usize = 2;

/// Argon2id with the parameters that OWASP asks for at least: 19 MiB, two passes, one lane.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    /// What an unknown name is checked against, so that it takes as long as a wrong password.
    nobody: Arc<OnceLock<String>>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)), nobody: Arc::new(OnceLock::new()) }
    }

    /// The hash to keep, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String> {
        self.blocking(move || hash(&password)).await?
    }

    /// Whether `password` is the one behind `kept`. Without one the answer is no, after the same work.
    pub(crate) async fn verify(&self, password: String, kept: Option<String>) -> Result<bool> {
        let nobody = Arc::clone(&self.nobody);
        self.blocking(move || {
            let known = kept.is_some();
            let against = match kept {
                Some(kept) => kept,
                None => match nobody.get() {
                    Some(nobody) => nobody.clone(),
                    None => nobody.get_or_init(|| hash("nobody").unwrap_or_default()).clone(),
                },
            };
            let fits = Argon2::default().verify_password(password.as_bytes(), against.as_str()).is_ok();
            fits && known
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Stopping)?;
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(permit);
            answer
        });
        done.await.map_err(|_| Error::Stopping)
    }
}

fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| Error::Hashing(error.to_string()))?;
    Ok(hash.to_string())
}
