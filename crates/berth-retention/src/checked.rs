use std::time::{Duration, SystemTime};

use berth_spec::{GlobError, Globs, RepositoryName, Tag};

use crate::Rule;

/// The key of the list of globs that are of repositories, not of tags.
const REPOSITORIES: &str = "repositories";

/// A [`Rule`] that makes sense.
#[derive(Clone, Debug)]
pub struct CheckedRule {
    number: usize,
    rule: Rule,
    repositories: Globs,
    tags: Globs,
    protect: Globs,
}

/// Why a rule is a mistake. Rules are numbered from 1, in their order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A pattern is no glob.
    #[error("retention rule {number}: {pattern:?} in {key} is not a pattern: {why}")]
    Pattern {
        /// The rule.
        number: usize,
        /// The list that has the pattern.
        key: &'static str,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The rule is for no repository.
    #[error(
        "retention rule {0} is for no repository: leave out repositories, for all, or name some, as in [\"library/**\"]"
    )]
    NoRepositories(usize),
    /// It names tags, and does not say which of them go.
    #[error(
        "retention rule {0} names tags and does not say which of them go: add keep_newest = 10 or older_than = \"30d\", or leave out tags"
    )]
    NoLimit(usize),
    /// It says which tags go, and names none.
    #[error(
        "retention rule {number} has {key} and names no tags that it is about: add tags = [\"*\"], or leave out {key}"
    )]
    NoTags {
        /// The rule.
        number: usize,
        /// What it has.
        key: &'static str,
    },
    /// It would keep nothing at all.
    #[error(
        "retention rule {number}: {key} must be more than 0; leave it out if you do not need it"
    )]
    Zero {
        /// The rule.
        number: usize,
        /// What is nothing.
        key: &'static str,
    },
    /// An earlier rule governs all repositories.
    #[error(
        "retention rule {number} never comes into effect, because rule {earlier} before it is for all repositories: move it up"
    )]
    Unreachable {
        /// The rule.
        number: usize,
        /// The one before.
        earlier: usize,
    },
}

impl CheckedRule {
    /// Checks the rule of that number.
    ///
    /// # Errors
    /// When it can only be a mistake; the error says what to change.
    pub fn new(number: usize, rule: Rule) -> Result<Self, RuleError> {
        if rule.repositories.is_empty() {
            return Err(RuleError::NoRepositories(number));
        }
        let limits = [
            ("keep_newest", rule.keep_newest.map(|count| count == 0)),
            ("older_than", rule.older_than.map(|age| age.is_zero())),
        ];
        let untagged_after = rule.untagged_after.map(|age| age.is_zero());
        let given = limits
            .into_iter()
            .chain([("untagged_after", untagged_after)]);
        if let Some((key, _)) = given.into_iter().find(|(_, zero)| *zero == Some(true)) {
            return Err(RuleError::Zero { number, key });
        }
        let limit = limits.into_iter().find(|(_, zero)| zero.is_some());
        match limit {
            None if !rule.tags.is_empty() => return Err(RuleError::NoLimit(number)),
            Some((key, _)) if rule.tags.is_empty() => {
                return Err(RuleError::NoTags { number, key });
            }
            _ => {}
        }
        Ok(Self {
            number,
            repositories: globs(number, REPOSITORIES, &rule.repositories)?,
            tags: globs(number, "tags", &rule.tags)?,
            protect: globs(number, "protect", &rule.protect)?,
            rule,
        })
    }

    /// From 1, in the order of the rules.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Whether the repository is among those that the rule is for.
    pub fn is_for(&self, repository: &RepositoryName) -> bool {
        self.repositories.match_name(repository.as_str())
    }

    pub(crate) fn is_for_all(&self) -> bool {
        self.rule.repositories.iter().any(|glob| glob == Rule::ALL)
    }

    pub(crate) fn protects(&self, tag: &Tag) -> bool {
        self.protect.match_name(tag.as_str())
    }

    /// Whether the age of a tag that is not protected decides.
    pub(crate) fn governs(&self, tag: &Tag) -> bool {
        self.tags.match_name(tag.as_str())
    }

