//! Passwords against their hashes, so that guessing them exhausts neither processors nor memory, and a client that
//! shows its password with each request does not wait each time.

mod htpasswd;
mod stored_hash;
mod verdicts;
mod workers;

use secrecy::SecretString;

pub use htpasswd::{Htpasswd, HtpasswdError};
pub(crate) use stored_hash::StoredHash;
use verdicts::Verdicts;
use workers::Workers;

use crate::{AuthenticationError, RandomError};

/// Verifies passwords.
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

    /// Whether it is the hash of this password, which somebody of this name presents.
    pub(crate) async fn verify(
        &self,
        name: &str,
        password: &SecretString,
        hash: &StoredHash,
    ) -> Result<bool, AuthenticationError> {
        let attempt = self.verdicts.attempt(name, password, hash);
        let verdict = self.workers.verify(password, hash);
        self.verdicts.of(&attempt, verdict).await
    }

    /// How many hashes were computed.
    #[cfg(test)]
    pub(crate) fn computed(&self) -> usize {
        self.workers.computed()
    }
}
