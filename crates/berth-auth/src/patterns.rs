use std::fmt;

use berth_spec::RepositoryName;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// Globs of names: of repositories, identities or tags. In them, `?` is one character, `*` any number, `[ab]` one of these and
/// `{a,b}` either; they do not cross a `/`, but `**` does: `library/**` is all that is below `library`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Patterns {
    texts: Vec<String>,
    globs: GlobSet,
}

/// A text is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; a glob such as team/* or ** would do")]
pub struct PatternError(String);

impl Patterns {
    /// These globs.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn new(texts: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, PatternError> {
        let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        let wrong = |error: globset::Error| PatternError(error.to_string());
        let mut globs = GlobSetBuilder::new();
        for text in &texts {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            globs.add(glob.map_err(wrong)?);
        }
        let globs = globs.build().map_err(wrong)?;
        Ok(Self { texts, globs })
    }

    /// Matches everything.
    pub fn all() -> Self {
        // `**` is a glob.
        Self::new(["**"]).unwrap_or_else(|_| Self::none())
    }

    /// Matches nothing.
    pub fn none() -> Self {
        Self {
            texts: Vec::new(),
            globs: GlobSet::empty(),
        }
    }

    /// Whether one of the globs matches.
    pub fn matches(&self, text: &str) -> bool {
        self.globs.is_match(text)
    }

    /// Whether one of the globs matches the name of a repository.
    pub fn match_repository(&self, name: &RepositoryName) -> bool {
        self.matches(name.as_str())
    }

    /// Whether one of the globs is `**`: matches everything.
    pub fn are_everything(&self) -> bool {
        self.texts.iter().any(|text| text == "**")
    }

    /// The globs, as they were written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }
}

impl TryFrom<Vec<String>> for Patterns {
    type Error = PatternError;

    fn try_from(texts: Vec<String>) -> Result<Self, Self::Error> {
        Self::new(texts)
    }
}

impl From<Patterns> for Vec<String> {
    fn from(patterns: Patterns) -> Self {
        patterns.texts
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Patterns {}

impl fmt::Debug for Patterns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(formatter)
    }
}
