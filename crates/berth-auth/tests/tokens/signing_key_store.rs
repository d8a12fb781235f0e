//! A store of signing keys in memory, which can fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_auth::{SigningKeyStore, StoreError, StoredKey};
use jsonwebtoken::EncodingKey;
use secrecy::{ExposeSecret, SecretString};

#[derive(Default)]
pub(crate) struct MemoryKeys {
    keys: Mutex<Vec<StoredKey>>,
    pub(crate) reads: AtomicUsize,
    pub(crate) is_down: AtomicBool,
}

impl MemoryKeys {
    pub(crate) fn ids(&self) -> Vec<String> {
        let keys = self.keys.lock().unwrap();
        keys.iter().map(|key| key.id.clone()).collect()
    }

    /// Makes every key this much older.
    pub(crate) fn age(&self, by: Duration) {
        for key in self.keys.lock().unwrap().iter_mut() {
            key.created_at -= by;
        }
    }

    pub(crate) fn put(&self, id: &str, pem: &str, created_at: SystemTime) {
        let key = StoredKey {
            id: id.to_owned(),
            private_key: SecretString::from(pem),
            created_at,
        };
        self.keys.lock().unwrap().push(key);
    }

    /// The private key that signs, for tests that know it as the registry does.
    pub(crate) fn signer(&self) -> (String, EncodingKey) {
        let keys = self.keys.lock().unwrap();
        let newest = keys.iter().max_by_key(|key| key.created_at).unwrap();
        let pem = newest.private_key.expose_secret();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
        (newest.id.clone(), key)
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.is_down.load(Ordering::Relaxed) {
            true => Err(StoreError("the disk is gone".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl SigningKeyStore for MemoryKeys {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.check()?;
        Ok(self.keys.lock().unwrap().clone())
    }

    async fn add(&self, key: &StoredKey, unless_since: SystemTime) -> Result<(), StoreError> {
        self.check()?;
        let mut keys = self.keys.lock().unwrap();
        if keys.iter().all(|other| other.created_at <= unless_since) {
            keys.push(key.clone());
        }
        Ok(())
    }

    async fn forget(&self, before: SystemTime) -> Result<(), StoreError> {
        self.check()?;
        let mut keys = self.keys.lock().unwrap();
        let newest = keys.iter().map(|key| key.created_at).max();
        keys.retain(|key| key.created_at >= before || Some(key.created_at) == newest);
        Ok(())
    }
}
