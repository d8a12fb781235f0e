use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::time::SystemTime;

use async_trait::async_trait;
use secrecy::SecretString;

use super::MemoryMetadata;
use crate::store::{milliseconds, time_of};
use crate::{AccountStore, MetadataError, RobotTokenRecord, SigningKeyRecord, UserRecord};

#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: BTreeMap<String, UserRecord>,
    robot_tokens: BTreeMap<String, RobotTokenRecord>,
    /// By when it was made, and its id: the newest is the last.
    signing_keys: BTreeMap<(i64, String), SigningKeyRecord>,
}

impl Accounts {
    fn robot_tokens_in_use(&self) -> impl Iterator<Item = &RobotTokenRecord> {
        let tokens = self.robot_tokens.values();
        tokens.filter(|token| token.revoked_at.is_none())
    }
}

#[async_trait]
impl AccountStore for MemoryMetadata {
    async fn add_user(&self, user: &UserRecord) -> Result<bool, MetadataError> {
        let users = &mut self.lock().accounts.users;
        let user = UserRecord {
            created_at: rounded(user.created_at),
            expires_at: user.expires_at.map(rounded),
            ..user.clone()
        };
        Ok(add(users, user.name.clone(), user))
    }

    async fn user(&self, name: &str) -> Result<Option<UserRecord>, MetadataError> {
        Ok(self.lock().accounts.users.get(name).cloned())
    }

    async fn set_password_hash(
        &self,
        name: &str,
        password_hash: &SecretString,
    ) -> Result<bool, MetadataError> {
        let users = &mut self.lock().accounts.users;
        let Some(user) = users.get_mut(name) else {
            return Ok(false);
        };
        user.password_hash = password_hash.clone();
        Ok(true)
    }

    async fn remove_user(&self, name: &str) -> Result<bool, MetadataError> {
        Ok(self.lock().accounts.users.remove(name).is_some())
    }

    async fn users(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<UserRecord>, MetadataError> {
        Ok(page(&self.lock().accounts.users, last, limit))
    }

    async fn add_robot_token(&self, token: &RobotTokenRecord) -> Result<bool, MetadataError> {
        let accounts = &mut self.lock().accounts;
        let mut in_use = accounts.robot_tokens_in_use();
        if token.revoked_at.is_none() && in_use.any(|other| other.name == token.name) {
            return Ok(false);
        }
        drop(in_use);
        let token = RobotTokenRecord {
            created_at: rounded(token.created_at),
            expires_at: token.expires_at.map(rounded),
            revoked_at: token.revoked_at.map(rounded),
            ..token.clone()
        };
        Ok(add(&mut accounts.robot_tokens, token.id.clone(), token))
    }

    async fn robot_token(&self, id: &str) -> Result<Option<RobotTokenRecord>, MetadataError> {
        let accounts = &self.lock().accounts;
        let mut tokens = accounts.robot_tokens_in_use();
        Ok(tokens.find(|token| token.id == id).cloned())
    }

    async fn robot_token_named(
        &self,
        name: &str,
    ) -> Result<Option<RobotTokenRecord>, MetadataError> {
        let accounts = &self.lock().accounts;
        let mut tokens = accounts.robot_tokens_in_use();
        Ok(tokens.find(|token| token.name == name).cloned())
    }

    async fn revoke_robot_token(
        &self,
        id: &str,
        revoked_at: SystemTime,
    ) -> Result<bool, MetadataError> {
        let tokens = &mut self.lock().accounts.robot_tokens;
        let token = tokens.get_mut(id);
        let Some(token) = token.filter(|token| token.revoked_at.is_none()) else {
            return Ok(false);
        };
        token.revoked_at = Some(rounded(revoked_at));
        Ok(true)
    }

    async fn robot_tokens(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RobotTokenRecord>, MetadataError> {
        Ok(page(&self.lock().accounts.robot_tokens, last, limit))
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, MetadataError> {
        let keys = &self.lock().accounts.signing_keys;
        Ok(keys.values().rev().cloned().collect())
    }

    async fn add_signing_key(
        &self,
        key: &SigningKeyRecord,
        unless_since: SystemTime,
    ) -> Result<bool, MetadataError> {
        let keys = &mut self.lock().accounts.signing_keys;
        let unless_since = milliseconds(unless_since);
        let is_refused = |(made_at, id): &(i64, String)| *made_at > unless_since || *id == key.id;
        if keys.keys().any(is_refused) {
            return Ok(false);
        }
        let kept = SigningKeyRecord {
            created_at: rounded(key.created_at),
            ..key.clone()
        };
        keys.insert((milliseconds(key.created_at), key.id.clone()), kept);
        Ok(true)
    }

    async fn forget_signing_keys(&self, before: SystemTime) -> Result<u64, MetadataError> {
        let keys = &mut self.lock().accounts.signing_keys;
        let Some(newest) = keys.pop_last() else {
            return Ok(0);
        };
        let all = keys.len();
        let before = milliseconds(before);
        keys.retain(|(made_at, _), _| *made_at >= before);
        let forgotten = all - keys.len();
        keys.extend([newest]);
        Ok(forgotten as u64)
    }
}

/// Whether the key was free.
fn add<T>(all: &mut BTreeMap<String, T>, key: String, value: T) -> bool {
    match all.entry(key) {
        Entry::Occupied(_) => false,
        Entry::Vacant(place) => {
            place.insert(value);
            true
        }
    }
}

fn page<T: Clone>(all: &BTreeMap<String, T>, last: Option<&str>, limit: u32) -> Vec<T> {
    let after = (Bound::Excluded(last.unwrap_or_default()), Bound::Unbounded);
    let values = all.range::<str, _>(after).map(|(_, value)| value);
    values.take(limit as usize).cloned().collect()
}

/// As a database keeps it: in whole milliseconds.
fn rounded(time: SystemTime) -> SystemTime {
    time_of(milliseconds(time))
}
