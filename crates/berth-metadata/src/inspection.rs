use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use crate::{Blob, MetadataError, StoredManifest};

/// What verification and backup read: everything that is recorded, page by page, and who needs it.
///
/// Every method sees one state of the metadata, as those of [`MetadataStore`](crate::MetadataStore) do,
/// and changes nothing, but [`InspectionStore::recount`]. What it answers was read from where the metadata lives, not from a cache.
#[async_trait]
pub trait InspectionStore: Send + Sync + 'static {
    /// How much there is of everything.
    async fn totals(&self) -> Result<Totals, MetadataError>;

    /// At most `limit` blobs after the digest `after`, in byte order, whoever is linked to them.
    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError>;

    /// The blob, if it is recorded, whoever is linked to it.
    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError>;

    /// Manifests of all repositories after the one named, in byte order of repositories and then of
    /// digests. As many as the limits allow, but one at least, if there is one.
    async fn manifests(
        &self,
        after: Option<(&RepositoryName, &Digest)>,
        limits: ManifestLimits,
    ) -> Result<Vec<InspectedManifest>, MetadataError>;

    /// The manifest, as [`InspectionStore::manifests`] lists it.
    async fn inspected_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<InspectedManifest>, MetadataError>;

    /// Which of the `blobs` the repository is not linked to, and which of the `manifests` it does not
    /// have, each once, blobs first; `None` if it does not have the manifest `digest`, whose
    /// references these are.
    async fn missing_references(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Option<Vec<Digest>>, MetadataError>;

    /// Who needs a blob: the repositories that are linked to it, the manifests that are, the
    /// manifests that list those, and all their tags. At most `limit` of each are named.
    async fn blob_users(&self, digest: &Digest, limit: u32) -> Result<Users, MetadataError>;

    /// Who needs a manifest: its repository, itself, the manifests that list it, and all their tags.
    /// At most `limit` of each are named.
    async fn manifest_users(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Users, MetadataError>;

    /// What the store itself finds wrong with what it keeps. Reads all of it.
    async fn damages(&self) -> Result<Vec<String>, MetadataError>;

    /// Counts anew how much each repository and each namespace holds, and corrects what is kept of that
    /// where it is wrong: what quotas are decided by. Answers what was wrong. A store that keeps no counts has
    /// none that are wrong. Not to be called if the store finds damages: what it counts is damaged then.
    async fn recount(&self) -> Result<Vec<String>, MetadataError> {
        Ok(Vec::new())
    }
}

/// How much a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blobs that are recorded.
    pub blobs: u64,
    /// Their sizes together, in bytes.
    pub blob_bytes: u64,
    /// Manifests of all repositories; one that is in two repositories counts twice.
    pub manifests: u64,
}

/// How many manifests are read at once: up to whichever limit is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestLimits {
    /// How many manifests.
    pub count: u32,
    /// How many bytes they may have together.
    pub bytes: usize,
}

/// A manifest, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedManifest {
    /// The repository that has it.
    pub repository: RepositoryName,
    /// The manifest. Nobody has compared its bytes with its digest.
    pub manifest: StoredManifest,
}

/// Who needs some content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// Repositories, in byte order.
    pub repositories: Listed<RepositoryName>,
    /// Manifests, by repository and digest.
    pub manifests: Listed<ManifestUser>,
    /// Tags, by repository and name.
    pub tags: Listed<TagUser>,
}

/// The first entries of a list, and how many more it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// The first entries.
    pub first: Vec<T>,
    /// How many there are besides.
    pub more: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            first: Vec::new(),
            more: 0,
        }
    }
}

impl<T> Listed<T> {
    /// Names the first `limit` entries and counts the others.
    pub fn of(entries: impl IntoIterator<Item = T>, limit: u32) -> Self {
        let mut entries = entries.into_iter();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            first: entries.by_ref().take(limit).collect(),
            more: entries.count() as u64,
        }
    }

    /// How many entries there are, named or not.
    pub fn count(&self) -> u64 {
        self.more.saturating_add(self.first.len() as u64)
    }
}

/// A manifest that needs some content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ManifestUser {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its digest.
    pub digest: Digest,
}

/// A tag that needs some content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagUser {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its name.
    pub tag: Tag,
}
