use std::fmt;

use crate::{Digest, Generation};

/// Names one writing of a blob's bytes: what is stored under it is never written again, where there is a
/// generation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobName {
    /// What the bytes are, if they are undamaged.
    pub digest: Digest,
    /// Which writing of them; `None` in a store that has at most one of each digest.
    pub generation: Option<Generation>,
}

impl BlobName {
    /// The name of a blob in a store that has at most one of each digest.
    pub fn plain(digest: Digest) -> Self {
        Self {
            digest,
            generation: None,
        }
    }
}

impl From<Digest> for BlobName {
    fn from(digest: Digest) -> Self {
        Self::plain(digest)
    }
}

impl From<&Digest> for BlobName {
    fn from(digest: &Digest) -> Self {
        Self::plain(digest.clone())
    }
}

/// The digest, and behind a dot the generation, if there is one.
impl fmt::Display for BlobName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(generation) => write!(formatter, "{}.{generation}", self.digest),
            None => self.digest.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_stands_behind_the_digest() {
        let digest = Digest::sha256(b"content");
        let plain = BlobName::from(&digest);
        assert_eq!(plain.to_string(), digest.as_str());
        let generation = Some(Generation::random());
        let name = BlobName { digest, generation };
        assert_ne!(name, plain);
        let text = name.to_string();
        let (digest, generation) = text.split_once('.').unwrap_or_default();
        assert_eq!(digest.parse(), Ok(name.digest));
        assert_eq!(generation.parse().ok(), name.generation);
    }
}
