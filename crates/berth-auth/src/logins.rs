mod remembered;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use crate::names::is_presentable;
use crate::passwords::{Htpasswd, Passwords, StoredHash};
use crate::{
    Accounts, AuthenticationError, Fingerprint, Named, RandomError, Refresh, RefreshSubject,
    RobotSecret, RobotToken, StoreError, User,
};

/// Who is who by a password or the secret of a robot. What is kept of somebody is read anew each time, so whoever is removed is
/// refused from then on.
pub(crate) struct Logins {
    htpasswd: Option<Arc<Htpasswd>>,
    accounts: Option<Arc<dyn Accounts>>,
    passwords: Passwords,
    /// Apart, so that strangers who guess passwords do not keep robots waiting.
    robot_secrets: Passwords,
}

/// Somebody whose password or secret is right.
pub(crate) struct Login {
    pub(crate) named: Named,
    /// What a refresh token for it says.
    pub(crate) refresh: Refresh,
    /// When what is kept of it ends.
    pub(crate) expires_at: Option<SystemTime>,
}

/// What is kept of somebody.
struct Kept {
    login: Login,
    hash: StoredHash,
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
            robot_secrets: Passwords::new()?,
        })
    }

    /// Whoever has this name and password.
    ///
    /// How long a refusal takes does not tell why: one hash is computed for the file and one for the accounts, whether or
    /// not the name is there. It takes as long if the hashes have the same costs: in the file those of the costliest, among the
    /// accounts those of [`hash_password`](crate::hash_password).
    pub(crate) async fn with_password(
        &self,
        name: &str,
        password: &SecretString,
    ) -> Result<Login, AuthenticationError> {
        let in_file = self.find_in_file(name).filter(|_| is_presentable(name));
        let is_in_file = in_file.is_some();
        if let Some(file) = &self.htpasswd {
            let login = self
                .check(name, password, in_file, || file.of_nobody())
                .await?;
            if let Some(login) = login {
                return Ok(login);
            }
        }
        if self.accounts.is_some() {
            let user = match is_presentable(name) {
                true => self.find_user(name).await?,
                false => None,
            };
            // With the other password of such a name, somebody who was removed from the file would be there still.
            let user = user.filter(|_| !is_in_file);
            let nobody = StoredHash::of_nobody_here;
            if let Some(login) = self.check(name, password, user, nobody).await? {
                return Ok(login);
            }
        }
        Err(AuthenticationError::Invalid)
    }

    /// The robot whose secret this is. `None` if the text is none.
    ///
    /// Nothing is hashed for an id that does not exist: nobody finds one of 64 random bits, and to know one is worth
    /// nothing without its 256.
    pub(crate) async fn with_robot_secret(
        &self,
        text: &SecretString,
    ) -> Result<Option<Login>, AuthenticationError> {
        let shown = RobotSecret::parse(text.expose_secret());
        let Some(shown) = shown.filter(|_| self.accounts.is_some()) else {
            return Ok(None);
        };
        let robot = self.find_robot(shown.id()).await?;
        let Kept { login, hash } = robot.ok_or(AuthenticationError::Invalid)?;
        let secrets = &self.robot_secrets;
        match secrets.verify(shown.id(), shown.secret(), &hash).await? {
            true => Ok(Some(login)),
            false => Err(AuthenticationError::Invalid),
        }
    }

    /// Whoever a refresh token stands for, if their password or secret is still the one that it was issued for.
    pub(crate) async fn refreshed(&self, refresh: &Refresh) -> Result<Login, AuthenticationError> {
        let kept = match &refresh.subject {
            RefreshSubject::Robot(id) => self.find_robot(id).await?,
            RefreshSubject::User(name) => match self.find_in_file(name) {
                Some(kept) => Some(kept),
                None => self.find_user(name).await?,
            },
        };
        let kept = kept.filter(|kept| kept.login.refresh == *refresh);
        let kept = kept.ok_or(AuthenticationError::Invalid)?;
        Ok(kept.login)
    }

    /// Whoever is kept, if it is their password. It takes as long for nobody.
    async fn check(
        &self,
        name: &str,
        password: &SecretString,
        kept: Option<Kept>,
        nobody: impl FnOnce() -> StoredHash,
    ) -> Result<Option<Login>, AuthenticationError> {
        let (login, hash) = match kept {
            Some(kept) => (Some(kept.login), kept.hash),
            None => (None, nobody()),
        };
        let is_right = self.passwords.verify(name, password, &hash).await?;
        Ok(login.filter(|_| is_right))
    }

    fn find_in_file(&self, name: &str) -> Option<Kept> {
        let hash = self.htpasswd.as_ref()?.find(name)?;
        let named = Named {
            name: name.to_owned(),
            groups: BTreeSet::new(),
            grants: None,
        };
        let subject = RefreshSubject::User(name.to_owned());
        Some(Kept::new(named, subject, hash, None))
    }

    async fn find_user(&self, name: &str) -> Result<Option<Kept>, StoreError> {
        let user = match &self.accounts {
            Some(accounts) => accounts.user(name).await?,
            None => None,
        };
        Ok(user.filter(is_usable).and_then(Kept::user))
    }

    async fn find_robot(&self, id: &str) -> Result<Option<Kept>, StoreError> {
        let token = match &self.accounts {
            Some(accounts) => accounts.token(id).await?,
            None => None,
        };
        Ok(token.filter(is_valid).and_then(Kept::robot))
    }

    /// How many hashes were computed.
    #[cfg(test)]
    fn computed(&self) -> usize {
        self.passwords.computed() + self.robot_secrets.computed()
    }
}

