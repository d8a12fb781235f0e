use std::fmt;
use std::sync::{Arc, LazyLock};

use berth_spec::{Globs, RepositoryName};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// Globs of names. In them, `?` is one byte, `*` any number, `[ab]` one of these and `{a,b}` either. In names of repositories,
/// tags and the like they do not cross a `/`, but `**` does: `library/**` is all that is below `library`. In names of
/// identities ([`Patterns::of_identities`]) a `/` is a character like others. A clone costs nothing.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Patterns(Arc<Content>);

struct Content {
    texts: Vec<String>,
    globs: GlobSet,
    /// Those that match only names without a `:`.
    plain: GlobSet,
}

/// A text is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; a glob such as team/* or ** would do")]
pub struct PatternError(String);

impl Patterns {
    /// These globs, which cross no `/` but by `**`.
    ///
    /// # Errors
    /// When one cannot be read, or has a `**` that is not alone between two `/`: it would be no more than a `*`.
    pub fn new(texts: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, PatternError> {
        let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        match texts.iter().find(|text| !Globs::are_stars_alone(text)) {
            Some(text) => Err(PatternError(format!(
                "in {text}, ** is not alone between two /"
            ))),
            None => Ok(Self::of(Content {
                globs: compiled(&texts, true)?,
                plain: GlobSet::empty(),
                texts,
            })),
        }
    }

    /// These globs of names of identities. Those have a `/` anywhere, so `oidc:ci:repo:team/*` is all that begins so. A glob
    /// without a `:` matches names without one alone: `*` is every user with a password, and nobody else.
    ///
    /// # Errors
    /// When one cannot be read, or has its only `:` between brackets: of which kinds of names it is would be hard to see.
    pub fn of_identities(
        texts: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, PatternError> {
        let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        let is_unclear = |text: &&String| text.contains(':') && !has_kind(text);
        if let Some(text) = texts.iter().find(is_unclear) {
            return Err(PatternError(format!(
                "in {text}, the only : is between brackets: write one glob for each"
            )));
        }
        let (of_kinds, plain): (Vec<&String>, Vec<&String>) =
            texts.iter().partition(|text| has_kind(text));
        Ok(Self::of(Content {
            globs: compiled(of_kinds, false)?,
            plain: compiled(plain, false)?,
            texts,
        }))
    }

    /// These globs of the values of claims, in which `/` and `:` are characters like others.
    pub(crate) fn of_claims(texts: Vec<String>) -> Result<Self, PatternError> {
        Ok(Self::of(Content {
            globs: compiled(&texts, false)?,
            plain: GlobSet::empty(),
            texts,
        }))
    }

    fn of(content: Content) -> Self {
        Self(Arc::new(content))
    }

    /// Matches everything.
    pub fn all() -> Self {
        // `**` is a glob.
        static ALL: LazyLock<Patterns> =
            LazyLock::new(|| Patterns::new(["**"]).unwrap_or_else(|_| Patterns::none()));
        ALL.clone()
    }

    /// Matches nothing.
    pub fn none() -> Self {
        Self::of(Content {
            texts: Vec::new(),
            globs: GlobSet::empty(),
            plain: GlobSet::empty(),
        })
    }

    /// Whether one of the globs matches.
    pub fn matches(&self, text: &str) -> bool {
        let Content { globs, plain, .. } = &*self.0;
        globs.is_match(text) || (!plain.is_empty() && !text.contains(':') && plain.is_match(text))
    }

    /// Whether one of the globs matches the name of a repository.
    pub fn match_repository(&self, name: &RepositoryName) -> bool {
        self.matches(name.as_str())
    }

    /// Whether one of the globs is `**`: matches everything.
    pub fn are_everything(&self) -> bool {
        self.texts().iter().any(|text| text == "**")
    }

    /// The globs, as they were written.
    pub fn texts(&self) -> &[String] {
        &self.0.texts
    }
}

fn compiled<'a>(
    texts: impl IntoIterator<Item = &'a String>,
    is_path: bool,
) -> Result<GlobSet, PatternError> {
    let wrong = |error: globset::Error| PatternError(error.to_string());
    let mut globs = GlobSetBuilder::new();
    for text in texts {
        let glob = GlobBuilder::new(text).literal_separator(is_path).build();
        globs.add(glob.map_err(wrong)?);
    }
    globs.build().map_err(wrong)
}

/// Whether a glob of identities has a `:` outside of brackets, as names of all kinds but users have one.
fn has_kind(text: &str) -> bool {
    let mut depth = 0_usize;
    text.chars().any(|character| {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ':' && depth == 0
    })
}

impl TryFrom<Vec<String>> for Patterns {
    type Error = PatternError;

