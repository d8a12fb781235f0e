use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration_text;

/// What is kept of some repositories, as a table of the configuration says it.
///
/// The first rule whose `repositories` match a repository governs it, and no other does: so exceptions come
/// first. In globs, `?` is one character, `*` any number, `[ab]` one of these and `{a,b}` either; they
/// do not cross a `/`, but `**` does: `library/**` is all that is below `library`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Globs of the repositories that the rule is for. All, if not given.
    pub repositories: Vec<String>,
    /// Globs of the tags that `keep_newest` and `older_than` are about. None, if not given: no tag is
    /// deleted for its age.
    pub tags: Vec<String>,
    /// Globs of the tags that are never deleted, and are not counted by `keep_newest`.
    pub protect: Vec<String>,
    /// That many of `tags` stay: those that were set last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_newest: Option<u64>,
    /// Those of `tags` go that were set so long ago. With `keep_newest`: unless they are among the newest.
    #[serde(with = "duration_text", skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Duration>,
    /// Manifests go that no tag and no manifest holds and that were not used for so long. If not given,
    /// they stay, unless what held them goes. It must be longer than any push takes: the manifests of an
    /// index come before it.
    #[serde(with = "duration_text", skip_serializing_if = "Option::is_none")]
    pub untagged_after: Option<Duration>,
}

impl Rule {
    /// Matches every repository.
    pub(crate) const ALL: &str = "**";
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            repositories: vec![Self::ALL.to_owned()],
            tags: Vec::new(),
            protect: Vec::new(),
            keep_newest: None,
            older_than: None,
            untagged_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_written_back() {
        let text = r#"
            repositories = ["library/*"]
            tags = ["nightly-*"]
            protect = ["nightly-2026*"]
            keep_newest = 10
            older_than = "30d"
            untagged_after = "1d 12h"
        "#;
        let rule: Rule = toml::from_str(text).unwrap();
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(rule.older_than, Some(30 * day));
        assert_eq!(rule.untagged_after, Some(day + day / 2));
        let written = toml::to_string(&rule).unwrap();
        assert_eq!(toml::from_str::<Rule>(&written).unwrap(), rule);
        let json = serde_json::to_string(&Rule::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Rule>(&json).unwrap(),
            Rule::default()
        );
        assert_eq!(toml::from_str::<Rule>("").unwrap(), Rule::default());
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("keep = 3", "unknown field `keep`"),
            ("older_than = 30", "in quotes, such as \"30d\""),
            ("older_than = \"soon\"", "\"30d\" or \"12h\" would do"),
            ("keep_newest = -1", "keep_newest"),
        ] {
            let error = toml::from_str::<Rule>(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
