use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a repository: components of lower-case letters and digits, with `.`, `_`, `__` or
/// any number of `-` between them, joined by `/`; at most [`RepositoryName::MAX_LENGTH`] bytes.
///
/// The grammar leaves no room for `..`, an empty component, NUL or a leading slash.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName(Box<str>);

/// Why a text is not the name of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryNameError {
    /// There is nothing where a name should be.
    #[error("the repository name is empty")]
    Empty,
    /// The name is longer than clients can handle.
    #[error("the repository name has {0} bytes; at most {max} are allowed", max = RepositoryName::MAX_LENGTH)]
    TooLong(usize),
    /// A component breaks the grammar.
    #[error(
        "repository name component {0:?} is invalid: use lower-case letters and digits, \
         separated by one '.', one or two '_', or any number of '-'"
    )]
    InvalidComponent(String),
}

impl RepositoryName {
    /// The longest name, in bytes. The specification notes that clients limit host and name
    /// together to 255 characters.
    pub const MAX_LENGTH: usize = 255;

    /// The name as it stands in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes; at least one.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    is_alphanumeric(first)
        && is_alphanumeric(last)
        && bytes.split(|&byte| is_alphanumeric(byte)).all(is_separator)
}

fn is_separator(run: &[u8]) -> bool {
    matches!(run, b"" | b"." | b"_" | b"__") || run.iter().all(|&byte| byte == b'-')
}

impl FromStr for RepositoryName {
    type Err = RepositoryNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(RepositoryNameError::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(RepositoryNameError::TooLong(text.len()));
        }
        match text.split('/').find(|component| !is_component(component)) {
            Some(component) => Err(RepositoryNameError::InvalidComponent(component.to_owned())),
            None => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = RepositoryNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RepositoryName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_what_the_grammar_allows() {
        for text in [
            "a",
            "0",
            "library/alpine",
            "a.b_c__d-e---f/0",
            "blobs/uploads",
            "a/tags/list",
        ] {
            assert!(
                text.parse::<RepositoryName>().is_ok(),
                "{text:?} was refused"
            );
        }
        assert!("a".repeat(255).parse::<RepositoryName>().is_ok());
    }

    #[test]
    fn refuses_what_it_does_not() {
        for text in [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "..", "a/../b", "a/./b", ".a", "a.", "-a",
            "a-", "_catalog", "a___b", "a._b", "a.-b", "a_-b", "a b", "a\0b", "é", "a:b", "a%2fb",
        ] {
            assert!(
                text.parse::<RepositoryName>().is_err(),
                "{text:?} was taken"
            );
        }
        assert_eq!(
            "a".repeat(256).parse::<RepositoryName>(),
            Err(RepositoryNameError::TooLong(256))
        );
    }

    proptest! {
        #[test]
        fn whatever_matches_the_specification_is_taken(
            text in r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}){0,4}"
        ) {
            prop_assert_eq!(text.parse::<RepositoryName>().map(String::from), Ok(text));
        }

        #[test]
        fn nothing_dangerous_gets_through(text in r"[a-z./_\-\x00%A]{0,12}") {
            if let Ok(name) = text.parse::<RepositoryName>() {
                prop_assert!(name.components().all(|part| !part.is_empty() && part != ".." && part != "."));
                prop_assert!(!name.as_str().contains(['\0', '%', 'A']));
            }
        }
    }
}
