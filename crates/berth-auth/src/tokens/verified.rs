use std::time::Duration;

use jsonwebtoken::get_current_timestamp;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::jwt::LEEWAY;
use crate::Caller;

/// How many tokens are remembered: some MiB.
const CAPACITY: usize = 8192;

/// How long a token is remembered at most: so long may a key that its issuer has withdrawn go on verifying.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// What a token proves, and until when.
pub(super) struct Verified {
    pub(super) caller: Caller,
    /// In seconds since 1970: the claim `exp`.
    pub(super) expires_at: u64,
}

/// Tokens that were verified lately, by their SHA-256: a pull of many layers pays for one signature. A token that is not
/// good is never in it.
pub(super) struct VerifiedTokens(Cache<[u8; 32], Remembered>);

#[derive(Clone)]
struct Remembered {
    caller: Caller,
    since: Instant,
    /// In seconds since 1970.
    until: u64,
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl VerifiedTokens {
    pub(super) fn get(&self, token: &str) -> Option<Caller> {
        let remembered = self.0.get(&key(token))?;
        let is_good =
            get_current_timestamp() <= remembered.until && remembered.since.elapsed() <= REMEMBERED;
        is_good.then_some(remembered.caller)
    }

    pub(super) fn insert(&self, token: &str, verified: &Verified) {
        let remembered = Remembered {
            caller: verified.caller.clone(),
            since: Instant::now(),
            until: verified.expires_at.saturating_add(LEEWAY),
        };
        self.0.insert(key(token), remembered);
    }
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
