use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonwebtoken::get_current_timestamp;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::jwt::LEEWAY;
use crate::Caller;

/// How much all that is remembered may weigh, in bytes.
const CAPACITY: u64 = 16 * 1024 * 1024;

/// About how much there is to remember of most tokens, in bytes.
const USUAL: u64 = 4 * 1024;

/// About how much memory a glob takes that is ready to match, in bytes.
const GLOB: u64 = 8 * 1024;

/// How long a token is remembered at most: so long may a key that its issuer has withdrawn go on verifying.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// What a token proves, and until when.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) caller: Arc<Caller>,
    /// In seconds since 1970: the claim `exp`.
    expires_at: u64,
}

impl Verified {
    pub(super) fn new(caller: Caller, expires_at: u64) -> Self {
        let caller = Arc::new(caller);
        Self { caller, expires_at }
    }

    /// When the token ends. `None` if that is later than the system can tell.
    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.expires_at))
    }
}

/// Tokens that were verified lately, by their SHA-256: a pull of many layers pays for one signature. A token that is not
/// good is never in it.
pub(super) struct VerifiedTokens(Cache<[u8; 32], Remembered, ByMemory>);

#[derive(Clone)]
struct Remembered {
    verified: Verified,
    since: Instant,
    weight: u64,
}

/// Weighs by the memory that is taken.
#[derive(Clone)]
struct ByMemory;

impl Weighter<[u8; 32], Remembered> for ByMemory {
    fn weight(&self, _: &[u8; 32], remembered: &Remembered) -> u64 {
        remembered.weight
    }
}

impl Default for VerifiedTokens {
    fn default() -> Self {
        let items = usize::try_from(CAPACITY / USUAL).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(items, CAPACITY, ByMemory))
    }
}

impl VerifiedTokens {
    pub(super) fn get(&self, token: &str) -> Option<Verified> {
        let Remembered {
            verified, since, ..
        } = self.0.get(&key(token))?;
        let until = verified.expires_at.saturating_add(LEEWAY);
        let is_good = get_current_timestamp() <= until && since.elapsed() <= REMEMBERED;
        is_good.then_some(verified)
    }

    pub(super) fn insert(&self, token: &str, verified: &Verified) {
        let remembered = Remembered {
            weight: weight(token, &verified.caller),
            verified: verified.clone(),
            since: Instant::now(),
        };
        self.0.insert(key(token), remembered);
    }
}

/// Names and scopes take a few times as much memory as their text in the token, and globs more.
fn weight(token: &str, caller: &Caller) -> u64 {
    let grants = caller.identity.grants().unwrap_or_default();
    let globs = grants.iter().map(|grant| grant.repositories.texts().len());
    let globs = globs.sum::<usize>() as u64;
    let text = token.len() as u64;
    512_u64
        .saturating_add(text.saturating_mul(4))
        .saturating_add(globs.saturating_mul(GLOB))
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Grant, Identity, Named, Patterns};

    fn robot(globs: usize) -> Verified {
        let globs = (0..globs).map(|number| format!("team-{number}/*"));
        let grant = Grant {
            repositories: Patterns::new(globs).expect("globs"),
            actions: Action::Pull.into(),
        };
        let named = Named {
            name: "token:ci".to_owned(),
            groups: Default::default(),
            grants: Some(vec![grant]),
        };
        Verified::new(Caller::proven(Identity::Named(named)), u64::MAX)
    }

    #[test]
    fn they_do_not_grow_without_bound() {
        for (verified, length) in [(robot(0), 8 * 1024), (robot(200), 1024)] {
            let tokens = VerifiedTokens::default();
            for number in 0..2000 {
                let token = format!("{number}.{}", "a".repeat(length));
                tokens.insert(&token, &verified);
            }
            assert!(tokens.0.weight() <= CAPACITY);
            let most = CAPACITY / weight(&"a".repeat(length), &verified.caller);
            assert!(tokens.0.len() as u64 <= most);
            assert!(!tokens.0.is_empty());
        }
    }

    #[test]
    fn what_is_remembered_is_not_copied() {
        let tokens = VerifiedTokens::default();
        let verified = robot(1);
        tokens.insert("a.b.c", &verified);
        let remembered = tokens.get("a.b.c").expect("the token");
        assert!(Arc::ptr_eq(&remembered.caller, &verified.caller));
        // No time is too late.
        assert!(remembered.expires_at().is_none());
    }
}
