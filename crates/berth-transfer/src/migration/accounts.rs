use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use berth_metadata::{AccountStore, RobotTokenRecord, UserRecord};
use berth_progress::{Progress, Unit};
use secrecy::ExposeSecret;

use super::{AccountCounts, Extra};
use crate::{Finding, TransferError, Watcher};

/// How many are read at once.
const PAGE: u32 = 256;

/// The copying of accounts from one store to another.
struct Accounts<'a> {
    from: &'a dyn AccountStore,
    to: &'a dyn AccountStore,
    extra: Extra,
    watcher: &'a dyn Watcher,
    counts: AccountCounts,
}

/// Makes users, tokens and signing keys the same at both ends.
pub(super) async fn copy_accounts(
    from: &dyn AccountStore,
    to: &dyn AccountStore,
    extra: Extra,
    watcher: &dyn Watcher,
) -> Result<AccountCounts, TransferError> {
    watcher.tell(&Progress::begin("copying accounts", Unit::Items, None));
    let mut accounts = Accounts {
        from,
        to,
        extra,
        watcher,
        counts: AccountCounts::default(),
    };
    accounts.copy_users().await?;
    accounts.copy_tokens().await?;
    accounts.copy_keys().await?;
    Ok(accounts.counts)
}

impl Accounts<'_> {
    async fn copy_users(&mut self) -> Result<(), TransferError> {
        let source = users(self.from).await?;
        let destination = users(self.to).await?;
        for (name, user) in &source {
            match destination.get(name) {
                Some(there) if is_same_user(there, user) => {
                    self.counts.kept += 1;
                    continue;
                }
                Some(_) => drop(self.to.remove_user(name).await?),
                None => {}
            }
            self.to.add_user(user).await?;
            self.counts.copied += 1;
        }
        for name in destination.keys() {
            if source.contains_key(name) {
                continue;
            }
            match self.extra {
                Extra::Keep => self.differs(format!("the user {name} is at the destination alone")),
                Extra::Delete => {
                    self.to.remove_user(name).await?;
                    self.counts.removed += 1;
                }
            }
        }
        Ok(())
    }

    async fn copy_tokens(&mut self) -> Result<(), TransferError> {
        let source = tokens(self.from).await?;
        let destination = tokens(self.to).await?;
        for (id, there) in &destination {
            if !source.contains_key(id) && there.revoked_at.is_none() {
                self.drop_token(there).await?;
            }
        }
        // Revoked ones first: their names are free then.
        let (revoked, good): (Vec<_>, Vec<_>) = source
            .values()
            .partition(|token| token.revoked_at.is_some());
        for token in revoked.into_iter().chain(good) {
            self.copy_token(token, destination.get(&token.id)).await?;
        }
        Ok(())
    }

    async fn drop_token(&mut self, token: &RobotTokenRecord) -> Result<(), TransferError> {
        let name = &token.name;
        match self.extra {
            Extra::Keep => self.differs(format!("the token {name} is at the destination alone")),
            Extra::Delete => {
                let now = SystemTime::now();
                self.to.revoke_robot_token(&token.id, now).await?;
                self.counts.removed += 1;
            }
        }
        Ok(())
    }

    async fn copy_token(
        &mut self,
        token: &RobotTokenRecord,
        there: Option<&RobotTokenRecord>,
    ) -> Result<(), TransferError> {
        let (id, name) = (&token.id, &token.name);
        match (there, token.revoked_at) {
            (None, _) => match self.to.add_robot_token(token).await? {
                true => self.counts.copied += 1,
                false => self.differs(format!(
                    "the token {name} is another one at the destination: revoke it there, and run again"
                )),
            },
            (Some(there), Some(revoked_at)) if there.revoked_at.is_none() => {
                self.to.revoke_robot_token(id, revoked_at).await?;
                self.counts.copied += 1;
            }
            (Some(there), None) if there.revoked_at.is_some() => {
                self.differs(format!("the token {name} is revoked at the destination alone"));
            }
            (Some(_), _) => self.counts.kept += 1,
        }
        Ok(())
    }

    /// Keys that the destination made itself stay: they sign only what it is to accept.
    async fn copy_keys(&mut self) -> Result<(), TransferError> {
        let source = self.from.signing_keys().await?;
        let there = self.to.signing_keys().await?;
        for key in &source {
            if there.iter().any(|there| there.id == key.id) {
                self.counts.kept += 1;
                continue;
            }
            // However old it is, and whatever newer ones there are.
            let never = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40);
            self.to.add_signing_key(key, never).await?;
            self.counts.copied += 1;
        }
        // What the source has forgotten, as a stolen key is, must not be good at the destination.
        let oldest = source.iter().map(|key| key.created_at).min();
        let oldest = oldest.filter(|_| self.extra == Extra::Delete);
        if let Some(oldest) = oldest {
            self.counts.removed += self.to.forget_signing_keys(oldest).await?;
        }
        Ok(())
    }

    fn differs(&mut self, what: String) {
        self.counts.differences += 1;
        self.watcher.found(&Finding::Differs { what });
    }
}

fn is_same_user(one: &UserRecord, other: &UserRecord) -> bool {
    one.password_hash.expose_secret() == other.password_hash.expose_secret()
        && one.groups == other.groups
        && one.created_at == other.created_at
        && one.expires_at == other.expires_at
}

async fn users(store: &dyn AccountStore) -> Result<BTreeMap<String, UserRecord>, TransferError> {
    let mut all = BTreeMap::new();
    let mut last: Option<String> = None;
    loop {
        let page = store.users(last.as_deref(), PAGE).await?;
        let Some(end) = page.last() else {
            return Ok(all);
        };
        last = Some(end.name.clone());
        all.extend(page.into_iter().map(|user| (user.name.clone(), user)));
    }
}

async fn tokens(
    store: &dyn AccountStore,
) -> Result<BTreeMap<String, RobotTokenRecord>, TransferError> {
    let mut all = BTreeMap::new();
    let mut last: Option<String> = None;
    loop {
        let page = store.robot_tokens(last.as_deref(), PAGE).await?;
        let Some(end) = page.last() else {
            return Ok(all);
        };
        last = Some(end.id.clone());
        all.extend(page.into_iter().map(|token| (token.id.clone(), token)));
    }
}
