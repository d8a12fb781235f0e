use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::ensure;
use berth_metadata::UserRecord;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::AccountOutcome;
use super::outcome::{ListedUser, State};
use crate::accounts::{Hash, Timestamp};
use crate::upkeep::Upkeep;

/// How many users are read at once.
const PAGE: u32 = 1000;

/// A user to be added.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NewUser {
    pub(crate) name: String,
    pub(crate) password_hash: Hash,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Upkeep {
    pub(super) async fn add_user(&self, user: &NewUser) -> anyhow::Result<AccountOutcome> {
        let name = &user.name;
        let record = UserRecord {
            name: name.clone(),
            password_hash: user.password_hash.0.clone(),
            groups: user.groups.clone(),
            created_at: SystemTime::now(),
            expires_at: user.expires_at.map(|time| time.0),
        };
        ensure!(
            self.metadata.add_user(&record).await?,
            "there is a user {name} already; berth user password gives another password, berth user remove makes room"
        );
        info!(user = name, "a user was added");
        Ok(AccountOutcome::UserAdded(listed(record)))
    }

    pub(super) async fn set_password(
        &self,
        name: &str,
        hash: &Hash,
    ) -> anyhow::Result<AccountOutcome> {
        let changed = self.metadata.set_password_hash(name, &hash.0).await?;
        ensure!(changed, unknown(name));
        info!(user = name, "a user has another password");
        let name = name.to_owned();
        Ok(AccountOutcome::PasswordSet { name })
    }

    pub(super) async fn remove_user(&self, name: &str) -> anyhow::Result<AccountOutcome> {
        ensure!(self.metadata.user(name).await?.is_some(), unknown(name));
        // A removed user leaves nothing, and a key stays: so the next start knows that there was one.
        self.have_a_key().await?;
        ensure!(self.metadata.remove_user(name).await?, unknown(name));
        info!(user = name, "a user was removed");
        let name = name.to_owned();
        Ok(AccountOutcome::UserRemoved { name })
    }

    pub(super) async fn list_users(&self) -> anyhow::Result<AccountOutcome> {
        let mut users: Vec<ListedUser> = Vec::new();
        loop {
            let last = users.last().map(|user| user.name.clone());
            let page = self.metadata.users(last.as_deref(), PAGE).await?;
            if page.is_empty() {
                return Ok(AccountOutcome::Users(users));
            }
            users.extend(page.into_iter().map(listed));
        }
    }
}

fn unknown(name: &str) -> String {
    format!("there is no user {name:?}; berth user list shows those there are")
}

fn listed(record: UserRecord) -> ListedUser {
    let expires_at = record.expires_at.map(Timestamp);
    ListedUser {
        name: record.name,
        groups: record.groups,
        created_at: Timestamp(record.created_at),
        expires_at,
        state: State::of(expires_at, None),
    }
}
