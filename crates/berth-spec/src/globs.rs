use std::fmt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Serialize};

/// Globs of names. In them, `?` is one character, `*` any number, `[ab]` one of these and `{a,b}` either;
/// they do not cross a `/`, but `**` does: `library/**` is all that is below `library`. What would mean something
/// else, or match nothing, is refused.
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
    /// The text.
    pub text: String,
    /// What is wrong with it, and what would do.
    pub why: String,
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

    /// That each could match the name of a repository.
    ///
    /// # Errors
    /// When one has what no such name has.
    pub fn check_repositories(&self) -> Result<(), GlobError> {
        self.check(|text| {
            if text.starts_with('/') || text.ends_with('/') {
                return Err("the name of a repository neither begins nor ends with /");
            }
            match text.contains(|character: char| character.is_uppercase()) {
                true => Err("the name of a repository has no upper case letters"),
                false => Ok(()),
            }
        })
    }

    /// That each could match a tag.
    ///
    /// # Errors
    /// When one has what no tag has.
    pub fn check_tags(&self) -> Result<(), GlobError> {
        self.check(|text| match text.contains('/') {
            true => Err("a tag has no /"),
            false => Ok(()),
        })
    }

    fn check(&self, check: impl Fn(&str) -> Result<(), &'static str>) -> Result<(), GlobError> {
        self.texts.iter().try_for_each(|text| {
            check(text).map_err(|why| GlobError {
                text: text.clone(),
                why: why.to_owned(),
            })
        })
    }

    /// Whether each `**` is all that is between two `/`; beside other characters it would be no more than a `*`. It may
    /// also end one of several things: `{a/**,b}`.
    pub fn are_stars_alone(text: &str) -> bool {
        let mut positions = text.match_indices("**");
        positions.all(|(position, stars)| {
            let before = text[..position].chars().next_back();
            let after = text[position + stars.len()..].chars().next();
            matches!(before, None | Some('/')) && matches!(after, None | Some('/' | '}' | ','))
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
        if let Some(text) = texts.iter().find(|text| !Self::are_stars_alone(text)) {
            return Err(GlobError {
                text: text.clone(),
                why: "** is not alone between two /; team/* or ** would do".to_owned(),
            });
        }
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
