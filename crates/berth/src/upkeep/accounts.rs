mod effect;
mod keys;
mod outcome;
mod record;
mod robot_tokens;
mod users;

use berth_metadata::AccountStore;
use serde::{Deserialize, Serialize};

use super::Upkeep;
use crate::accounts::{Hash, StoredAccounts};
pub(crate) use effect::AccountEffect;
pub(crate) use outcome::{AccountOutcome, AccountReport};
pub(crate) use robot_tokens::NewToken;
pub(crate) use users::NewUser;

/// What is to be done to users, tokens of robots and signing keys. Of passwords and secrets it has hashes only.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccountTask {
    AddUser(NewUser),
    SetPassword {
        name: String,
        password_hash: Hash,
    },
    RemoveUser {
        name: String,
    },
    ListUsers,
    AddToken(NewToken),
    RevokeToken {
        /// Its name or its id.
        token: String,
    },
    ListTokens,
    RotateKey {
        /// Whether the older ones are forgotten at once, with all that they signed.
        forget_older: bool,
    },
    ListKeys,
}

impl AccountTask {
    /// Whether it lets somebody in, so that it makes sense in a folder that has no registry yet.
    pub(crate) fn adds(&self) -> bool {
        matches!(self, Self::AddUser(_) | Self::AddToken(_))
    }

    /// Whether it only tells what is there.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self, Self::ListUsers | Self::ListTokens | Self::ListKeys)
    }
}

impl Upkeep {
    /// Who may come in, and what signs tokens.
    pub(crate) fn accounts(&self) -> StoredAccounts {
        StoredAccounts::new(self.metadata.clone())
    }

    /// Whether anybody was ever to be asked who they are, though all may be gone again: there is a user, or a
    /// robot's token even if it is revoked, or a signing key, of which the last is never forgotten. Nobody becomes
    /// everybody because the last account is removed.
    pub(crate) async fn had_accounts(&self) -> anyhow::Result<bool> {
        let store: &dyn AccountStore = &*self.metadata;
        Ok(!store.users(None, 1).await?.is_empty()
            || !store.robot_tokens(None, 1).await?.is_empty()
            || !store.signing_keys().await?.is_empty())
    }

    /// Does what is to be done to accounts, and records it, to the end: also if whoever waits for it goes away.
    pub(super) async fn change_accounts(
        &self,
        task: &AccountTask,
    ) -> anyhow::Result<AccountReport> {
        let (upkeep, task) = (self.clone(), task.clone());
        let change = self.changes.clone().read_owned().await;
        let done = tokio::spawn(async move {
            let done = upkeep.change_and_record(&task).await;
            drop(change);
            done
        });
        done.await?
    }

    /// Waits until nothing is done to accounts any more. From then on nothing is, for good.
    pub(crate) async fn end_changes(&self) {
        std::mem::forget(self.changes.write().await);
    }

    async fn change_and_record(&self, task: &AccountTask) -> anyhow::Result<AccountReport> {
        let audit = self.audit.as_ref().filter(|_| !task.only_reads());
        if let Some(audit) = audit {
            audit.check()?;
        }
        let done = self.carry_out(task).await?;
        if let (Some(audit), Some(record)) = (audit, record::record(&done)) {
            audit.record(record).await;
        }
        let notes = self.effect.note(task).map(str::to_owned);
        Ok(AccountReport {
            outcome: done,
            notes: notes.into_iter().collect(),
        })
    }

    async fn carry_out(&self, task: &AccountTask) -> anyhow::Result<AccountOutcome> {
        match task {
            AccountTask::AddUser(user) => self.add_user(user).await,
            AccountTask::SetPassword {
                name,
                password_hash,
            } => self.set_password(name, password_hash).await,
            AccountTask::RemoveUser { name } => self.remove_user(name).await,
            AccountTask::ListUsers => self.list_users().await,
            AccountTask::AddToken(token) => self.add_token(token).await,
            AccountTask::RevokeToken { token } => self.revoke_token(token).await,
            AccountTask::ListTokens => self.list_tokens().await,
            AccountTask::RotateKey { forget_older } => self.rotate_key(*forget_older).await,
            AccountTask::ListKeys => self.list_keys().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_arrives_whole_and_shows_no_hash() {
        let hash = || Hash("$argon2id$a-hash".into());
        let user = NewUser {
            name: "alice".to_owned(),
            password_hash: hash(),
            groups: ["ops".to_owned()].into(),
            expires_at: None,
        };
        let token = NewToken {
            id: "0123".to_owned(),
            name: "ci".to_owned(),
            secret_hash: hash(),
            grants: Vec::new(),
            expires_at: None,
        };
        let password = AccountTask::SetPassword {
            name: "alice".to_owned(),
            password_hash: hash(),
        };
        for task in [
            AccountTask::AddUser(user),
            AccountTask::AddToken(token),
            password,
        ] {
            assert!(!format!("{task:?}").contains("a-hash"), "{task:?}");
            let sent = serde_json::to_string(&task).unwrap();
            let arrived: AccountTask = serde_json::from_str(&sent).unwrap();
            assert_eq!(serde_json::to_string(&arrived).unwrap(), sent);
            assert!(sent.contains("a-hash"));
        }
    }
}
