mod prefixes;

use std::collections::BTreeMap;
use std::ops::BitOr;

use berth_spec::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{Action, Actions, Identity, Named, PatternError, Patterns};

/// A rule: who may do what where, as a table of the configuration says it. Rules only allow: whoever no rule allows
/// something may not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Globs of the repositories that it is about. All, if not given.
    #[serde(default = "Patterns::all")]
    pub repositories: Patterns,
    /// Whom it allows something: globs of identities (`alice`, `token:ci-*`, `certificate:*`), `group:<name>`, `anonymous` for
    /// everybody, with or without a name, or `authenticated` for everybody with one, whoever that is: at a public issuer
    /// of OpenID Connect tokens, anybody.
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
    /// A glob of names: [`Patterns::of_identities`].
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
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(match (text.as_str(), text.strip_prefix("group:")) {
            ("anonymous", _) => Self::Everybody,
            ("authenticated", _) => Self::Authenticated,
            (_, Some(group)) => Self::Group(group.to_owned()),
            _ => Self::Name(Patterns::of_identities([text])?),
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
#[serde(try_from = "BTreeMap<String, Vec<String>>")]
pub struct Groups(BTreeMap<String, Patterns>);

impl Groups {
    fn have(&self, group: &str, named: &Named) -> bool {
        let members = self.0.get(group);
        named.groups.contains(group) || members.is_some_and(|members| members.matches(&named.name))
    }
}

impl TryFrom<BTreeMap<String, Vec<String>>> for Groups {
    type Error = PatternError;

    fn try_from(groups: BTreeMap<String, Vec<String>>) -> Result<Self, Self::Error> {
        let groups = groups.into_iter();
        groups
            .map(|(group, members)| Ok((group, Patterns::of_identities(members)?)))
            .collect()
    }
}

/// The globs are those of [`Patterns::of_identities`].
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

    /// What holds where authentication is on and no rule is given: every user with a password may pull, push and delete
    /// everywhere. Subjects of OpenID Connect issuers, certificates and whoever else has the name of a kind before a `:` may do
    /// nothing until a rule says so: strangers get tokens of public issuers too.
    pub fn default_for_authenticated() -> Self {
        // `*` is a glob.
        let users = Patterns::of_identities(["*"]).unwrap_or_else(|_| Patterns::none());
        let rule = Rule {
            repositories: Patterns::all(),
            who: vec![Subject::Name(users)],
            actions: [Action::Pull, Action::Push, Action::Delete]
                .into_iter()
                .collect(),
        };
        Self::new(vec![rule], Groups::default())
    }

    /// What an identity may do in a repository.
    pub fn actions(&self, identity: &Identity, repository: &RepositoryName) -> Actions {
        if let Some(grants) = identity.grants() {
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
        match identity.grants() {
            Some(grants) => grants.iter().any(|grant| has_pull(grant.actions)),
            None => self.of(identity).any(|rule| has_pull(rule.actions)),
        }
    }

    /// Whether an identity may pull from every repository, whatever its name.
    pub fn allow_pull_everywhere(&self, identity: &Identity) -> bool {
        let is_everywhere = |repositories: &Patterns, actions: Actions| {
            repositories.are_everything() && actions.contains(Action::Pull)
        };
        match identity.grants() {
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

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::Grant;

    const REPOSITORIES: &[&str] = &["a", "b", "a/b", "a/b/c", "b/a"];
    const GLOBS: &[&str] = &["**", "*", "a", "a/*", "a/**", "{a,b}", "*/b"];
    const NAMES: &[&str] = &["alice", "bob", "token:ci", "certificate:node", "oidc:ci:a"];
    const SUBJECTS: &[&str] = &[
        "anonymous",
        "authenticated",
        "group:one",
        "group:two",
        "group:none",
        "alice",
        "token:*",
        "*",
        "*:*",
    ];

    fn patterns(texts: &[&str]) -> Patterns {
        Patterns::new(texts.iter().copied()).expect("globs")
    }

    fn actions() -> impl Strategy<Value = Actions> {
        subsequence(Action::ALL.to_vec(), 0..=4).prop_map(Actions::from_iter)
    }

    fn rule() -> impl Strategy<Value = Rule> {
        let repositories = subsequence(GLOBS.to_vec(), 0..3);
        let who = subsequence(SUBJECTS.to_vec(), 0..3);
        (repositories, who, actions()).prop_map(|(repositories, who, actions)| Rule {
            repositories: patterns(&repositories),
            who: who.into_iter().map(subject).collect(),
            actions,
        })
    }

    fn subject(text: &str) -> Subject {
        Subject::try_from(text.to_owned()).expect("a subject")
    }

    fn identity() -> impl Strategy<Value = Identity> {
        let grant = (select(GLOBS), actions()).prop_map(|(glob, actions)| Grant {
            repositories: patterns(&[glob]),
            actions,
        });
        let groups = btree_set(select(&["one", "two"][..]).prop_map(str::to_owned), 0..2);
        let grants = proptest::option::weighted(0.3, vec(grant, 0..3));
        let named = (select(NAMES), groups, grants).prop_map(|(name, groups, grants)| {
            let name = name.to_owned();
            Identity::Named(Named {
                name,
                groups,
                grants,
            })
        });
        prop_oneof![1 => Just(Identity::Anonymous), 5 => named]
    }

    fn repository() -> impl Strategy<Value = RepositoryName> {
        select(REPOSITORIES).prop_map(|name| name.parse().expect("a name"))
    }

    fn groups() -> Groups {
        toml::from_str("one = ['alice', 'oidc:*:a']").expect("groups")
    }

    proptest! {
        #[test]
        fn actions_are_a_union(rules in vec(rule(), 0..6), identity in identity(), repository in repository()) {
            let all = Rules::new(rules.clone(), groups());
            let alone = rules.into_iter().map(|rule| Rules::new(vec![rule], groups()));
            let union = match identity.grants() {
                None => alone.fold(Actions::NONE, |all, one| all | one.actions(&identity, &repository)),
                Some(grants) => grants.iter().fold(Actions::NONE, |all, grant| all | grant.actions_in(&repository)),
            };
            prop_assert_eq!(all.actions(&identity, &repository), union);
        }

        #[test]
        fn what_anonymous_callers_may_do_everybody_without_grants_may(
            rules in vec(rule(), 0..6), name in select(NAMES), repository in repository(),
        ) {
            let rules = Rules::new(rules, groups());
            let anonymous = rules.actions(&Identity::Anonymous, &repository);
            let named = rules.actions(&Identity::named(name), &repository);
            prop_assert_eq!(anonymous & named, anonymous);
        }

        #[test]
        fn everywhere_and_somewhere_are_true_of_each_repository(
            rules in vec(rule(), 0..6), identity in identity(), repository in repository(),
        ) {
            let rules = Rules::new(rules, groups());
            let may_pull = rules.actions(&identity, &repository).contains(Action::Pull);
            prop_assert!(may_pull || !rules.allow_pull_everywhere(&identity));
            prop_assert!(!may_pull || rules.allow_pull_somewhere(&identity));
        }

        #[test]
        fn rules_are_read_as_they_are_written(rules in vec(rule(), 1..4)) {
            let table: BTreeMap<&str, Vec<Rule>> = [("rule", rules)].into();
            let text = toml::to_string(&table).expect("TOML");
            let read: BTreeMap<&str, Vec<Rule>> = toml::from_str(&text).expect("rules");
            prop_assert_eq!(read, table);
        }
    }

    #[test]
    fn unknown_names_may_do_nothing() {
        let rule = Rule {
            repositories: Patterns::all(),
            who: vec![
                subject("alice"),
                subject("group:one"),
                subject("token:ci-*"),
            ],
            actions: Actions::ALL,
        };
        let rules = Rules::new(vec![rule], groups());
        let repository = "a".parse().expect("a name");
        for name in [
            "",
            "bob",
            "Alice",
            "alice ",
            "alice/x",
            "one",
            "group:one",
            "token:ci",
        ] {
            let actions = rules.actions(&Identity::named(name), &repository);
            assert!(actions.is_empty(), "{name}");
        }
        assert!(rules.actions(&Identity::Anonymous, &repository).is_empty());
        for name in [
            "alice",
            "oidc:any:a",
            "oidc:any:b/c:a",
            "token:ci-7",
            "token:ci-a/b",
        ] {
            let actions = rules.actions(&Identity::named(name), &repository);
            assert_eq!(actions, Actions::ALL, "{name}");
        }
    }

    #[test]
    fn nobody_is_in_a_group_by_its_name_alone() {
        let rules = Rules::new(
            vec![Rule {
                repositories: Patterns::all(),
                who: vec![subject("group:two")],
                actions: Action::Pull.into(),
            }],
            groups(),
        );
        let repository = "a".parse().expect("a name");
        assert!(
            rules
                .actions(&Identity::named("group:two"), &repository)
                .is_empty()
        );
        let member = Identity::Named(Named {
            name: "bob".to_owned(),
            groups: ["two".to_owned()].into(),
            grants: None,
        });
        assert_eq!(rules.actions(&member, &repository), Action::Pull.into());
    }

    #[test]
    fn a_rule_with_a_misspelt_key_is_refused() {
        let wrong = "repository = ['a']\nwho = ['alice']\nactions = ['pull']";
        let error = toml::from_str::<Rule>(wrong)
            .expect_err("an error")
            .to_string();
        assert!(error.contains("repository"), "{error}");
        let wrong = "who = ['alice']\nactions = ['write']";
        let error = toml::from_str::<Rule>(wrong)
            .expect_err("an error")
            .to_string();
        assert!(error.contains("write"), "{error}");
    }
}
