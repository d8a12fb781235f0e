use secrecy::{ExposeSecret, SecretString};

use super::{Kept, Logins};
use crate::RobotSecret;
use crate::names::is_presentable;

impl Logins {
    /// Whether this was lately found to be the password of this name, or the secret of a robot, and the account is as
    /// it was. Nothing is hashed, and what cannot be looked up is not remembered.
    pub(crate) async fn remember(&self, name: &str, password: &SecretString) -> bool {
        let shown = RobotSecret::parse(password.expose_secret());
        if let Some(shown) = shown.filter(|_| self.accounts.is_some()) {
            let robot = self.find_robot(shown.id()).await.ok().flatten();
            let (id, secret) = (shown.id(), shown.secret());
            return robot
                .is_some_and(|Kept { hash, .. }| self.robot_secrets.remember(id, secret, &hash));
        }
        if !is_presentable(name) {
            return false;
        }
        // As with a password that is verified: a name in the file is nobody else.
        let kept = match self.find_in_file(name) {
            Some(kept) => Some(kept),
            None => self.find_user(name).await.ok().flatten(),
        };
        kept.is_some_and(|kept| self.passwords.remember(name, password, &kept.hash))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::memory_accounts::MemoryAccounts;

    #[tokio::test]
    async fn what_was_right_is_remembered_until_the_account_changes_and_nothing_else_is() {
        let accounts = Arc::new(MemoryAccounts::default());
        accounts.add_user("alice", "correct horse");
        let robot = accounts.add_robot("ci", Vec::new());
        let logins = Logins::new(None, Some(accounts.clone())).expect("random bytes");
        let right: SecretString = "correct horse".into();
        let wrong: SecretString = "wrong".into();
        assert!(!logins.remember("alice", &right).await);
        assert!(!logins.remember("any", &robot.text()).await);
        let refused = logins.with_password("alice", &wrong).await;
        assert!(refused.is_err());
        let found = logins.with_password("alice", &right).await;
        found.expect("alice");
        let found = logins.with_robot_secret(&robot.text()).await;
        found.expect("an answer").expect("a robot");
        let computed = logins.computed();
        assert!(logins.remember("alice", &right).await);
        assert!(logins.remember("any", &robot.text()).await);
        assert!(logins.remember("", &robot.text()).await);
        assert!(!logins.remember("alice", &wrong).await);
        assert!(!logins.remember("bob", &right).await);
        assert_eq!(logins.computed(), computed);
        accounts.add_user("alice", "battery staple");
        assert!(!logins.remember("alice", &right).await);
    }
}
