use std::time::SystemTime;

use anyhow::ensure;
use berth_auth::{SigningKeyStore, StoredKey};
use tracing::info;

use super::AccountOutcome;
use super::outcome::ListedKey;
use crate::accounts::Timestamp;
use crate::upkeep::Upkeep;

impl Upkeep {
    /// Makes a new key, which signs from now on.
    pub(super) async fn rotate_key(&self, forget_older: bool) -> anyhow::Result<AccountOutcome> {
        let (accounts, key) = (self.accounts(), StoredKey::generate(SystemTime::now())?);
        accounts.add(&key, key.created_at).await?;
        let keys = accounts.keys().await?;
        ensure!(
            keys.first().is_some_and(|newest| newest.id == key.id),
            "there is a key that was made later than now; is the clock right?"
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

    pub(super) async fn list_keys(&self) -> anyhow::Result<AccountOutcome> {
        let keys = self.accounts().keys().await?;
        let listed = |(position, key): (usize, StoredKey)| ListedKey {
            id: key.id,
            created_at: Timestamp(key.created_at),
            signs: position == 0,
        };
        Ok(AccountOutcome::Keys(
    /// Makes a key if there is none.
    pub(super) async fn have_a_key(&self) -> anyhow::Result<()> {
        let key = StoredKey::generate(SystemTime::now())?;
        Ok(self.accounts().add(&key, SystemTime::UNIX_EPOCH).await?)
    }

            keys.into_iter().enumerate().map(listed).collect(),
        ))
    }
}
