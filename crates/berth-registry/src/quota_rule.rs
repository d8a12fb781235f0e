use berth_metadata::{Quota, Scope};
use berth_spec::RepositoryName;
use serde::{Deserialize, Serialize};

use crate::{GlobError, Globs, byte_count};

/// How much some repositories may hold, as a table of the configuration says it.
///
/// Bytes are the sizes of the distinct blobs that a repository is linked to, and of its manifests,
/// whatever other repositories share them. If several tables are about a repository, all hold. What adds nothing
/// always passes, even if there is too much already. Room comes back when tags, manifests and blobs are
/// deleted, and when garbage collection has removed what nothing needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct QuotaRule {
    holders: Holders,
    bytes: Option<u64>,
    tags: Option<u64>,
}

/// Whom a [`QuotaRule`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holders {
    /// Each repository that matches, by itself.
    Repositories(Globs),
    /// The repository of this name and all below it (`team`, `team/app`), together.
    Namespace(RepositoryName),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    repositories: Option<Globs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<RepositoryName>,
    #[serde(default, with = "byte_count", skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<u64>,
}

/// A table of a quota is a mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaRuleError {
    /// A pattern could match nothing.
    #[error("in a quota, {0}")]
    Pattern(#[from] GlobError),
    /// It is for nobody, or unclear for whom.
    #[error(
        "a quota needs either repositories = [\"team/*\"], for each of them by itself, or namespace = \"team\", for all of team and team/... together"
    )]
    Holders,
    /// It limits nothing.
    #[error("a quota needs bytes = \"10GiB\" or tags = 1000, or both")]
    NoLimit,
}

impl QuotaRule {
    /// At most so many bytes, if they are limited, and tags, if these are.
    ///
    /// # Errors
    /// When it is for nobody, or can be, or nothing is limited.
    pub fn new(
        holders: Holders,
        bytes: Option<u64>,
        tags: Option<u64>,
    ) -> Result<Self, QuotaRuleError> {
        if let Holders::Repositories(globs) = &holders {
            if globs.is_empty() {
                return Err(QuotaRuleError::Holders);
            }
            globs.check_repositories()?;
        }
        if bytes.is_none() && tags.is_none() {
            return Err(QuotaRuleError::NoLimit);
        }
        Ok(Self {
            holders,
            bytes,
            tags,
        })
    }

    /// The quota of this repository by this rule, if it is about it.
    pub fn of(&self, repository: &RepositoryName) -> Option<Quota> {
        let scope = match &self.holders {
            Holders::Repositories(globs) => {
                let matches = globs.match_name(repository.as_str());
                matches.then(|| Scope::Repository(repository.clone()))
            }
            Holders::Namespace(name) => {
                let scope = Scope::Namespace(name.clone());
                scope.contains(repository).then_some(scope)
            }
        };
        Some(Quota {
            scope: scope?,
            bytes: self.bytes,
            tags: self.tags,
        })
    }
}

impl TryFrom<Table> for QuotaRule {
    type Error = QuotaRuleError;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let holders = match (table.repositories, table.namespace) {
            (Some(globs), None) => Holders::Repositories(globs),
            (None, Some(name)) => Holders::Namespace(name),
            _ => return Err(QuotaRuleError::Holders),
        };
        Self::new(holders, table.bytes, table.tags)
    }
}

impl From<QuotaRule> for Table {
    fn from(rule: QuotaRule) -> Self {
        let (repositories, namespace) = match rule.holders {
            Holders::Repositories(globs) => (Some(globs), None),
            Holders::Namespace(name) => (None, Some(name)),
        };
        Self {
            repositories,
            namespace,
            bytes: rule.bytes,
            tags: rule.tags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_written_back() {
        for (text, bytes, tags) in [
            (
                "repositories = [\"team/*\"]\nbytes = \"10GiB\"",
                Some(10 << 30),
                None,
            ),
            (
                "namespace = \"team\"\nbytes = 1000\ntags = 5",
                Some(1000),
                Some(5),
            ),
            ("namespace = \"team/app\"\ntags = 0", None, Some(0)),
        ] {
            let rule: QuotaRule = toml::from_str(text).unwrap();
            assert_eq!((rule.bytes, rule.tags), (bytes, tags), "{text}");
            let written = toml::to_string(&rule).unwrap();
            assert_eq!(toml::from_str::<QuotaRule>(&written).unwrap(), rule);
        }
    }

    #[test]
    fn a_rule_is_about_each_repository_or_about_a_namespace() {
        let name = |text: &str| text.parse::<RepositoryName>().unwrap();
        let each: QuotaRule = toml::from_str("repositories = [\"team/*\"]\ntags = 5").unwrap();
        let quota = each.of(&name("team/app")).unwrap();
        assert_eq!(quota.scope, Scope::Repository(name("team/app")));
        assert_eq!((quota.bytes, quota.tags), (None, Some(5)));
        assert_eq!(each.of(&name("team/app/deep")), None);
        let together: QuotaRule = toml::from_str("namespace = \"team\"\nbytes = 9").unwrap();
        for inside in ["team", "team/app", "team/app/deep"] {
            let quota = together.of(&name(inside)).unwrap();
            assert_eq!(quota.scope, Scope::Namespace(name("team")));
        }
        assert_eq!(together.of(&name("teams")), None);
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("tags = 5", "either repositories"),
            ("tags = 5\nrepositories = []", "either repositories"),
            (
                "tags = 5\nrepositories = [\"team**\"]",
                "\"team**\" is not a pattern: ** is not alone",
            ),
            (
                "tags = 5\nrepositories = [\"TEAM\"]",
                "in a quota, \"TEAM\" is not a pattern: the name of a repository has no upper",
            ),
            (
                "tags = 5\nrepositories = [\"*\"]\nnamespace = \"team\"",
                "either repositories",
            ),
            ("namespace = \"team\"", "bytes = \"10GiB\" or tags"),
            ("namespace = \"team/*\"\ntags = 5", "component"),
            (
                "namespace = \"team\"\nbytes = \"much\"",
                "\"10GiB\" or 1000000",
            ),
            ("namespace = \"team\"\nbytes = -1", "\"10GiB\" or 1000000"),
            ("namespace = \"team\"\ntags = -1", "tags"),
            ("namespace = \"team\"\nfiles = 1", "unknown field `files`"),
        ] {
            let error = toml::from_str::<QuotaRule>(text).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
