use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use crate::{Accounts, RobotToken, StoreError, User};

/// Accounts in memory, for tests.
#[derive(Default)]
pub(crate) struct MemoryAccounts(Mutex<Content>);

#[derive(Default)]
pub(crate) struct Content {
    pub(crate) users: HashMap<String, User>,
    pub(crate) tokens: HashMap<String, RobotToken>,
    pub(crate) is_broken: bool,
}

impl MemoryAccounts {
    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Result<MutexGuard<'_, Content>, StoreError> {
        let content = self.content();
        match content.is_broken {
            true => Err(StoreError(Box::new(io::Error::other("broken")))),
            false => Ok(content),
        }
    }

    pub(crate) fn add_user(&self, name: &str, password: &str) {
        let user = User {
            name: name.to_owned(),
            groups: ["staff".to_owned()].into(),
            password_hash: crate::hash_password(&password.into()).expect("a hash"),
            expires_at: None,
        };
        self.content().users.insert(name.to_owned(), user);
    }

    /// Lets a user and a robot expire.
    pub(crate) fn expire(&self, name: &str, id: &str, at: SystemTime) {
        let mut content = self.content();
        let user = content.users.get_mut(name).expect("the user");
        user.expires_at = Some(at);
        let token = content.tokens.get_mut(id).expect("the robot");
        token.expires_at = Some(at);
    }

    pub(crate) fn set_hash(&self, name: &str, hash: &str) {
        let mut content = self.content();
        let user = content.users.get_mut(name).expect("the user");
        user.password_hash = hash.into();
    }

    /// The secret of a new robot, with the grants given.
    pub(crate) fn add_robot(&self, name: &str, grants: Vec<crate::Grant>) -> crate::RobotSecret {
        let secret = crate::RobotSecret::generate().expect("random bytes");
        let token = RobotToken {
            id: secret.id().to_owned(),
            name: name.to_owned(),
            grants,
            secret_hash: crate::hash_password(secret.secret()).expect("a hash"),
            expires_at: None,
        };
        self.content().tokens.insert(token.id.clone(), token);
        secret
    }
}

#[async_trait]
impl Accounts for MemoryAccounts {
    async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        Ok(self.read()?.users.get(name).cloned())
    }

    async fn token(&self, id: &str) -> Result<Option<RobotToken>, StoreError> {
        Ok(self.read()?.tokens.get(id).cloned())
    }
}
