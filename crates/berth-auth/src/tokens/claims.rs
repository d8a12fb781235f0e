use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Access, Action, Actions, Grant};

/// The type in the header of refresh tokens, and their audience: neither is that of an access token.
pub(super) const REFRESH: &str = "berth-refresh";

/// One entry of the claim `access` in the tokens of Docker registries.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AccessEntry {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    actions: Vec<String>,
}

/// The claims of the registry's own access tokens.
#[derive(Serialize, Deserialize)]
pub(super) struct AccessClaims {
    pub(super) iss: String,
    /// The name of an identity. Missing in anonymous tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    pub(super) aud: String,
    pub(super) exp: u64,
    pub(super) nbf: u64,
    pub(super) iat: u64,
    pub(super) jti: String,
    pub(super) access: Vec<AccessEntry>,
    /// The groups that whoever proved the identity said it belongs to.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) groups: BTreeSet<String>,
    /// What the identity itself carries: the scope of a robot's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) berth_grants: Option<Vec<Grant>>,
}

/// The claims of refresh tokens.
#[derive(Serialize, Deserialize)]
pub(super) struct RefreshClaims {
    pub(super) iss: String,
    /// The name of a user, or the id of a robot's token.
    pub(super) sub: String,
    pub(super) aud: String,
    pub(super) exp: u64,
    pub(super) nbf: u64,
    pub(super) iat: u64,
    pub(super) jti: String,
    /// Whether `sub` is the id of a robot's token.
    #[serde(default)]
    pub(super) berth_robot: bool,
    pub(super) berth_fingerprint: String,
}

impl AccessEntry {
    /// Reads the entry, as the registry itself writes it. `None` for what it does not have.
    pub(super) fn access(&self) -> Option<Access> {
        self.access_by(|text| text.parse::<Action>().map_or(Actions::NONE, Actions::from))
    }

    /// Reads the entry as other token servers mean it: with `*` they mean whatever a client of the distribution
    /// specification can do, and not what only this registry has, such as `admin`.
    pub(super) fn foreign_access(&self) -> Option<Access> {
        self.access_by(|text| match text.parse::<Action>() {
            Ok(Action::Admin) => Actions::NONE,
            Ok(action) => action.into(),
            Err(_) if text == "*" => foreign_actions(),
            Err(_) => Actions::NONE,
        })
    }

    fn access_by(&self, actions_of: impl Fn(&str) -> Actions) -> Option<Access> {
        if self.kind == "registry" {
            let is_catalog = self.name == "catalog" && self.actions.iter().any(|text| text == "*");
            return is_catalog.then_some(Access::Catalog);
        }
        if self.kind != "repository" {
            return None;
        }
        let actions = self.actions.iter().map(|text| actions_of(text));
        let actions = actions.fold(Actions::NONE, |all, some| all | some);
        let name = self.name.parse().ok()?;
        (!actions.is_empty()).then_some(Access::Repository { name, actions })
    }
}

/// All that a token of others can give.
pub(super) fn foreign_actions() -> Actions {
    let known = [Action::Pull, Action::Push, Action::Delete];
    known.into_iter().collect()
}

impl From<&Access> for AccessEntry {
    fn from(access: &Access) -> Self {
        match access {
            Access::Repository { name, actions } => Self {
                kind: "repository".to_owned(),
                name: name.to_string(),
                actions: actions
                    .iter()
                    .map(|action| action.as_str().to_owned())
                    .collect(),
            },
            Access::Catalog => Self {
                kind: "registry".to_owned(),
                name: "catalog".to_owned(),
                actions: vec!["*".to_owned()],
            },
        }
    }
}
