use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::Grant;

/// The users and robot tokens that the registry itself keeps. None of the methods blocks the calling thread.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// The user of this name.
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError>;

    /// The robot token of this id, revoked ones excepted.
    async fn token(&self, id: &str) -> Result<Option<RobotToken>, StoreError>;
}

/// Somebody who has a password.
#[derive(Clone, Debug)]
pub struct User {
    /// As the user types it; without `:`.
    pub name: String,
    /// The groups of which the user is a member.
    pub groups: BTreeSet<String>,
    /// The argon2id hash of the password, as a PHC string.
    pub password_hash: SecretString,
    /// From when on the account is as good as none.
    pub expires_at: Option<SystemTime>,
}

/// A credential of a program: what it may do is written in it, and no rule adds anything.
#[derive(Clone, Debug)]
pub struct RobotToken {
    /// The part of the token that is no secret, and finds its record.
    pub id: String,
    /// What its owner calls it; its identity is `token:<name>`.
    pub name: String,
    /// What may be done with it.
    pub grants: Vec<Grant>,
    /// The argon2id hash of its secret part, as a PHC string.
    pub secret_hash: SecretString,
    /// From when on it is as good as none.
    pub expires_at: Option<SystemTime>,
}

/// The keys that sign the registry's own tokens. All replicas share them.
#[async_trait]
pub trait SigningKeyStore: Send + Sync + 'static {
    /// Every key, the newest first.
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError>;

    /// Keeps a new key, durably. If there is a key that was made after `unless_since`, keeps nothing: another replica was
    /// faster.
    async fn add(&self, key: &StoredKey, unless_since: SystemTime) -> Result<(), StoreError>;

    /// Forgets the keys that were made before `before`, the newest excepted.
    async fn forget(&self, before: SystemTime) -> Result<(), StoreError>;
}

/// A private key of the registry.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Names it in the head of tokens (`kid`).
    pub id: String,
    /// ECDSA over P-256, PKCS #8 in PEM.
    pub private_key: SecretString,
    /// When it was made.
    pub created_at: SystemTime,
}

/// What holds accounts or keys failed.
#[derive(Debug, thiserror::Error)]
#[error("accounts cannot be read or changed: {0}")]
pub struct StoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
