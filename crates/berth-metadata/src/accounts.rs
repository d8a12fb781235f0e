use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::MetadataError;

/// Who may come in, and the keys that sign the registry's own tokens. Every method is one transaction, as those of
/// [`MetadataStore`](crate::MetadataStore) are. Times are kept to the millisecond (stores round down).
///
/// What a record says is for the caller to judge: the store tells of an expired user as of any other.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Keeps a new user. `false`, and nothing changes, if there is one of this name.
    async fn add_user(&self, user: &UserRecord) -> Result<bool, MetadataError>;

    /// The user of this name, expired or not.
    async fn user(&self, name: &str) -> Result<Option<UserRecord>, MetadataError>;

    /// Gives a user another password. `false` if there is none of this name.
    async fn set_password_hash(
        &self,
        name: &str,
        password_hash: &SecretString,
    ) -> Result<bool, MetadataError>;

    /// Forgets a user. `false` if there was none of this name.
    async fn remove_user(&self, name: &str) -> Result<bool, MetadataError>;

    /// At most `limit` users after the name `last`, which need not exist, in byte order of their names.
    async fn users(&self, last: Option<&str>, limit: u32)
    -> Result<Vec<UserRecord>, MetadataError>;

    /// Keeps the token of a robot. `false`, and nothing changes, if there is one of this id, or one of this name that is
    /// not revoked, expired or not.
    async fn add_robot_token(&self, token: &RobotTokenRecord) -> Result<bool, MetadataError>;

    /// The token of this id, expired or not, unless it is revoked.
    async fn robot_token(&self, id: &str) -> Result<Option<RobotTokenRecord>, MetadataError>;

    /// The token of this name, expired or not, unless it is revoked.
    async fn robot_token_named(
        &self,
        name: &str,
    ) -> Result<Option<RobotTokenRecord>, MetadataError>;

    /// Revokes the token of this id, for good: it stays listed, and its name is free. `false` if there is none, or
    /// it is revoked.
    async fn revoke_robot_token(
        &self,
        id: &str,
        revoked_at: SystemTime,
    ) -> Result<bool, MetadataError>;

    /// At most `limit` tokens after the id `last`, which need not exist, in byte order of their ids; revoked ones
    /// too.
    async fn robot_tokens(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RobotTokenRecord>, MetadataError>;

    /// Every signing key, the newest first; of those made in the same millisecond, the one with the last id.
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, MetadataError>;

    /// Keeps a new signing key. `false`, and nothing changes, if there is one that was made after `unless_since`, or one
    /// of this id.
    async fn add_signing_key(
        &self,
        key: &SigningKeyRecord,
        unless_since: SystemTime,
    ) -> Result<bool, MetadataError>;

    /// Forgets the signing keys that were made before `before`, the newest of all excepted. Answers how many.
    async fn forget_signing_keys(&self, before: SystemTime) -> Result<u64, MetadataError>;
}

/// Somebody who has a password.
#[derive(Clone, Debug)]
pub struct UserRecord {
    /// As the user types it.
    pub name: String,
    /// The hash of the password.
    pub password_hash: SecretString,
    /// The groups of which the user is a member.
    pub groups: BTreeSet<String>,
    /// When it was added.
    pub created_at: SystemTime,
    /// From when on the account is as good as none.
    pub expires_at: Option<SystemTime>,
}

/// A credential of a program.
#[derive(Clone, Debug)]
pub struct RobotTokenRecord {
    /// The part of the token that is no secret.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The hash of its secret part.
    pub secret_hash: SecretString,
    /// What may be done with it, in the words of whoever judges that: the store does not read it.
    pub scope: String,
    /// When it was added.
    pub created_at: SystemTime,
    /// From when on it is as good as none.
    pub expires_at: Option<SystemTime>,
    /// When it was revoked, if it was. Only lists tell of such tokens.
    pub revoked_at: Option<SystemTime>,
}

/// A private key of the registry.
#[derive(Clone, Debug)]
pub struct SigningKeyRecord {
    /// Names it.
    pub id: String,
    /// The key, in PEM. The store does not read it.
    pub private_key: SecretString,
    /// When it was made.
    pub created_at: SystemTime,
}
