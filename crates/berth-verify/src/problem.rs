use std::fmt::{self, Display, Formatter};

use berth_metadata::{Blob, Listed, Users};
use berth_spec::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

/// Something that is not as it should be, and those that it hurts.
///
/// Its text is one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub fault: Fault,
    /// Who needs what is wrong: the first few by name.
    pub hurts: Users,
}

/// What is wrong, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Fault {
    /// A blob.
    Blob {
        /// The blob.
        digest: Digest,
        /// The size that is recorded, in bytes.
        size: u64,
        /// What is wrong with it.
        damage: BlobDamage,
        /// What became of its bytes.
        quarantine: Quarantine,
    },
    /// A manifest.
    Manifest {
        /// Its repository.
        repository: RepositoryName,
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        damage: ManifestDamage,
    },
    /// The metadata as a whole.
    Metadata {
        /// What is wrong with it, in words of its store.
        damage: String,
    },
}

/// What is wrong with a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BlobDamage {
    /// It has no bytes.
    Missing,
    /// It has fewer bytes than are recorded.
    CutShort {
        /// How many it has.
        found: u64,
    },
    /// Its bytes have another digest.
    Corrupt {
        /// The digest that they have.
        found: Digest,
    },
    /// Its bytes are what its digest says, and their number is not what is recorded.
    Misrecorded {
        /// How many there are.
        found: u64,
    },
    /// Its bytes cannot be read, now or ever: that may be the disk, or only the cable.
    Unreadable {
        /// Why.
        error: String,
    },
}

impl BlobDamage {
    /// What is wrong with a blob of which so many bytes were found, with this digest; `None` if nothing
    /// is.
    pub fn of(blob: &Blob, size: u64, digest: Digest) -> Option<Self> {
        let is_right = digest == blob.digest;
        match is_right {
            true if size == blob.size => None,
            true => Some(Self::Misrecorded { found: size }),
            false if size < blob.size => Some(Self::CutShort { found: size }),
            false => Some(Self::Corrupt { found: digest }),
        }
    }

    /// Whether its bytes are there, and are not the blob's.
    pub fn is_of_bytes(&self) -> bool {
        matches!(self, Self::CutShort { .. } | Self::Corrupt { .. })
    }
}

/// What became of the bytes of a damaged blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Quarantine {
    /// They are where they were.
    Kept,
    /// They are in quarantine: the next push of the blob mends it.
    Moved,
    /// They are where they were, because they could not be moved.
    Failed {
        /// Why.
        error: String,
    },
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ManifestDamage {
    /// Its bytes have another digest.
    Corrupt {
        /// The digest that they have.
        found: Digest,
    },
    /// Its bytes are not those of a manifest.
    Unreadable {
        /// Why.
        error: String,
    },
    /// Its repository lacks what it refers to.
    References {
        /// The blobs and manifests that are not there.
        missing: Listed<Digest>,
    },
}

impl Display for Problem {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.fault)?;
        if matches!(self.fault, Fault::Metadata { .. }) {
            return Ok(());
        }
        let Users {
            repositories,
            manifests,
            tags,
        } = &self.hurts;
        let lists = [
            list("tags", tags, |user| {
                format!("{}:{}", user.repository, user.tag)
            }),
            list("manifests", manifests, |user| {
                format!("{}@{}", user.repository, user.digest)
            }),
            list("repositories", repositories, ToString::to_string),
        ];
        let lists: Vec<String> = lists.into_iter().flatten().collect();
        match lists.is_empty() {
            true => formatter.write_str("; nobody needs it"),
            false => write!(formatter, "; hurts {}", lists.join("; ")),
        }
    }
}

/// The entries of a list, with the name of what it lists; none if it is empty.
fn list<T>(name: &str, listed: &Listed<T>, text: impl Fn(&T) -> String) -> Option<String> {
    let entries: Vec<String> = listed.first.iter().map(text).collect();
    let named = entries.join(", ");
    match listed.more {
        _ if entries.is_empty() => None,
        0 => Some(format!("{name} {named}")),
        more => Some(format!("{name} {named} and {more} more")),
    }
}

impl Display for Fault {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blob {
                digest,
                size,
                damage,
                quarantine,
            } => {
                write!(
                    formatter,
                    "blob {digest} ({size} bytes) {damage}{quarantine}"
                )
            }
            Self::Manifest {
                repository,
                digest,
                damage,
            } => {
                write!(formatter, "manifest {repository}@{digest} {damage}")
            }
            Self::Metadata { damage } => write!(formatter, "the metadata is damaged: {damage}"),
        }
    }
}

impl Display for BlobDamage {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("has no bytes"),
            Self::CutShort { found } => write!(formatter, "is cut short: it has {found} bytes"),
            Self::Corrupt { found } => {
                write!(formatter, "is corrupt: its bytes have the digest {found}")
            }
            Self::Misrecorded { found } => {
                write!(
                    formatter,
                    "is recorded wrongly: it has {found} bytes, which are right"
                )
            }
            Self::Unreadable { error } => write!(formatter, "cannot be read: {error}"),
        }
    }
}

impl Display for Quarantine {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => Ok(()),
            Self::Moved => formatter.write_str(", moved to quarantine"),
            Self::Failed { error } => {
                write!(formatter, ", and cannot be moved to quarantine: {error}")
            }
        }
    }
}

impl Display for ManifestDamage {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { found } => {
                write!(formatter, "is corrupt: its bytes have the digest {found}")
            }
            Self::Unreadable { error } => write!(formatter, "cannot be read: {error}"),
            Self::References { missing } => {
                let digests: Vec<&str> = missing.first.iter().map(Digest::as_str).collect();
                write!(
                    formatter,
                    "refers to what its repository lacks: {}",
                    digests.join(", ")
                )?;
                match missing.more {
                    0 => Ok(()),
                    more => write!(formatter, " and {more} more"),
                }
            }
        }
    }
}