    fn try_from(texts: Vec<String>) -> Result<Self, Self::Error> {
        Self::new(texts)
    }
}

impl From<Patterns> for Vec<String> {
    fn from(patterns: Patterns) -> Self {
        patterns.texts().to_vec()
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts() == other.texts()
    }
}

impl Eq for Patterns {}

impl fmt::Debug for Patterns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_matched_component_by_component() {
        for (glob, name, expected) in [
            ("team/*", "team/app", true),
            ("team/*", "team/app/part", false),
            ("team/*", "team", false),
            ("team/**", "team/app/part", true),
            ("team/**", "teams/app", false),
            ("**", "team/app", true),
            ("*", "team/app", false),
            ("**/app", "team/part/app", true),
            ("team/{a/**,b}", "team/a/b", true),
            ("team/{a/**,b}", "team/b/a", false),
            ("team/[ab]?", "team/a1", true),
            ("team/[ab]?", "team/c1", false),
            ("team.app", "team-app", false),
        ] {
            let patterns = Patterns::new([glob]).expect("a glob");
            assert_eq!(patterns.matches(name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn in_names_of_identities_a_slash_is_a_character() {
        for (glob, name, expected) in [
            ("*", "alice/x", true),
            ("*:*", "oidc:ci:repo:team/app:ref:refs/heads/main", true),
            (
                "oidc:ci:*",
                "oidc:ci:repo:team/app:ref:refs/heads/main",
                true,
            ),
            ("oidc:ci:**", "oidc:ci:repo:team/app", true),
            (
                "oidc:ci:repo:team/app:*",
                "oidc:ci:repo:team/app:ref:refs/heads/main",
                true,
            ),
            (
                "oidc:ci:repo:team/app:*",
                "oidc:ci:repo:team/apple:x",
                false,
            ),
            ("alice", "alice/x", false),
            ("alice", "malice", false),
        ] {
            let patterns = Patterns::of_identities([glob]).expect("a glob");
            assert_eq!(patterns.matches(name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn a_glob_without_a_colon_is_of_users_alone() {
        let names = [
            "alice",
            "token:alice",
            "oidc:ci:alice",
            "certificate:alice",
            "external:alice",
        ];
        for (glob, expected) in [
            ("*", &names[..1]),
            ("**", &names[..1]),
            ("*alice", &names[..1]),
            ("{*,bob}", &names[..1]),
            ("*:*", &names[1..]),
            ("{oidc:*,token}:alice", &names[1..3]),
        ] {
            let patterns = Patterns::of_identities([glob]).expect("a glob");
            let matched = names.iter().filter(|name| patterns.matches(name));
            assert_eq!(
                matched.collect::<Vec<_>>(),
                expected.iter().collect::<Vec<_>>(),
                "{glob}"
            );
        }
        // A name of another kind is matched by the glob of its kind alone, beside others.
        let several = Patterns::of_identities(["*", "token:ci"]).expect("globs");
        assert!(several.matches("token:ci") && !several.matches("token:other"));
        for unclear in ["{*,token:ci}", "[a:]*", "*[:]*"] {
            let error = Patterns::of_identities([unclear]).expect_err(unclear);
            assert!(error.to_string().contains("brackets"), "{error}");
        }
    }

    #[test]
    fn a_clone_is_the_same_in_memory() {
        for patterns in [Patterns::all(), Patterns::new(["a/*"]).expect("a glob")] {
            assert!(Arc::ptr_eq(&patterns.0, &patterns.clone().0));
        }
        assert!(Arc::ptr_eq(&Patterns::all().0, &Patterns::all().0));
    }

    #[test]
    fn what_would_mean_something_else_is_refused() {
        for glob in [
            "team**",
            "team/{a,**}",
            "**team",
            "team/a**",
            "***",
            "[",
            "{a",
        ] {
            assert!(Patterns::new([glob]).is_err(), "{glob}");
        }
        let error = Patterns::new(["a/**", "team**"])
            .expect_err("an error")
            .to_string();
        let expected =
            "in team**, ** is not alone between two /; a glob such as team/* or ** would do";
        assert_eq!(error, expected);
    }

    #[test]
    fn everything_and_nothing_are_what_they_say() {
        for name in ["", "a", "a/b"] {
            assert!(Patterns::all().matches(name));
            assert!(!Patterns::none().matches(name));
        }
        assert!(Patterns::all().are_everything() && !Patterns::none().are_everything());
    }
}
