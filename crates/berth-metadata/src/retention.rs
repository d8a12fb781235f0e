use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName, Tag};

use crate::{Blob, MetadataError};

/// What retention, the collection of tags and manifests, does to metadata. Every method is one
/// transaction, as those of [`MetadataStore`](crate::MetadataStore) are. What is decided from
/// [`RetentionStore::repository_contents`] may have changed by the time it is done: so the methods that
/// delete look again.
#[async_trait]
pub trait RetentionStore: Send + Sync + 'static {
    /// All tags and manifests of a repository as they are at one moment, without the bytes of the
    /// manifests; `None` if there is no such repository.
    async fn repository_contents(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<RepositoryContents>, MetadataError>;

    /// Deletes a tag, if it still points to that manifest and was not set since. Whether it did.
    async fn delete_tag_as_seen(
        &self,
        repository: &RepositoryName,
        tag: &TagEntry,
    ) -> Result<bool, MetadataError>;

    /// Deletes a manifest, if it has no tag, no manifest of the repository needs it, its subject, if
    /// it has one, is not in the repository, and it was not used since it was seen with `seen_used_at`.
    /// Whether it did.
    async fn delete_manifest_if_unused(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        seen_used_at: SystemTime,
    ) -> Result<bool, MetadataError>;

    /// The blobs that a manifest is linked to.
    async fn manifest_blobs(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
    ) -> Result<Vec<Blob>, MetadataError>;

    /// How many manifests, of all repositories together, are linked to a blob.
    async fn blob_references(&self, blob: &Digest) -> Result<u64, MetadataError>;
}

/// The tags and manifests of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryContents {
    /// In byte order.
    pub tags: Vec<TagEntry>,
    /// In byte order of their digests.
    pub manifests: Vec<ManifestEntry>,
}

/// A tag, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagEntry {
    /// Its name.
    pub tag: Tag,
    /// The manifest that it points to.
    pub digest: Digest,
    /// When it was last set, to the millisecond.
    pub updated_at: SystemTime,
}

/// A manifest, as retention sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Names it.
    pub digest: Digest,
    /// The size of its own bytes.
    pub size: u64,
    /// When it was last pushed, or tagged, or a client deleted a tag of it, a manifest that needs it or
    /// its subject; to the millisecond.
    pub used_at: SystemTime,
    /// The manifest that it names as its subject, which need not exist.
    pub subject: Option<Digest>,
    /// The manifests of the repository that it needs, in byte order.
    pub children: Vec<Digest>,
}
