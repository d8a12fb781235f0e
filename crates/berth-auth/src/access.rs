use std::fmt;

use berth_spec::RepositoryName;

use crate::{Action, Actions};

/// Something that a request wants to do: what a token's scope names, and what a challenge asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Actions in a repository: `repository:<name>:<action>,<action>`.
    Repository {
        /// The repository.
        name: RepositoryName,
        /// All of these.
        actions: Actions,
    },
    /// The list of repositories: `registry:catalog:*`.
    Catalog,
}

impl Access {
    /// One action in a repository.
    pub fn to(name: &RepositoryName, action: Action) -> Self {
        Self::Repository {
            name: name.clone(),
            actions: action.into(),
        }
    }

    /// Reads one scope of a token request. `None` for what this registry does not have (other types, no known
    /// action): such a scope is granted to nobody. `*` stands for every action.
    pub fn parse(scope: &str) -> Option<Self> {
        if let Some(actions) = scope.strip_prefix("registry:catalog:") {
            return actions
                .split(',')
                .any(|action| action == "*")
                .then_some(Self::Catalog);
        }
        // A name may have a port of another registry before it, so the actions are read from the right.
        let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
        let actions: Actions = actions
            .split(',')
            .map(actions_of)
            .fold(Actions::NONE, |all, some| all | some);
        let name = name.parse().ok()?;
        (!actions.is_empty()).then_some(Self::Repository { name, actions })
    }
}

fn actions_of(text: &str) -> Actions {
    match text {
        "*" => Actions::ALL,
        text => text.parse::<Action>().map_or(Actions::NONE, Actions::from),
    }
}

/// As a scope.
impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository { name, actions } => write!(formatter, "repository:{name}:{actions}"),
            Self::Catalog => formatter.write_str("registry:catalog:*"),
        }
    }
}
