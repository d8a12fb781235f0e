use berth_spec::{RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::{GlobError, Globs};

/// Tags that stay where they are once they are set, as a table of the configuration says it.
///
/// Such a tag is not moved to another manifest, not deleted, and not lost by the deletion of its
/// manifest; pushing the same manifest under it again is fine, as long as its media type stays what it is. Only an [`Authority::Admin`] may.
/// Several tables add up.
///
/// Retention rules are the owner's own, as these are: they delete immutable tags too, unless a rule
/// protects them. What the manifest refers to is no tag: who may delete blobs, or manifests that an index
/// lists, can still do so.
///
/// [`Authority::Admin`]: crate::Authority::Admin
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct ImmutableTags {
    repositories: Globs,
    tags: Globs,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default = "Globs::all")]
    repositories: Globs,
    tags: Globs,
}

/// A table of immutable tags is a mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImmutableTagsError {
    /// A pattern could match nothing.
    #[error("in immutable_tags, {0}")]
    Pattern(#[from] GlobError),
    /// It is for no repository.
    #[error(
        "immutable_tags is for no repository: leave out repositories, for all, or name some, as in [\"library/**\"]"
    )]
    NoRepositories,
    /// It is about no tag.
    #[error("immutable_tags names no tags: name some, as in [\"v*\"], or leave out the table")]
    NoTags,
}

impl ImmutableTags {
    /// Tags that match, in repositories that match.
    ///
    /// # Errors
    /// When there is nothing to match, or nothing could.
    pub fn new(repositories: Globs, tags: Globs) -> Result<Self, ImmutableTagsError> {
        if repositories.is_empty() {
            return Err(ImmutableTagsError::NoRepositories);
        }
        if tags.is_empty() {
            return Err(ImmutableTagsError::NoTags);
        }
        repositories.check_repositories()?;
        tags.check_tags()?;
        Ok(Self { repositories, tags })
    }

    /// Whether some tags of this repository are immutable.
    pub fn is_for(&self, repository: &RepositoryName) -> bool {
        self.repositories.match_name(repository.as_str())
    }

    /// Whether this tag is, in such a repository.
    pub fn has(&self, tag: &Tag) -> bool {
        self.tags.match_name(tag.as_str())
    }
}

impl TryFrom<Table> for ImmutableTags {
    type Error = ImmutableTagsError;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        Self::new(table.repositories, table.tags)
    }
}

impl From<ImmutableTags> for Table {
    fn from(immutable: ImmutableTags) -> Self {
        Self {
            repositories: immutable.repositories,
            tags: immutable.tags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ImmutableTags {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_table_is_read_and_written_back() {
        let text = "repositories = [\"library/*\"]\ntags = [\"v*\", \"[0-9]*\"]\n";
        let written = toml::to_string(&read(text)).unwrap();
        assert_eq!(written, text);
        let all = read("tags = [\"v*\"]");
        assert!(all.is_for(&"any/thing".parse().unwrap()));
    }

    #[test]
    fn one_star_stays_between_slashes_and_two_do_not() {
        for (repositories, name, is_for) in [
            ("**", "a/b/c", true),
            ("*", "a", true),
            ("*", "a/b", false),
            ("library/*", "library/alpine", true),
            ("library/*", "library/alpine/edge", false),
            ("library/**", "library/alpine/edge", true),
            ("{dev,test}-*", "prod-1", false),
        ] {
            let text = format!("repositories = [\"{repositories}\"]\ntags = [\"v*\"]");
            let is = read(&text).is_for(&name.parse().unwrap());
            assert_eq!(is, is_for, "{repositories} {name}");
        }
        let immutable = read("tags = [\"v*\", \"release-?\"]");
        for (tag, has) in [
            ("v1.0", true),
            ("V1.0", false),
            ("release-1", true),
            ("release-10", false),
            ("latest", false),
        ] {
            assert_eq!(immutable.has(&tag.parse().unwrap()), has, "{tag}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("", "missing field `tags`"),
            ("tags = []", "names no tags"),
            (
                "tags = [\"*\"]\nrepositories = []",
                "leave out repositories",
            ),
            ("tags = [\"v[1\"]", "\"v[1\" is not a pattern: unclosed"),
            (
                "tags = [\"*\"]\nrepositories = [\"team/*\", \"prod**\"]",
                "\"prod**\" is not a pattern: ** is not alone",
            ),
            (
                "tags = [\"*\"]\nrepositories = [\"Team/*\"]",
                "in immutable_tags, \"Team/*\" is not a pattern: the name of a repository has no upper",
            ),
            (
                "tags = [\"*\"]\nrepositories = [\"team/\"]",
                "neither begins nor ends with /",
            ),
            (
                "tags = [\"*\"]\nrepositories = [\"/team\"]",
                "neither begins nor ends with /",
            ),
            (
                "tags = [\"team/v*\"]",
                "\"team/v*\" is not a pattern: a tag has no /",
            ),
            (
                "tags = [\"v**\"]",
                "\"v**\" is not a pattern: ** is not alone",
            ),
            (
                "tags = [\"*\"]\nrepository = []",
                "unknown field `repository`",
            ),
        ] {
            let error = toml::from_str::<ImmutableTags>(text).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
