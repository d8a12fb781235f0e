use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::jwt::LEEWAY;
use super::refreshed::{Load, Pace, Refreshed, Unavailable};
use super::rejection::Rejection;
use super::signing_key::SigningKey;
use crate::{SigningKeyStore, StoredKey};

const MINUTE: Duration = Duration::from_secs(60);

/// Replicas share keys, so others may have made one; and `apart` bounds what tokens with unknown keys cost.
const PACE: Pace = Pace {
    fresh_for: MINUTE,
    usable_for: MINUTE.saturating_mul(2),
    kept_for: MINUTE.saturating_mul(60),
    apart: Duration::from_secs(2),
    apart_at_first: Duration::from_secs(1),
};

/// When keys of a store are made and forgotten.
#[derive(Clone, Copy)]
pub(super) struct KeyAges {
    /// How old the newest key becomes before a newer one is made.
    pub(super) signs_for: Duration,
    /// The lifetime of the longest-lived token that it signs.
    pub(super) longest_token: Duration,
}

/// The keys that sign and verify the registry's own tokens: those of the store, kept in memory.
pub(super) struct SigningKeys(Refreshed<StoredKeys>);

impl SigningKeys {
    pub(super) fn new(store: Arc<dyn SigningKeyStore>, ages: KeyAges) -> Self {
        Self(Refreshed::new(StoredKeys { store, ages }, PACE))
    }

    /// The newest key.
    pub(super) async fn signer(&self) -> Result<Arc<SigningKey>, Unavailable> {
        Ok(self.0.get().await?.newest())
    }

    /// The key of this id. If it is not known yet, the store is asked, but not for each such token.
    pub(super) async fn find(&self, id: &str) -> Result<Arc<SigningKey>, Rejection> {
        if let Some(key) = self.0.get().await?.find(id) {
            return Ok(key);
        }
        let keys = self.0.get_again().await?;
        keys.find(id).ok_or(Rejection::UnknownKey)
    }
}

/// Keys, the newest apart from the rest.
struct KeyRing {
    newest: Arc<SigningKey>,
    older: Vec<Arc<SigningKey>>,
}

impl KeyRing {
    fn newest(&self) -> Arc<SigningKey> {
        Arc::clone(&self.newest)
    }

    fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        keys.find(|key| key.id == id).map(Arc::clone)
    }
}

struct StoredKeys {
    store: Arc<dyn SigningKeyStore>,
    ages: KeyAges,
}

impl StoredKeys {
    fn failed(&self, error: impl std::fmt::Display) -> Unavailable {
        Unavailable::new(self.what(), error.to_string())
    }

    /// The keys of the store, the newest first.
    async fn read(&self) -> Result<Vec<StoredKey>, Unavailable> {
        let mut keys = self
            .store
            .keys()
            .await
            .map_err(|error| self.failed(error))?;
        keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        Ok(keys)
    }

    /// Makes a key if there is none that is new enough, and reads all again: perhaps another replica was faster.
    async fn rotate(
        &self,
        keys: Vec<StoredKey>,
        now: SystemTime,
    ) -> Result<Vec<StoredKey>, Unavailable> {
        let newest = keys.first().map(|key| key.created_at);
        if newest.is_some_and(|newest| age(newest, now) < self.ages.signs_for) {
            return Ok(keys);
        }
        let key = SigningKey::generate(now).map_err(|error| self.failed(error))?;
        let unless_since = newest.unwrap_or(SystemTime::UNIX_EPOCH);
        let added = self.store.add(&key, unless_since).await;
        match added {
            Ok(()) => {
                let keys = self.read().await?;
                if keys.first().is_some_and(|newest| newest.id == key.id) {
                    tracing::info!(key = key.id, "a new key signs tokens from now on");
                }
                Ok(keys)
            }
            // The old one goes on signing.
            Err(error) if newest.is_some() => {
                tracing::warn!(%error, "no new key for tokens could be kept");
                Ok(keys)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Forgets keys whose last tokens have expired: a key's last token is from when it had a successor, or from when the last
    /// replica learned of that.
    async fn forget(&self, keys: &mut Vec<StoredKey>, now: SystemTime) {
        let verifies_for = self.ages.longest_token + PACE.kept_for + Duration::from_secs(LEEWAY);
        let mut successors = keys.iter().map(|key| key.created_at);
        let Some(oldest_needed) = successors.find(|since| age(*since, now) > verifies_for) else {
            return;
        };
        let all = keys.len();
        keys.retain(|key| key.created_at >= oldest_needed);
        if keys.len() == all {
            return;
        }
        if let Err(error) = self.store.forget(oldest_needed).await {
            tracing::warn!(%error, "keys that are needed no more could not be removed");
        }
    }
}

#[async_trait]
impl Load for StoredKeys {
    type Value = KeyRing;

    fn what(&self) -> String {
        "the keys of the registry's tokens".to_owned()
    }

    async fn load(&self) -> Result<KeyRing, Unavailable> {
        let now = SystemTime::now();
        let keys = self.read().await?;
        let mut keys = self.rotate(keys, now).await?;
        self.forget(&mut keys, now).await;
        let mut usable = keys.iter().filter_map(readable);
        let newest = usable
            .next()
            .ok_or_else(|| self.failed("none can be read"))?;
        Ok(KeyRing {
            newest,
            older: usable.collect(),
        })
    }
}

/// `None` for a key that cannot be read: the others still work.
fn readable(stored: &StoredKey) -> Option<Arc<SigningKey>> {
    match SigningKey::read(stored) {
        Ok(key) => Some(Arc::new(key)),
        Err(error) => {
            tracing::error!(key = stored.id, %error, "a key of the registry's tokens is left out");
            None
        }
    }
}

/// Zero for what is in the future.
fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}
