use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use crate::passwords::{Htpasswd, Passwords, StoredHash};
use crate::{Accounts, AuthenticationError, Named, RandomError, RobotSecret, RobotToken, User};

/// Who is who by a password or the secret of a robot. What is kept of somebody is read anew each time, so whoever is removed is
/// out at once.
pub(crate) struct Logins {
    htpasswd: Option<Arc<Htpasswd>>,
    accounts: Option<Arc<dyn Accounts>>,
    passwords: Passwords,
}

impl Logins {
    pub(crate) fn new(
        htpasswd: Option<Arc<Htpasswd>>,
        accounts: Option<Arc<dyn Accounts>>,
    ) -> Result<Self, RandomError> {
        Ok(Self {
            htpasswd,
            accounts,
            passwords: Passwords::new()?,
        })
    }

    /// Whoever has this name and password.
    ///
    /// How long a refusal takes does not tell why: one hash is computed for the file and one for the accounts, whether or
    /// not the name is there.
    pub(crate) async fn with_password(
        &self,
        name: &str,
        password: &SecretString,
    ) -> Result<Named, AuthenticationError> {
        let of_file = self.find_in_file(name);
        if let Some(file) = &self.htpasswd {
            let hash = of_file.clone().unwrap_or_else(|| file.of_nobody());
            let is_right = self.passwords.verify(name, password, &hash).await?;
            if is_right && of_file.is_some() {
                return Ok(named(name.to_owned(), BTreeSet::new()));
            }
        }
        if let Some(accounts) = &self.accounts {
            let user = accounts.user(name).await?.filter(is_usable);
            // Otherwise somebody who was removed from the accounts alone, or the file alone, would be there still.
            let user = user.filter(|_| of_file.is_none());
            let hash = user
                .as_ref()
                .and_then(|user| hash_of(&user.name, &user.password_hash));
            let tried = hash.clone().unwrap_or_else(StoredHash::of_nobody_here);
            let is_right = self.passwords.verify(name, password, &tried).await?;
            if let (true, Some(user), Some(_)) = (is_right, user, hash) {
                return Ok(named(user.name, user.groups));
            }
        }
        Err(AuthenticationError::Invalid)
    }

    /// The robot whose secret this is. `None` if the text is none.
    pub(crate) async fn with_robot_secret(
        &self,
        text: &SecretString,
    ) -> Result<Option<Named>, AuthenticationError> {
        let (Some(accounts), Some(shown)) =
            (&self.accounts, RobotSecret::parse(text.expose_secret()))
        else {
            return Ok(None);
        };
        let token = accounts.token(shown.id()).await?.filter(is_valid);
        let hash = token
            .as_ref()
            .and_then(|token| hash_of(&token.id, &token.secret_hash));
        let tried = hash.clone().unwrap_or_else(StoredHash::of_nobody_here);
        let is_right = self
            .passwords
            .verify(shown.id(), shown.secret(), &tried)
            .await?;
        match (is_right, token, hash) {
            (true, Some(token), Some(_)) => Ok(Some(robot(token))),
            _ => Err(AuthenticationError::Invalid),
        }
    }

    fn find_in_file(&self, name: &str) -> Option<StoredHash> {
        self.htpasswd.as_ref().and_then(|file| file.find(name))
    }

    /// How many hashes were computed.
    #[cfg(test)]
    pub(crate) fn computed(&self) -> usize {
        self.passwords.computed()
    }
}

fn named(name: String, groups: BTreeSet<String>) -> Named {
    Named {
        name,
        groups,
        grants: None,
    }
}

fn robot(token: RobotToken) -> Named {
    Named {
        name: format!("token:{}", token.name),
        groups: BTreeSet::new(),
        grants: Some(token.grants),
    }
}

/// Names with a `:` are those of other kinds of identities.
fn is_usable(user: &User) -> bool {
    !is_over(user.expires_at) && !user.name.contains(':')
}

fn is_valid(token: &RobotToken) -> bool {
    !is_over(token.expires_at)
}

fn is_over(expires_at: Option<SystemTime>) -> bool {
    expires_at.is_some_and(|expires_at| expires_at <= SystemTime::now())
}

fn hash_of(account: &str, text: &SecretString) -> Option<StoredHash> {
    let hash = StoredHash::parse(text.expose_secret());
    hash.inspect_err(|error| tracing::error!(account, %error, "nobody can log in to this account"))
        .ok()
}
