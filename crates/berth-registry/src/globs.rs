use std::fmt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// Globs of names. In them, `?` is one character, `*` any number, `[ab]` one of these and `{a,b}` either;
/// they do not cross a `/`, but `**` does: `library/**` is all that is below `library`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Globs {
    texts: Vec<String>,
    set: GlobSet,
}

/// A text is no glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a pattern: {why}")]
pub struct GlobError {
    text: String,
    why: String,
}

impl Globs {
    /// Matches every name.
    pub fn all() -> Self {
        let texts = vec!["**".to_owned()];
        // `**` is a glob.
        Self::try_from(texts).unwrap_or_else(|_| Self {
            texts: Vec::new(),
            set: GlobSet::empty(),
        })
    }

    /// Whether one of them matches.
    pub fn match_name(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// Whether there is none, so that nothing matches.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}

impl TryFrom<Vec<String>> for Globs {
    type Error = GlobError;

    fn try_from(texts: Vec<String>) -> Result<Self, GlobError> {
        let wrong = |text: &str, error: &globset::Error| GlobError {
            text: text.to_owned(),
            why: error.kind().to_string(),
        };
        let mut set = GlobSetBuilder::new();
        for text in &texts {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            set.add(glob.map_err(|error| wrong(text, &error))?);
        }
        let set = set.build().map_err(|error| wrong("", &error))?;
        Ok(Self { texts, set })
    }
}

impl From<Globs> for Vec<String> {
    fn from(globs: Globs) -> Self {
        globs.texts
    }
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Globs {}

impl fmt::Debug for Globs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.texts.fmt(formatter)
    }
}
