use std::time::{Duration, SystemTime};

use anyhow::ensure;
use berth_auth::{SigningKeyStore, StoredKey};
use tracing::info;

use super::AccountOutcome;
use super::outcome::ListedKey;
use crate::accounts::Timestamp;
use crate::upkeep::Upkeep;

/// The precision with which times are kept.
const TICK: Duration = Duration::from_millis(1);

impl Upkeep {
    /// Makes a new key, which signs as soon as every server knows it.
    pub(super) async fn rotate_key(&self, forget_older: bool) -> anyhow::Result<AccountOutcome> {
        let accounts = self.accounts();
        let newest = accounts.keys().await?.into_iter().next();
        // Just after a key that was made when the clock was ahead: it must not stay the one that signs.
        let after_newest = newest.map(|key| key.created_at + TICK);
        let now = SystemTime::now();
        let key = StoredKey::generate(after_newest.map_or(now, |time| time.max(now)))?;
        accounts.add(&key, key.created_at).await?;
        let keys = accounts.keys().await?;
        ensure!(
            keys.first().is_some_and(|newest| newest.id == key.id),
            "another key was made at the same time; try again"
        );
        if forget_older {
            accounts.forget(key.created_at).await?;
        }
        let left = accounts.keys().await?.len();
        let forgotten = keys.len().saturating_sub(left);
        info!(key = key.id, forgotten, "there is a new signing key");
        Ok(AccountOutcome::KeyRotated {
            id: key.id,
            forgotten,
        })
    }

    /// Makes a key if there is none.
    pub(super) async fn have_a_key(&self) -> anyhow::Result<()> {
        let key = StoredKey::generate(SystemTime::now())?;
        Ok(self.accounts().add(&key, SystemTime::UNIX_EPOCH).await?)
    }

    pub(super) async fn list_keys(&self) -> anyhow::Result<AccountOutcome> {
        let keys = self.accounts().keys().await?;
        let signer = StoredKey::signer(&keys, SystemTime::now()).map(|key| key.id.clone());
        let listed = |key: StoredKey| ListedKey {
            signs: signer.as_ref() == Some(&key.id),
            id: key.id,
            created_at: Timestamp(key.created_at),
        };
        Ok(AccountOutcome::Keys(keys.into_iter().map(listed).collect()))
    }
}
