use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use berth_auth::{Accounts, Grant, RobotToken, SigningKeyStore, StoreError, StoredKey, User};
use berth_metadata::{AccountStore, RobotTokenRecord, SigningKeyRecord, UserRecord};

/// Users, tokens of robots and signing keys of the metadata, as authentication wants them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct StoredAccounts(Arc<dyn AccountStore>);

impl StoredAccounts {
    /// Those of this store.
    pub(crate) fn new(store: Arc<dyn AccountStore>) -> Self {
        Self(store)
    }
}

#[async_trait]
impl Accounts for StoredAccounts {
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        Ok(self.0.user(name).await.map_err(failed)?.map(user))
    }

    async fn token(&self, id: &str) -> Result<Option<RobotToken>, StoreError> {
        let token = self.0.robot_token(id).await.map_err(failed)?;
        token.map(robot_token).transpose()
    }
}

#[async_trait]
impl SigningKeyStore for StoredAccounts {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let keys = self.0.signing_keys().await.map_err(failed)?;
        Ok(keys.into_iter().map(stored_key).collect())
    }

    async fn add(&self, key: &StoredKey, unless_since: SystemTime) -> Result<(), StoreError> {
        let added = self.0.add_signing_key(&key_record(key), unless_since).await;
        added.map(drop).map_err(failed)
    }

    async fn forget(&self, before: SystemTime) -> Result<(), StoreError> {
        let forgotten = self.0.forget_signing_keys(before).await;
        forgotten.map(drop).map_err(failed)
    }
}

fn user(record: UserRecord) -> User {
    User {
        name: record.name,
        groups: record.groups,
        password_hash: record.password_hash,
        expires_at: record.expires_at,
    }
}

fn robot_token(record: RobotTokenRecord) -> Result<RobotToken, StoreError> {
    Ok(RobotToken {
        grants: grants(&record.scope)?,
        id: record.id,
        name: record.name,
        secret_hash: record.secret_hash,
        expires_at: record.expires_at,
    })
}

/// What a robot may do, as [`scope`] wrote it.
pub(crate) fn grants(scope: &str) -> Result<Vec<Grant>, StoreError> {
    serde_json::from_str(scope).map_err(failed)
}

/// Grants, as the metadata keeps them.
pub(crate) fn scope(grants: &[Grant]) -> Result<String, StoreError> {
    serde_json::to_string(grants).map_err(failed)
}

fn stored_key(record: SigningKeyRecord) -> StoredKey {
    StoredKey {
        id: record.id,
        private_key: record.private_key,
        created_at: record.created_at,
    }
}

fn key_record(key: &StoredKey) -> SigningKeyRecord {
    SigningKeyRecord {
        id: key.id.clone(),
        private_key: key.private_key.clone(),
        created_at: key.created_at,
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use berth_auth::{Action, Patterns};
    use berth_metadata::MemoryMetadata;
    use secrecy::ExposeSecret;

    fn moment(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn accounts() -> (StoredAccounts, Arc<MemoryMetadata>) {
        let store = Arc::new(MemoryMetadata::default());
        (StoredAccounts::new(store.clone()), store)
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(work)
    }

    #[test]
    fn users_are_what_was_stored() {
        let (accounts, store) = accounts();
        let record = UserRecord {
            name: "alice".to_owned(),
            password_hash: "a hash".into(),
            groups: ["ops".to_owned()].into(),
            created_at: moment(1),
            expires_at: Some(moment(2)),
        };
        run(store.add_user(&record)).unwrap();
        let user = run(accounts.user("alice")).unwrap().unwrap();
        assert_eq!((user.name, user.groups), (record.name, record.groups));
        assert_eq!(user.password_hash.expose_secret(), "a hash");
        assert_eq!(user.expires_at, Some(moment(2)));
        assert!(run(accounts.user("bob")).unwrap().is_none());
    }

    #[test]
    fn tokens_are_what_was_stored_until_they_are_revoked() {
        let (accounts, store) = accounts();
        let grant = Grant {
            repositories: Patterns::new(["team/*", "{a,b}/**"]).unwrap(),
            actions: [Action::Pull, Action::Delete].into_iter().collect(),
        };
        let record = RobotTokenRecord {
            id: "0123".to_owned(),
            name: "ci".to_owned(),
            secret_hash: "a hash".into(),
            scope: scope(std::slice::from_ref(&grant)).unwrap(),
            created_at: moment(1),
            expires_at: None,
            revoked_at: None,
        };
        run(store.add_robot_token(&record)).unwrap();
        let token = run(accounts.token("0123")).unwrap().unwrap();
        assert_eq!((token.name, token.grants), (record.name, vec![grant]));
        assert_eq!(token.secret_hash.expose_secret(), "a hash");
        assert_eq!(token.expires_at, None);
        run(store.revoke_robot_token("0123", moment(3))).unwrap();
        assert!(run(accounts.token("0123")).unwrap().is_none());
    }

    #[test]
    fn a_scope_that_cannot_be_read_is_an_error_and_no_scope() {
        let (accounts, store) = accounts();
        for (id, scope) in [
            "",
            "{}",
            "[{}]",
            "[{\"repositories\":[\"[\"],\"actions\":[]}]",
        ]
        .into_iter()
        .enumerate()
        {
            let record = RobotTokenRecord {
                id: id.to_string(),
                name: id.to_string(),
                secret_hash: "a hash".into(),
                scope: scope.to_owned(),
                created_at: moment(1),
                expires_at: None,
                revoked_at: None,
            };
            run(store.add_robot_token(&record)).unwrap();
            assert!(run(accounts.token(&id.to_string())).is_err(), "{scope}");
        }
    }

    #[test]
    fn keys_are_kept_in_order_and_forgotten() {
        let (accounts, _) = accounts();
        let key = |id: &str, made_at| StoredKey {
            id: id.to_owned(),
            private_key: format!("the key {id}").into(),
            created_at: moment(made_at),
        };
        let ids = || -> Vec<String> {
            let keys = run(accounts.keys()).unwrap();
            keys.into_iter().map(|key| key.id).collect()
        };
        run(accounts.add(&key("a", 10), moment(0))).unwrap();
        run(accounts.add(&key("b", 20), moment(10))).unwrap();
        run(accounts.add(&key("late", 21), moment(10))).unwrap();
        assert_eq!(ids(), ["b", "a"]);
        let newest = run(accounts.keys()).unwrap().remove(0);
        assert_eq!(newest.private_key.expose_secret(), "the key b");
        assert_eq!(newest.created_at, moment(20));
        run(accounts.forget(moment(100))).unwrap();
        assert_eq!(ids(), ["b"]);
    }
}
