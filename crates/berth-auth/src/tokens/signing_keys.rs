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

/// How old a key is when every replica knows it: twice as old as what they know of the store may be.
const KNOWN_AFTER: Duration = PACE.fresh_for.saturating_mul(2);

/// How far the clocks of replicas may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(LEEWAY);

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

    /// The newest key that every replica knows, so that none refuses what it signs. While there is no such, the oldest.
    pub(super) async fn signer(&self) -> Result<Arc<SigningKey>, Unavailable> {
        Ok(self.0.get().await?.signer(SystemTime::now()))
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

/// Keys that can be read, the newest first.
struct KeyRing {
    oldest: Key,
    newer: Vec<Key>,
}

struct Key {
    key: Arc<SigningKey>,
    created_at: SystemTime,
}

impl KeyRing {
    fn signer(&self, now: SystemTime) -> Arc<SigningKey> {
        let mut newer = self.newer.iter();
        let known = newer.find(|key| is_known(key.created_at, now));
        Arc::clone(&known.unwrap_or(&self.oldest).key)
    }

    fn find(&self, id: &str) -> Option<Arc<SigningKey>> {
        let mut keys = self.newer.iter().chain([&self.oldest]);
        let found = keys.find(|key| key.key.id == id)?;
        Some(Arc::clone(&found.key))
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

    /// Makes a key if there is none that is new enough, and reads all again: perhaps another replica was faster. A key of the
    /// future, from a replica whose clock was wrong, is not new but none yet.
    async fn rotate(
        &self,
        keys: Vec<StoredKey>,
        now: SystemTime,
    ) -> Result<Vec<StoredKey>, Unavailable> {
        let newest = until(&keys, now).next();
        if newest.is_some_and(|newest| age(newest.created_at, now) < self.ages.signs_for) {
            return Ok(keys);
        }
        let key = SigningKey::generate(now).map_err(|error| self.failed(error))?;
        let latest = keys.first().map(|key| key.created_at);
        let unless_since = latest.unwrap_or(SystemTime::UNIX_EPOCH);
        let added = self.store.add(&key, unless_since).await;
        match added {
            Ok(()) => {
                let keys = self.read().await?;
                if keys.iter().any(|other| other.id == key.id) {
                    tracing::info!(key = key.id, "there is a new key that signs tokens soon");
                }
                Ok(keys)
            }
            // The old one goes on signing.
            Err(error) if latest.is_some() => {
                tracing::warn!(%error, "no new key for tokens could be kept");
                Ok(keys)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Forgets keys whose last tokens have expired: a key's last token is from when it had a successor that signs, or from when
    /// the last replica learned of that.
    ///
    /// What time it is, the keys alone tell here: not before the newest of them but one was made. A clock that is far ahead would
    /// make others' keys forgotten, and the newest key may be of such a one; so keys are kept for longer than they are
    /// needed.
    async fn forget(&self, keys: &mut Vec<StoredKey>, now: SystemTime) {
        let Some(previous) = until(keys, now).nth(1) else {
            return;
        };
        let now = previous.created_at;
        let verifies_for = self
            .ages
            .longest_token
            .saturating_add(PACE.kept_for)
            .saturating_add(KNOWN_AFTER)
            .saturating_add(CLOCKS_APART);
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
        let mut newer: Vec<Key> = keys.iter().filter_map(readable).collect();
        let oldest = newer.pop();
        let oldest = oldest.ok_or_else(|| self.failed("none can be read"))?;
        Ok(KeyRing { oldest, newer })
    }
}

/// `None` for a key that cannot be read: the others still work.
fn readable(stored: &StoredKey) -> Option<Key> {
    match SigningKey::read(stored) {
        Ok(key) => Some(Key {
            key: Arc::new(key),
            created_at: stored.created_at,
        }),
        Err(error) => {
            tracing::error!(key = stored.id, %error, "a key of the registry's tokens is left out");
            None
        }
    }
}

impl StoredKey {
    /// The one that signs, of all keys of a store, the newest first: the newest that every replica knows, two minutes after it was
    /// made. While there is no such, the oldest.
    pub fn signer(keys: &[Self], now: SystemTime) -> Option<&Self> {
        let known = keys.iter().find(|key| is_known(key.created_at, now));
        known.or(keys.last())
    }
}

/// Whether every replica knows a key.
fn is_known(created_at: SystemTime, now: SystemTime) -> bool {
    age(created_at, now) >= KNOWN_AFTER
}

/// Without those of the future.
fn until(keys: &[StoredKey], now: SystemTime) -> impl Iterator<Item = &StoredKey> {
    let latest = now.checked_add(CLOCKS_APART).unwrap_or(now);
    keys.iter().filter(move |key| key.created_at <= latest)
}

/// Zero for what is in the future.
fn age(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}
