//! Passwords against their hashes, so that guessing them exhausts neither processors nor memory, and a client that
//! shows its password with each request does not wait each time.

mod htpasswd;
mod stored_hash;
mod verdicts;
mod workers;

use secrecy::SecretString;
use tokio::time::timeout;

pub use htpasswd::{Htpasswd, HtpasswdError};
pub(crate) use stored_hash::StoredHash;
use verdicts::Verdicts;
use workers::{PATIENCE, Workers, too_many};

use crate::{AuthenticationError, RandomError};

/// Verifies passwords, or secrets of robots.
pub(crate) struct Passwords {
    verdicts: Verdicts,
    workers: Workers,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, RandomError> {
        Ok(Self {
            verdicts: Verdicts::new()?,
            workers: Workers::default(),
        })
    }

    /// Whether it is the hash of this password, which somebody of this name presents. Nobody waits for longer than
    /// five seconds: neither for a turn nor for others who have presented the same.
    pub(crate) async fn verify(
        &self,
        name: &str,
        password: &SecretString,
        hash: &StoredHash,
    ) -> Result<bool, AuthenticationError> {
        let attempt = self.verdicts.attempt(name, password, hash);
        let verdict = self.workers.verify(password, hash);
        let verdict = timeout(PATIENCE, self.verdicts.of(&attempt, verdict)).await;
        verdict.unwrap_or_else(|_| Err(too_many()))
    }

    /// Whether it was lately found that it is the hash of this password.
    pub(crate) fn remember(&self, name: &str, password: &SecretString, hash: &StoredHash) -> bool {
        let attempt = self.verdicts.attempt(name, password, hash);
        self.verdicts.is_right(&attempt)
    }

    /// Keeps everybody waiting until it is dropped.
    #[cfg(test)]
    pub(crate) async fn occupy(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.workers.occupy().await
    }

    /// How many hashes were computed.
    #[cfg(test)]
    pub(crate) fn computed(&self) -> usize {
        self.workers.computed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;
    use tokio::time::{Duration, Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_others_with_the_same_password_waits_no_longer() {
        let passwords = Arc::new(Passwords::new().expect("random bytes"));
        let _occupied = passwords.occupy().await;
        let start = Instant::now();
        let mut waiting = JoinSet::new();
        for _ in 0..5 {
            let passwords = Arc::clone(&passwords);
            waiting.spawn(async move {
                let hash = StoredHash::of_nobody_here();
                passwords.verify("alice", &"secret".into(), &hash).await
            });
        }
        for refused in waiting.join_all().await {
            let is_refused = matches!(refused, Err(AuthenticationError::TooManyAttempts { .. }));
            assert!(is_refused, "{refused:?}");
        }
        assert!(start.elapsed() < PATIENCE + Duration::from_secs(1));
    }
}
