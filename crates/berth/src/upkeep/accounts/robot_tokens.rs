use std::time::SystemTime;

use anyhow::{Context, ensure};
use berth_auth::Grant;
use berth_metadata::RobotTokenRecord;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

use super::AccountOutcome;
use super::outcome::{ListedToken, State};
use crate::accounts::{Hash, Timestamp, grants, scope};
use crate::upkeep::Upkeep;

/// How many tokens are read at once.
const PAGE: u32 = 1000;

/// A token of a robot to be added.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NewToken {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) secret_hash: Hash,
    pub(crate) grants: Vec<Grant>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Upkeep {
    pub(super) async fn add_token(&self, token: &NewToken) -> anyhow::Result<AccountOutcome> {
        let (id, name) = (&token.id, &token.name);
        let record = RobotTokenRecord {
            id: id.clone(),
            name: name.clone(),
            secret_hash: token.secret_hash.0.clone(),
            scope: scope(&token.grants)?,
            created_at: SystemTime::now(),
            expires_at: token.expires_at.map(|time| time.0),
            revoked_at: None,
        };
        let added = self.metadata.add_robot_token(&record).await;
        let added = added.with_context(|| {
            format!(
                "it is not known whether the token was added, and nobody has its secret: if berth token list shows it, \
                 berth token revoke {name} makes room"
            )
        })?;
        ensure!(
            added,
            "there is a token {name} already; berth token revoke makes room"
        );
        info!(token = name, id, "a token was added");
        Ok(AccountOutcome::TokenAdded(listed(record)))
    }

    pub(super) async fn revoke_token(&self, token: &str) -> anyhow::Result<AccountOutcome> {
        // No name looks like an id.
        let by_id = self.metadata.robot_token(token).await?;
        let found = match by_id {
            Some(found) => Some(found),
            None => self.metadata.robot_token_named(token).await?,
        };
        let unknown = || {
            format!(
                "there is no token {token:?} that is not revoked; berth token list shows those there are"
            )
        };
        let RobotTokenRecord { id, name, .. } = found.with_context(unknown)?;
        let now = SystemTime::now();
        let revoked = self.metadata.revoke_robot_token(&id, now).await?;
        ensure!(revoked, unknown());
        info!(token = name, id, "a token was revoked");
        Ok(AccountOutcome::TokenRevoked { id, name })
    }

    pub(super) async fn list_tokens(&self) -> anyhow::Result<AccountOutcome> {
        let mut tokens: Vec<ListedToken> = Vec::new();
        let mut last: Option<String> = None;
        loop {
            let page = self.metadata.robot_tokens(last.as_deref(), PAGE).await?;
            let Some(newest) = page.last() else {
                break;
            };
            last = Some(newest.id.clone());
            tokens.extend(page.into_iter().map(listed));
        }
        // Whoever reads that looks for a name; the last of a name may be in use.
        tokens.sort_by(|a, b| (&a.name, a.created_at).cmp(&(&b.name, b.created_at)));
        Ok(AccountOutcome::Tokens(tokens))
    }
}

fn listed(record: RobotTokenRecord) -> ListedToken {
    let expires_at = record.expires_at.map(Timestamp);
    let revoked_at = record.revoked_at.map(Timestamp);
    let grants = grants(&record.scope).unwrap_or_else(|error| {
        // Such a token is good for nothing.
        error!(token = record.name, id = record.id, %error, "what a token may do cannot be read");
        Vec::new()
    });
    ListedToken {
        id: record.id,
        name: record.name,
        grants,
        created_at: Timestamp(record.created_at),
        expires_at,
        revoked_at,
        state: State::of(expires_at, revoked_at),
    }
}
