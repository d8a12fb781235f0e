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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::memory_accounts::MemoryAccounts;
    use crate::{Actions, Grant, Patterns};

    /// Of the password `secret`.
    const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

    struct Fixture {
        folder: TempDir,
        accounts: Arc<MemoryAccounts>,
        logins: Logins,
    }

    impl Fixture {
        /// `filed` and `both` are in the file, `alice` and `both` in the accounts.
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("passwords");
            fs::write(&path, format!("filed:{BCRYPT}\nboth:{BCRYPT}\n")).expect("a file");
            let file = Arc::new(Htpasswd::load(path).expect("a password file"));
            let accounts = Arc::new(MemoryAccounts::default());
            accounts.add_user("alice", "correct horse");
            accounts.add_user("both", "of the account");
            let logins = Logins::new(Some(file), Some(accounts.clone())).expect("random bytes");
            Self {
                folder,
                accounts,
                logins,
            }
        }

        async fn login(&self, name: &str, password: &str) -> Result<Named, AuthenticationError> {
            self.logins.with_password(name, &password.into()).await
        }

        async fn is_refused(&self, name: &str, password: &str) -> bool {
            matches!(
                self.login(name, password).await,
                Err(AuthenticationError::Invalid)
            )
        }

        async fn robot(&self, secret: &RobotSecret) -> Result<Option<Named>, AuthenticationError> {
            self.logins.with_robot_secret(&secret.text()).await
        }
    }

    fn one_grant() -> Vec<Grant> {
        vec![Grant {
            repositories: Patterns::new(["team/*"]).expect("globs"),
            actions: Actions::ALL,
        }]
    }

    #[tokio::test]
    async fn users_of_the_file_and_of_the_accounts_log_in() {
        let fixture = Fixture::new();
        let filed = fixture.login("filed", "secret").await.expect("a login");
        assert_eq!(filed, named("filed".to_owned(), BTreeSet::new()));
        let alice = fixture
            .login("alice", "correct horse")
            .await
            .expect("a login");
        assert_eq!(
            alice,
            named("alice".to_owned(), ["staff".to_owned()].into())
        );
    }

    #[tokio::test]
    async fn whatever_else_is_refused() {
        let fixture = Fixture::new();
        for (name, password) in [
            ("filed", "Secret"),
            ("filed", ""),
            ("filed", "correct horse"),
            ("alice", "secret"),
            ("Alice", "correct horse"),
            ("alice ", "correct horse"),
            ("nobody", "secret"),
            ("nobody", ""),
            ("", ""),
            ("alice", BCRYPT),
        ] {
            assert!(
                fixture.is_refused(name, password).await,
                "{name} {password}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_in_both_is_that_of_the_file() {
        let fixture = Fixture::new();
        let both = fixture.login("both", "secret").await.expect("a login");
        assert!(both.groups.is_empty());
        assert!(fixture.is_refused("both", "of the account").await);
    }

    #[tokio::test]
    async fn a_refusal_takes_as_many_hashes_whoever_is_named() {
        let fixture = Fixture::new();
        for name in ["filed", "alice", "both", "nobody"] {
            let before = fixture.logins.computed();
            assert!(fixture.is_refused(name, "wrong").await);
            assert_eq!(fixture.logins.computed() - before, 2, "{name}");
            // The same once more is known.
            assert!(fixture.is_refused(name, "wrong").await);
            assert_eq!(fixture.logins.computed() - before, 2, "{name}");
        }
    }

    #[tokio::test]
    async fn a_refused_robot_takes_a_hash_whether_or_not_there_is_one() {
        let fixture = Fixture::new();
        let there = fixture.accounts.add_robot("ci", one_grant());
        let wrong = there
            .text()
            .expose_secret()
            .replace(there.secret().expose_secret(), &"A".repeat(43));
        let missing = RobotSecret::generate().expect("random bytes");
        for text in [wrong.into(), missing.text()] {
            let before = fixture.logins.computed();
            let refused = fixture.logins.with_robot_secret(&text).await;
            assert!(matches!(refused, Err(AuthenticationError::Invalid)));
            assert_eq!(fixture.logins.computed() - before, 1);
        }
    }

    #[tokio::test]
    async fn who_logs_in_again_costs_nothing_until_the_password_changes() {
        let fixture = Fixture::new();
        fixture
            .login("alice", "correct horse")
            .await
            .expect("a login");
        let before = fixture.logins.computed();
        for _ in 0..10 {
            fixture
                .login("alice", "correct horse")
                .await
                .expect("a login");
        }
        assert_eq!(fixture.logins.computed(), before);

        fixture.accounts.add_user("alice", "battery staple");
        assert!(fixture.is_refused("alice", "correct horse").await);
        assert!(fixture.login("alice", "battery staple").await.is_ok());
    }

    #[tokio::test]
    async fn who_is_removed_or_expired_is_out_at_once() {
        let fixture = Fixture::new();
        let secret = fixture.accounts.add_robot("ci", one_grant());
        assert!(fixture.login("alice", "correct horse").await.is_ok());
        assert!(fixture.robot(&secret).await.is_ok());

        let hour = Duration::from_secs(3600);
        for (expires_at, is_out) in [(SystemTime::now() + hour, false), (SystemTime::now(), true)] {
            let mut content = fixture.accounts.content();
            let alice = content.users.get_mut("alice").expect("alice");
            alice.expires_at = Some(expires_at);
            let token = content.tokens.get_mut(secret.id()).expect("the robot");
            token.expires_at = Some(expires_at);
            drop(content);
            assert_eq!(fixture.is_refused("alice", "correct horse").await, is_out);
            assert_eq!(fixture.robot(&secret).await.is_err(), is_out);
        }

        fixture.accounts.content().users.clear();
        fixture.accounts.content().tokens.clear();
        assert!(fixture.is_refused("alice", "correct horse").await);
        assert!(matches!(
            fixture.robot(&secret).await,
            Err(AuthenticationError::Invalid)
        ));
    }

    #[tokio::test]
    async fn a_robot_brings_its_grants() {
        let fixture = Fixture::new();
        let secret = fixture.accounts.add_robot("ci", one_grant());
        let robot = fixture
            .robot(&secret)
            .await
            .expect("a login")
            .expect("a robot");
        assert_eq!(robot.name, "token:ci");
        assert_eq!(robot.grants, Some(one_grant()));
        let none = fixture
            .logins
            .with_robot_secret(&"correct horse".into())
            .await;
        assert!(none.expect("no error").is_none());
    }

    #[tokio::test]
    async fn nobody_takes_the_name_of_another_kind() {
        let fixture = Fixture::new();
        fixture.accounts.add_user("token:ci", "correct horse");
        assert!(fixture.is_refused("token:ci", "correct horse").await);
    }

    #[tokio::test]
    async fn a_hash_that_cannot_be_used_lets_nobody_in() {
        let fixture = Fixture::new();
        let mut content = fixture.accounts.content();
        let alice = content.users.get_mut("alice").expect("alice");
        alice.password_hash = "correct horse".into();
        drop(content);
        assert!(fixture.is_refused("alice", "correct horse").await);
    }

    #[tokio::test]
    async fn accounts_that_cannot_be_read_are_no_refusal() {
        let fixture = Fixture::new();
        let secret = fixture.accounts.add_robot("ci", one_grant());
        fixture.accounts.content().is_broken = true;
        let failed = fixture.login("alice", "correct horse").await;
        assert!(matches!(failed, Err(AuthenticationError::Store(_))));
        assert!(matches!(
            fixture.robot(&secret).await,
            Err(AuthenticationError::Store(_))
        ));
        // Whoever is in the file needs none.
        assert!(fixture.login("filed", "secret").await.is_ok());
    }

    #[tokio::test]
    async fn who_is_taken_out_of_the_file_is_out() {
        let fixture = Fixture::new();
        assert!(fixture.login("filed", "secret").await.is_ok());
        let path = fixture.folder.path().join("passwords");
        fs::write(path, "# nobody\n").expect("a file");
        let file = fixture.logins.htpasswd.as_ref().expect("the file");
        file.refresh();
        assert!(fixture.is_refused("filed", "secret").await);
        // That of the accounts counts now.
        assert!(fixture.login("both", "of the account").await.is_ok());
    }
}
