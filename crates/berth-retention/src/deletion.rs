use berth_metadata::TagEntry;
use berth_spec::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::plan::PlannedManifest;

/// A tag or a manifest that went, or would go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Where.
    pub repository: RepositoryName,
    /// The number of the rule that says so: from 1, in the order of the rules.
    pub rule: usize,
    /// What.
    pub deleted: Deleted,
}

/// What a [`Deletion`] is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deleted {
    /// A tag.
    Tag {
        /// Its name.
        tag: Tag,
        /// The manifest that it pointed to.
        digest: Digest,
    },
    /// A manifest.
    Manifest {
        /// Names it.
        digest: Digest,
        /// The size of its own bytes.
        size: u64,
    },
}

impl Deletion {
    /// So that an operator can find out later why something is gone.
    pub(crate) fn log(&self) {
        let (repository, rule) = (&self.repository, self.rule);
        match &self.deleted {
            Deleted::Tag { tag, digest } => {
                info!(%repository, %tag, %digest, rule, "retention deleted a tag");
            }
            Deleted::Manifest { digest, size } => {
                info!(%repository, %digest, size, rule, "retention deleted a manifest");
            }
        }
    }
}

impl From<&TagEntry> for Deleted {
    fn from(entry: &TagEntry) -> Self {
        Self::Tag {
            tag: entry.tag.clone(),
            digest: entry.digest.clone(),
        }
    }
}

impl From<&PlannedManifest> for Deleted {
    fn from(manifest: &PlannedManifest) -> Self {
        Self::Manifest {
            digest: manifest.digest.clone(),
            size: manifest.size,
        }
    }
}
