//! Hashing passwords, a few at a time.

use crate::error::{Error, Result};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// Hashes under way at once. Each takes 19 MiB and a core for some 20 ms; more at once would starve the talking.
const AT_ONCE: usize = 2;
/// 33 MiB: beyond the largest size at which the C library stops mapping pieces of their own.
const MAPPED_BLOCKS: usize = 33 * 1024;

/// Argon2id with the parameters that OWASP asks for at least: 19 MiB, two passes, one lane.
#[derive(Clone)]
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
            fits(&password, &against) && known
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
    let params = Params::default();
    let failed = |error: argon2::password_hash::Error| Error::Hashing(error.to_string());
    let salt = Salt::generate();
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).map_err(failed)?,
        salt: Some(salt),
        hash: Some(digest(password, &salt, params, Params::DEFAULT_OUTPUT_LEN)?),
    };
    Ok(hash.to_string())
}

/// Whether `password` gives the kept hash, with the parameters that it was made with.
fn fits(password: &str, kept: &str) -> bool {
    let Ok(kept) = PasswordHash::new(kept) else { return false };
    let (Some(salt), Some(hash), Ok(params)) = (kept.salt, kept.hash, Params::try_from(&kept)) else {
        return false;
    };
    // `Output` compares in constant time.
    kept.algorithm == ARGON2ID_IDENT
        && digest(password, &salt, params, hash.len()).is_ok_and(|found| found == hash)
}

fn digest(password: &str, salt: &Salt, params: Params, length: usize) -> Result<Output> {
    let failed = |error: argon2::Error| Error::Hashing(error.to_string());
    let count = params.block_count();
    // Asked for in one piece so large that every allocator maps it and unmaps it again: a piece of 19 MiB the C library
    // would keep for the next time, in a process that otherwise needs less than that. What is not touched costs nothing.
    let mut blocks = Vec::with_capacity(count.max(MAPPED_BLOCKS));
    blocks.resize(count, Block::new());
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer.get_mut(..length).ok_or_else(|| Error::Hashing("a hash of that length".into()))?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, out, &mut blocks)
        .map_err(failed)?;
    Output::new(out).map_err(|error| Error::Hashing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_fits_its_password_alone_and_no_two_are_alike() {
        let kept = hash("correct horse").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(fits("correct horse", &kept));
        assert!(!fits("wrong horse", &kept));
        assert_ne!(hash("correct horse").unwrap(), kept);
        for damaged in
            ["", "nobody", "$argon2id$v=19$m=19456,t=2,p=1$", "$argon2id$v=19$m=99999999999,t=2,p=1$YQ$YQ"]
        {
            assert!(!fits("correct horse", damaged), "{damaged}");
        }
    }

    #[test]
    fn a_hash_made_by_the_library_itself_fits() {
        use argon2::PasswordHasher;
        let made: PasswordHash = Argon2::default().hash_password(b"correct horse").unwrap();
        assert!(fits("correct horse", &made.to_string()));
    }
}
