use std::collections::BTreeSet;
use std::fmt;

use berth_auth::Grant;
use serde::{Deserialize, Serialize};

use crate::accounts::{Timestamp, table};

/// What came of something that was done to accounts.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccountOutcome {
    UserAdded(ListedUser),
    PasswordSet { name: String },
    UserRemoved { name: String },
    Users(Vec<ListedUser>),
    TokenAdded(ListedToken),
    TokenRevoked { id: String, name: String },
    Tokens(Vec<ListedToken>),
    KeyRotated { id: String, forgotten: usize },
    Keys(Vec<ListedKey>),
}

/// What came of it, and what else there is to know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct AccountReport {
    #[serde(flatten)]
    pub(crate) outcome: AccountOutcome,
    /// Sentences for whoever had it done, such as that it has no effect yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

impl fmt::Display for AccountReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.outcome.fmt(formatter)?;
        let mut notes = self.notes.iter();
        notes.try_for_each(|note| write!(formatter, "\nnote: {note}"))
    }
}

/// A user, without anything secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ListedUser {
    pub(crate) name: String,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) state: State,
}

/// A token of a robot, without anything secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ListedToken {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) grants: Vec<Grant>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) state: State,
}

/// A signing key, without the key.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ListedKey {
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    /// Whether it signs; the others only verify what they signed before.
    pub(crate) signs: bool,
}

/// Whether an account is good for anything.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Valid,
    Expired,
    Revoked,
}

impl State {
    pub(super) fn of(expires_at: Option<Timestamp>, revoked_at: Option<Timestamp>) -> Self {
        match (revoked_at, expires_at) {
            (Some(_), _) => Self::Revoked,
            (None, Some(expires_at)) if expires_at.has_come() => Self::Expired,
            (None, _) => Self::Valid,
        }
    }
}

impl ListedUser {
    fn row(&self) -> [String; 4] {
        let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        [
            self.name.clone(),
            expiry(self.state, self.expires_at),
            self.created_at.to_string(),
            groups.join(","),
        ]
    }
}

impl ListedToken {
    fn row(&self) -> [String; 5] {
        let state = match self.revoked_at {
            Some(revoked_at) => format!("revoked {revoked_at}"),
            None => expiry(self.state, self.expires_at),
        };
        [
            self.name.clone(),
            self.id.clone(),
            state,
            self.created_at.to_string(),
            self.scope(),
        ]
    }

    fn scope(&self) -> String {
        let grant = |grant: &Grant| {
            let repositories = grant.repositories.texts().join(" ");
            format!("{} in {repositories}", grant.actions)
        };
        let grants: Vec<String> = self.grants.iter().map(grant).collect();
        match grants.is_empty() {
            true => "nothing".to_owned(),
            false => grants.join("; "),
        }
    }
}

impl ListedKey {
    fn row(&self) -> [String; 3] {
        let does = match self.signs {
            true => "signs",
            false => "verifies",
        };
        [
            self.id.clone(),
            self.created_at.to_string(),
            does.to_owned(),
        ]
    }
}

fn expiry(state: State, expires_at: Option<Timestamp>) -> String {
    match (state, expires_at) {
        (_, None) => "never".to_owned(),
        (State::Expired, Some(time)) => format!("expired {time}"),
        (_, Some(time)) => time.to_string(),
    }
}

fn until(expires_at: Option<Timestamp>) -> String {
    match expires_at {
        None => "does not expire".to_owned(),
        Some(time) => format!("expires {time}"),
    }
}

impl fmt::Display for AccountOutcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserAdded(user) => write!(
                formatter,
                "added the user {}, who {}",
                user.name,
                until(user.expires_at)
            ),
            Self::PasswordSet { name } => write!(formatter, "{name} has another password"),
            Self::UserRemoved { name } => write!(formatter, "removed the user {name}"),
            Self::Users(users) => {
                let rows: Vec<_> = users.iter().map(ListedUser::row).collect();
                let titles = ["NAME", "EXPIRES", "ADDED", "GROUPS"];
                formatter.write_str(&table(titles, &rows))
            }
            Self::TokenAdded(token) => write!(
                formatter,
                "added the token {} with the id {}, which {} and may {}",
                token.name,
                token.id,
                until(token.expires_at),
                token.scope()
            ),
            Self::TokenRevoked { id, name } => {
                write!(formatter, "revoked the token {name} with the id {id}")
            }
            Self::Tokens(tokens) => {
                let rows: Vec<_> = tokens.iter().map(ListedToken::row).collect();
                let titles = ["NAME", "ID", "EXPIRES", "ADDED", "MAY"];
                formatter.write_str(&table(titles, &rows))
            }
            Self::KeyRotated { id, forgotten } => {
                write!(
                    formatter,
                    "the new key {id} signs tokens when every server knows it, in two minutes at most"
                )?;
                match forgotten {
                    0 => Ok(()),
                    forgotten => write!(formatter, "; older keys forgotten: {forgotten}"),
                }
            }
            Self::Keys(keys) => {
                let rows: Vec<_> = keys.iter().map(ListedKey::row).collect();
                formatter.write_str(&table(["ID", "MADE", "DOES"], &rows))
            }
        }
    }
}