impl Kept {
    fn new(
        named: Named,
        subject: RefreshSubject,
        hash: StoredHash,
        expires_at: Option<SystemTime>,
    ) -> Self {
        let fingerprint = Fingerprint::of(hash.text());
        let refresh = Refresh {
            subject,
            fingerprint,
        };
        let login = Login {
            named,
            refresh,
            expires_at,
        };
        Self { login, hash }
    }

    fn user(user: User) -> Option<Self> {
        let hash = hash_of(&user.name, &user.password_hash)?;
        let subject = RefreshSubject::User(user.name.clone());
        let named = Named {
            name: user.name,
            groups: user.groups,
            grants: None,
        };
        Some(Self::new(named, subject, hash, user.expires_at))
    }

    fn robot(token: RobotToken) -> Option<Self> {
        let hash = hash_of(&token.id, &token.secret_hash)?;
        let named = Named {
            name: format!("token:{}", token.name),
            groups: BTreeSet::new(),
            grants: Some(token.grants),
        };
        let subject = RefreshSubject::Robot(token.id);
        Some(Self::new(named, subject, hash, token.expires_at))
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
    use crate::{Actions, Grant, Identity, Patterns};

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
            let login = self.logins.with_password(name, &password.into()).await?;
            Ok(login.named)
        }

        async fn is_refused(&self, name: &str, password: &str) -> bool {
            matches!(
                self.login(name, password).await,
                Err(AuthenticationError::Invalid)
            )
        }

        async fn robot(&self, secret: &RobotSecret) -> Result<Option<Named>, AuthenticationError> {
            let login = self.logins.with_robot_secret(&secret.text()).await?;
            Ok(login.map(|login| login.named))
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
        assert_eq!(Identity::Named(filed), Identity::named("filed"));
        let alice = fixture
            .login("alice", "correct horse")
            .await
            .expect("a login");
        assert_eq!(alice.name, "alice");
        assert_eq!(alice.groups, ["staff".to_owned()].into());
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
    async fn a_refused_robot_takes_a_hash_only_if_there_is_one() {
        let fixture = Fixture::new();
        let there = fixture.accounts.add_robot("ci", one_grant());
        let wrong = there
            .text()
            .expose_secret()
            .replace(there.secret().expose_secret(), &"A".repeat(43));
        let missing = RobotSecret::generate().expect("random bytes");
        for (text, hashes) in [(wrong.into(), 1), (missing.text(), 0)] {
            let before = fixture.logins.computed();
            let refused = fixture.logins.with_robot_secret(&text).await;
            assert!(matches!(refused, Err(AuthenticationError::Invalid)));
            assert_eq!(fixture.logins.computed() - before, hashes);
        }
    }

    #[tokio::test]
    async fn a_flood_of_passwords_does_not_keep_robots_out() {
        let fixture = Fixture::new();
        let secret = fixture.accounts.add_robot("ci", one_grant());
        let _flood = fixture.logins.passwords.occupy().await;
        assert!(fixture.robot(&secret).await.is_ok());
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
            fixture.accounts.expire("alice", secret.id(), expires_at);
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
    async fn a_name_that_is_too_long_is_nobodys_and_takes_as_many_hashes() {
        let fixture = Fixture::new();
        for (length, is_known) in [(255, true), (256, false)] {
            let name = "a".repeat(length);
            fixture.accounts.add_user(&name, "correct horse");
            let before = fixture.logins.computed();
            assert_eq!(fixture.is_refused(&name, "correct horse").await, !is_known);
            assert_eq!(fixture.logins.computed() - before, 2, "{length}");
        }
    }

    #[tokio::test]
    async fn a_hash_that_cannot_be_used_lets_nobody_in() {
        let fixture = Fixture::new();
        fixture.accounts.set_hash("alice", "correct horse");
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