    pub(crate) fn keep_newest(&self) -> usize {
        let count = self.rule.keep_newest.unwrap_or(0);
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// Whether a tag that is not among the newest was set long enough ago.
    pub(crate) fn is_old(&self, updated_at: SystemTime, now: SystemTime) -> bool {
        let older_than = self.rule.older_than;
        older_than.is_none_or(|age| is_past(updated_at, age, now))
    }

    pub(crate) fn untagged_after(&self) -> Option<Duration> {
        self.rule.untagged_after
    }
}

/// Whether a time was so long ago.
pub(crate) fn is_past(time: SystemTime, age: Duration, now: SystemTime) -> bool {
    now.duration_since(time).is_ok_and(|passed| passed >= age)
}

/// What matches nothing, or less than it seems to, is told, since what it was to protect would go.
fn globs(number: usize, key: &'static str, patterns: &[String]) -> Result<Globs, RuleError> {
    let globs = Globs::try_from(patterns.to_vec()).and_then(|globs| {
        match key == REPOSITORIES {
            true => globs.check_repositories()?,
            false => globs.check_tags()?,
        }
        Ok(globs)
    });
    globs.map_err(|GlobError { text, why }| RuleError::Pattern {
        number,
        key,
        pattern: text,
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    fn for_repositories(globs: &[&str]) -> CheckedRule {
        let rule = Rule {
            repositories: texts(globs),
            ..Rule::default()
        };
        CheckedRule::new(1, rule).unwrap()
    }

    #[test]
    fn one_star_stays_between_slashes_and_two_do_not() {
        for (globs, name, is_for) in [
            (&["**"][..], "a/b/c", true),
            (&["*"], "a", true),
            (&["*"], "a/b", false),
            (&["library/*"], "library/alpine", true),
            (&["library/*"], "library/alpine/edge", false),
            (&["library/**"], "library/alpine/edge", true),
            (&["library/**"], "library", false),
            (&["library/**"], "my/library/alpine", false),
            (&["**/cache"], "a/b/cache", true),
            (&["**/cache"], "cache", true),
            (&["**/cache"], "a/cache/b", false),
            (&["a", "b/*"], "b/c", true),
            (&["{dev,test}-*"], "test-1", true),
            (&["{dev,test}-*"], "prod-1", false),
        ] {
            let name = name.parse().unwrap();
            assert_eq!(
                for_repositories(globs).is_for(&name),
                is_for,
                "{globs:?} {name}"
            );
        }
    }

    #[test]
    fn mistakes_say_which_rule_and_what_to_do() {
        let some = || Rule {
            tags: texts(&["*"]),
            keep_newest: Some(1),
            ..Rule::default()
        };
        let second = Duration::from_secs(1);
        for (rule, told) in [
            (
                Rule {
                    repositories: Vec::new(),
                    ..some()
                },
                "leave out repositories",
            ),
            (
                Rule {
                    keep_newest: None,
                    untagged_after: Some(second),
                    ..some()
                },
                "add keep_newest",
            ),
            (
                Rule {
                    tags: Vec::new(),
                    ..some()
                },
                "has keep_newest and names no tags",
            ),
            (
                Rule {
                    tags: Vec::new(),
                    keep_newest: None,
                    older_than: Some(second),
                    ..some()
                },
                "has older_than and names no tags",
            ),
            (
                Rule {
                    keep_newest: Some(0),
                    ..some()
                },
                "keep_newest must be more than 0",
            ),
            (
                Rule {
                    older_than: Some(Duration::ZERO),
                    ..some()
                },
                "older_than must be more than 0",
            ),
            (
                Rule {
                    untagged_after: Some(Duration::ZERO),
                    ..some()
                },
                "untagged_after must be more than 0",
            ),
            (
                Rule {
                    protect: texts(&["v*", "v[1"]),
                    ..some()
                },
                "\"v[1\" in protect is not a pattern: unclosed character class",
            ),
            (
                Rule {
                    protect: texts(&["prod**"]),
                    ..some()
                },
                "\"prod**\" in protect is not a pattern: ** is not alone",
            ),
            (
                Rule {
                    tags: texts(&["team/v*"]),
                    ..some()
                },
                "\"team/v*\" in tags is not a pattern: a tag has no /",
            ),
            (
                Rule {
                    repositories: texts(&["team**"]),
                    ..some()
                },
                "\"team**\" in repositories is not a pattern: ** is not alone",
            ),
            (
                Rule {
                    repositories: texts(&["team/"]),
                    ..some()
                },
                "neither begins nor ends with /",
            ),
            (
                Rule {
                    repositories: texts(&["Team"]),
                    ..some()
                },
                "has no upper case letters",
            ),
        ] {
            let error = CheckedRule::new(7, rule).unwrap_err().to_string();
            assert!(error.starts_with("retention rule 7"), "{error}");
            assert!(error.contains(told), "{error}");
        }
        assert!(CheckedRule::new(7, some()).is_ok());
        assert!(CheckedRule::new(7, Rule::default()).is_ok());
    }

    #[test]
    fn what_is_set_in_the_future_is_not_old() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let (hour, second) = (Duration::from_secs(3600), Duration::from_secs(1));
        assert!(is_past(now - second, second, now));
        assert!(!is_past(now, second, now));
        assert!(!is_past(now + hour, second, now));
        assert!(!is_past(now, Duration::MAX, now));
    }
}
