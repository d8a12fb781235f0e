use std::collections::BTreeMap;
use std::ops::BitOr;

use berth_spec::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{Action, Actions, Grant, Identity, Named, Patterns};

/// A rule: who may do what where, as a table of the configuration says it. Rules only allow: whoever no rule allows
/// something may not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Globs of the repositories that it is about. All, if not given.
    #[serde(default = "Patterns::all")]
    pub repositories: Patterns,
    /// Whom it allows something: globs of identities (`alice`, `token:ci-*`, `certificate:*`), `group:<name>`, `anonymous` for
    /// everybody, with or without a name, or `authenticated` for everybody with one.
    pub who: Vec<Subject>,
    /// What it allows.
    pub actions: Actions,
}

/// Whom a rule allows something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// `anonymous`: everybody.
    Everybody,
    /// `authenticated`: everybody with a name.
    Authenticated,
    /// `group:<name>`: everybody in this group.
    Group(String),
    /// A glob of names.
    Name(Patterns),
}

impl Subject {
    fn is(&self, identity: &Identity, groups: &Groups) -> bool {
        let Identity::Named(named) = identity else {
            return *self == Self::Everybody;
        };
        match self {
            Self::Everybody | Self::Authenticated => true,
            Self::Group(group) => groups.have(group, named),
            Self::Name(names) => names.matches(&named.name),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = crate::PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(match (text.as_str(), text.strip_prefix("group:")) {
            ("anonymous", _) => Self::Everybody,
            ("authenticated", _) => Self::Authenticated,
            (_, Some(group)) => Self::Group(group.to_owned()),
            _ => Self::Name(Patterns::new([text])?),
        })
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Everybody => "anonymous".to_owned(),
            Subject::Authenticated => "authenticated".to_owned(),
            Subject::Group(group) => format!("group:{group}"),
            Subject::Name(names) => names.texts().concat(),
        }
    }
}

/// The groups of the configuration: for each, globs of the identities in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Groups(BTreeMap<String, Patterns>);

impl Groups {
    fn have(&self, group: &str, named: &Named) -> bool {
        let members = self.0.get(group);
        named.groups.contains(group) || members.is_some_and(|members| members.matches(&named.name))
    }
}

impl FromIterator<(String, Patterns)> for Groups {
    fn from_iter<I: IntoIterator<Item = (String, Patterns)>>(groups: I) -> Self {
        Self(groups.into_iter().collect())
    }
}

/// All rules. They know nothing of what the registry holds, so nothing that they decide tells of it.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    groups: Groups,
}

impl Rules {
    /// These rules, over these groups.
    pub fn new(rules: Vec<Rule>, groups: Groups) -> Self {
        Self { rules, groups }
    }

    /// What holds where authentication is on and no rule is given: everybody with a name may pull, push and delete
    /// everywhere.
    pub fn default_for_authenticated() -> Self {
        let rule = Rule {
            repositories: Patterns::all(),
            who: vec![Subject::Authenticated],
            actions: [Action::Pull, Action::Push, Action::Delete]
                .into_iter()
                .collect(),
        };
        Self::new(vec![rule], Groups::default())
    }

    /// What an identity may do in a repository.
    pub fn actions(&self, identity: &Identity, repository: &RepositoryName) -> Actions {
        if let Some(grants) = grants(identity) {
            let actions = grants.iter().map(|grant| grant.actions_in(repository));
            return actions.fold(Actions::NONE, BitOr::bitor);
        }
        self.of(identity)
            .filter(|rule| rule.repositories.match_repository(repository))
            .fold(Actions::NONE, |actions, rule| actions | rule.actions)
    }

    /// Whether there may be repositories from which an identity may pull.
    pub fn allow_pull_somewhere(&self, identity: &Identity) -> bool {
        let has_pull = |actions: Actions| actions.contains(Action::Pull);
        match grants(identity) {
            Some(grants) => grants.iter().any(|grant| has_pull(grant.actions)),
            None => self.of(identity).any(|rule| has_pull(rule.actions)),
        }
    }

    /// Whether an identity may pull from every repository, whatever its name.
    pub fn allow_pull_everywhere(&self, identity: &Identity) -> bool {
        let is_everywhere = |repositories: &Patterns, actions: Actions| {
            repositories.are_everything() && actions.contains(Action::Pull)
        };
        match grants(identity) {
            Some(grants) => grants
                .iter()
                .any(|grant| is_everywhere(&grant.repositories, grant.actions)),
            None => self
                .of(identity)
                .any(|rule| is_everywhere(&rule.repositories, rule.actions)),
        }
    }

    fn of(&self, identity: &Identity) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| {
            let mut who = rule.who.iter();
            who.any(|subject| subject.is(identity, &self.groups))
        })
    }
}

fn grants(identity: &Identity) -> Option<&[Grant]> {
    match identity {
        Identity::Named(named) => named.grants.as_deref(),
        Identity::Anonymous => None,
    }
}
