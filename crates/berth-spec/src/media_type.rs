use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A media type, `type/subtype` as RFC 6838 (section 4.2) restricts it, without parameters.
///
/// It keeps the case in which it was written, and two values that differ in case are not equal.
/// [`MediaType::is`] tells whether they mean the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(Box<str>);

/// The text is not a media type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a media type of the form type/subtype")]
pub struct MediaTypeError(pub String);

/// The media types that the registry knows by name.
pub mod media_types {
    /// An OCI image manifest.
    pub const OCI_IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// A Docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list, version 2 schema 2.
    pub const DOCKER_MANIFEST_LIST: &str =
        "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, version 2 schema 1 with signatures: obsolete and refused.
    pub const DOCKER_SCHEMA_1_SIGNED: &str =
        "application/vnd.docker.distribution.manifest.v1+prettyjws";
    /// A Docker image manifest, version 2 schema 1: obsolete and refused.
    pub const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+json";
}

impl MediaType {
    /// Reads the value of a `Content-Type` header; parameters are ignored, as the specification
    /// asks of registries.
    ///
    /// # Errors
    /// When what stands before the first `;` is not a media type.
    pub fn from_content_type(value: &str) -> Result<Self, MediaTypeError> {
        let essence = value.split(';').next().unwrap_or(value);
        essence.trim().parse()
    }

    /// Whether this text names the same media type: case says nothing (RFC 9110, section 8.3.1).
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }

    /// The media type as it stands in headers and manifests.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A restricted name of RFC 6838: it starts with a letter or digit and has at most 127 characters.
fn is_restricted_name(name: &str) -> bool {
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let goes_on_well = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte));
    starts_well && goes_on_well && name.len() <= 127
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((kind, subtype)) if is_restricted_name(kind) && is_restricted_name(subtype) => {
                Ok(Self(text.into()))
            }
            _ => Err(MediaTypeError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for MediaType {
    type Error = MediaTypeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.0.into()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_content_type_are_ignored() {
        let media_type = MediaType::from_content_type(" application/json ; charset=utf-8").unwrap();
        assert_eq!(media_type.as_str(), "application/json");
    }

    #[test]
    fn case_is_kept_and_says_nothing() {
        let media_type: MediaType = "application/VND.Example+JSON".parse().unwrap();
        assert_eq!(media_type.as_str(), "application/VND.Example+JSON");
        assert!(media_type.is("Application/vnd.example+json"));
        assert!(!media_type.is("application/vnd.example"));
    }

    #[test]
    fn refuses_what_is_not_a_media_type() {
        for text in [
            "",
            "a",
            "a/",
            "/a",
            "a/b/c",
            "a b/c",
            "a/b;c=d",
            ".a/b",
            "a/b\r\nX: y",
            "é/a",
        ] {
            assert!(text.parse::<MediaType>().is_err(), "{text:?} was taken");
        }
    }
}
