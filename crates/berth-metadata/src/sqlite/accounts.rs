mod robot_tokens;
mod signing_keys;
mod users;

use std::time::SystemTime;

use async_trait::async_trait;
use secrecy::SecretString;

use super::SqliteMetadata;
use crate::store::milliseconds;
use crate::{AccountStore, MetadataError, RobotTokenRecord, SigningKeyRecord, UserRecord};

#[async_trait]
impl AccountStore for SqliteMetadata {
    async fn add_user(&self, user: &UserRecord) -> Result<bool, MetadataError> {
        let user = user.clone();
        self.write(move |connection| users::add(connection, &user))
            .await
    }

    async fn user(&self, name: &str) -> Result<Option<UserRecord>, MetadataError> {
        let name = name.to_owned();
        self.read(move |connection| users::find(connection, &name))
            .await
    }

    async fn set_password_hash(
        &self,
        name: &str,
        password_hash: &SecretString,
    ) -> Result<bool, MetadataError> {
        let (name, password_hash) = (name.to_owned(), password_hash.clone());
        self.write(move |connection| users::set_password_hash(connection, &name, &password_hash))
            .await
    }

    async fn remove_user(&self, name: &str) -> Result<bool, MetadataError> {
        let name = name.to_owned();
        self.write(move |connection| users::remove(connection, &name))
            .await
    }

    async fn users(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserRecord>, MetadataError> {
        let last = last.unwrap_or_default().to_owned();
        self.read(move |connection| users::list(connection, &last, limit))
            .await
    }

    async fn add_robot_token(&self, token: &RobotTokenRecord) -> Result<bool, MetadataError> {
        let token = token.clone();
        self.write(move |connection| robot_tokens::add(connection, &token))
            .await
    }

    async fn robot_token(&self, id: &str) -> Result<Option<RobotTokenRecord>, MetadataError> {
        let id = id.to_owned();
        self.read(move |connection| robot_tokens::find(connection, &id))
            .await
    }

    async fn robot_token_named(
        &self,
        name: &str,
    ) -> Result<Option<RobotTokenRecord>, MetadataError> {
        let name = name.to_owned();
        self.read(move |connection| robot_tokens::find_named(connection, &name))
            .await
    }

    async fn revoke_robot_token(
        &self,
        id: &str,
        revoked_at: SystemTime,
    ) -> Result<bool, MetadataError> {
        let (id, revoked_at) = (id.to_owned(), milliseconds(revoked_at));
        self.write(move |connection| robot_tokens::revoke(connection, &id, revoked_at))
            .await
    }

    async fn robot_tokens(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RobotTokenRecord>, MetadataError> {
        let last = last.unwrap_or_default().to_owned();
        self.read(move |connection| robot_tokens::list(connection, &last, limit))
            .await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, MetadataError> {
        self.read(signing_keys::list).await
    }

    async fn add_signing_key(
        &self,
        key: &SigningKeyRecord,
        unless_since: SystemTime,
    ) -> Result<bool, MetadataError> {
        let (key, unless_since) = (key.clone(), milliseconds(unless_since));
        self.write(move |connection| signing_keys::add(connection, &key, unless_since))
            .await
    }

    async fn forget_signing_keys(&self, before: SystemTime) -> Result<u64, MetadataError> {
        let before = milliseconds(before);
        self.write(move |connection| signing_keys::forget(connection, before))
            .await
    }
}
