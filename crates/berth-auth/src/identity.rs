use std::collections::BTreeSet;
use std::fmt;

use berth_spec::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{Actions, Patterns};

/// Who asks, once that is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nobody said who asks.
    #[default]
    Anonymous,
    /// Somebody with a name.
    Named(Named),
    /// Somebody whose credential says what may be done, but not who it is: it counts as whoever has no name, where names
    /// count.
    Nameless(Vec<Grant>),
}

/// Somebody with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// `alice` for a user with a password, and with the kind in front for all others: `token:<name>` for
    /// a robot's, `certificate:<common name>`, `oidc:<issuer's label>:<subject>`, `external:<subject>` for that of an external
    /// token server. User names have no `:`.
    pub name: String,
    /// The groups that whoever proved the identity says it belongs to; the configuration may add more.
    pub groups: BTreeSet<String>,
    /// What the identity itself carries, instead of what rules give it: the scope of a robot's token.
    pub grants: Option<Vec<Grant>>,
}

/// Actions in some repositories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Which repositories.
    pub repositories: Patterns,
    /// What may be done there.
    pub actions: Actions,
}

impl Identity {
    /// Somebody with this name, in no group.
    pub fn named(name: impl Into<String>) -> Self {
        Self::Named(Named {
            name: name.into(),
            groups: BTreeSet::new(),
            grants: None,
        })
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Anonymous | Self::Nameless(_) => None,
            Self::Named(named) => Some(&named.name),
        }
    }

    /// What it carries instead of what rules give it.
    pub(crate) fn grants(&self) -> Option<&[Grant]> {
        match self {
            Self::Anonymous => None,
            Self::Named(named) => named.grants.as_deref(),
            Self::Nameless(grants) => Some(grants),
        }
    }

    /// Whether nobody said who asks.
    pub fn is_anonymous(&self) -> bool {
        *self == Self::Anonymous
    }
}

impl Grant {
    /// What it gives in this repository.
    pub fn actions_in(&self, repository: &RepositoryName) -> Actions {
        match self.repositories.match_repository(repository) {
            true => self.actions,
            false => Actions::NONE,
        }
    }
}

/// Its name, or `anonymous`.
impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name().unwrap_or("anonymous"))
    }
}
