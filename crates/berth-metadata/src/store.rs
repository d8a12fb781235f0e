use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_spec::{
    Algorithm, BlobName, Digest, Generation, MediaType, Reference, RepositoryName, SessionId, Tag,
};
use bytes::Bytes;

use crate::{Bounds, Condition, MetadataError, Scope, UploadLeases, Usage};

/// What a registry knows besides the bytes of blobs.
///
/// Every method is one transaction: it happens whole or not at all, and when a method that changes
/// something answers `Ok`, the change is durable. Methods may be called from async code: none
/// blocks the calling thread.
///
/// A repository comes into being with the first blob or manifest stored in it and stays when it
/// becomes empty. A blob can be read only through a repository that is linked to it.
///
/// Changes that a client asks for keep to [`Bounds`] if they are made by the methods that end in
/// `_within`: [`MetadataError::TagImmutable`] and [`MetadataError::QuotaExceeded`] are refusals, and
/// nothing is changed then. Those of the same name without `_within` know no bounds.
#[async_trait]
pub trait MetadataStore: Send + Sync + 'static {
    /// Whether the repository exists.
    async fn has_repository(&self, name: &RepositoryName) -> Result<bool, MetadataError>;

    /// At most `limit` names of repositories after `last` (which need not exist, nor be a valid
    /// name), in byte order.
    async fn repositories(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RepositoryName>, MetadataError>;

    /// Records a blob whose bytes are durable already, and links it to the repository, both
    /// created where missing. A link that exists is renewed. Manifests of this repository that
    /// refer to the blob and lost their link to it by [`MetadataStore::unlink_blob`] get it back.
    /// If `finished` is given, removes that upload record in the same transaction.
    ///
    /// If the blob is recorded with another [generation](Blob::generation), it has this one from now on, everywhere: these
    /// bytes were hashed just now, and nobody knows what has become of the older ones. Whoever publishes a
    /// generation links it once.
    ///
    /// # Errors
    /// [`MetadataError::SizeConflict`] if the blob is recorded with another size, [`MetadataError::Forsaken`] if
    /// its generation was [forsaken](crate::CollectionStore::forsake), and [`MetadataError::UploadChanged`] if the upload
    /// record is gone or has another revision.
    async fn link_blob_within(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        finished: Option<UploadRevision>,
        bounds: &Bounds,
    ) -> Result<(), MetadataError>;

    /// [`MetadataStore::link_blob_within`] no bounds.
    async fn link_blob(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        finished: Option<UploadRevision>,
    ) -> Result<(), MetadataError> {
        self.link_blob_within(repository, blob, finished, &Bounds::NONE)
            .await
    }

    /// The blob that [`MetadataStore::mount_blob_within`] would link. Changes nothing.
    async fn mountable_blob(
        &self,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError>;

    /// Links a blob that `from` is linked to (with no `from`: that any repository is linked to)
    /// to `repository` as well, creating the repository if needed. `None`, and nothing changes,
    /// if there is no such blob to be had.
    async fn mount_blob_within(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<Option<Blob>, MetadataError>;

    /// [`MetadataStore::mount_blob_within`] no bounds.
    async fn mount_blob(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        self.mount_blob_within(repository, from, digest, &Bounds::NONE)
            .await
    }

    /// The blob, if the repository is linked to it.
    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError>;

    /// As [`MetadataStore::blob`], for an answer that somebody relies on: until garbage collection
    /// looks for links older than that, the blob stays. A link that was made or renewed before
    /// `renew_before` is renewed, and a blob that is condemned is made live.
    async fn promise_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        renew_before: SystemTime,
    ) -> Result<Option<Blob>, MetadataError>;

    /// Takes away this repository's link to the blob, and its manifests' links to it. The record
    /// of the blob stays, for other repositories and for garbage collection. `false`, and nothing
    /// changes, if the repository was not linked to it.
    async fn unlink_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError>;

    /// Those of these names that are not those of a recorded blob, by digest and generation, whatever
    /// repositories are linked to.
    async fn unrecorded(&self, names: &[BlobName]) -> Result<HashSet<BlobName>, MetadataError>;

    /// Stores a manifest and points tags at it, in one transaction. Pushing the same digest again
    /// is no error: its tags are set, its media type becomes the one pushed last, and its links to
    /// blobs are made again. The repository is created if needed (when nothing is missing).
    ///
    /// If a blob of [`NewManifest::required_blobs`] is not linked to the repository, or a manifest
    /// of [`NewManifest::required_manifests`] is not in it, nothing changes and the answer is
    /// [`PutManifest::Missing`]. If its condition does not hold, that is the answer, whatever is
    /// missing.
    ///
    /// # Errors
    /// [`MetadataError::TagImmutable`] if one of the tags is, and points to another manifest; and if
    /// any that is points to this one, whose media type, artifact type or subject would change.
    async fn put_manifest_within(
        &self,
        repository: &RepositoryName,
        manifest: &NewManifest,
        bounds: &Bounds,
    ) -> Result<PutManifest, MetadataError>;

    /// [`MetadataStore::put_manifest_within`] no bounds.
    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        manifest: &NewManifest,
    ) -> Result<PutManifest, MetadataError> {
        self.put_manifest_within(repository, manifest, &Bounds::NONE)
            .await
    }

    /// The manifest, with its bytes.
    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError>;

    /// Removes a manifest, the tags that point to it and its links to blobs and manifests. `false`
    /// if there was none.
    ///
    /// # Errors
    /// [`MetadataError::TagImmutable`] if one of these tags is.
    async fn delete_manifest_within(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<bool, MetadataError>;

    /// [`MetadataStore::delete_manifest_within`] no bounds.
    async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError> {
        self.delete_manifest_within(repository, digest, &Bounds::NONE)
            .await
    }

    /// Removes a tag, if the condition holds for what it points to; its manifest stays.
    ///
    /// # Errors
    /// [`MetadataError::TagImmutable`] if there is such a tag, and it is, and the condition holds.
    async fn delete_tag_within(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
        bounds: &Bounds,
    ) -> Result<DeleteTag, MetadataError>;

    /// [`MetadataStore::delete_tag_within`] no bounds.
    async fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
    ) -> Result<DeleteTag, MetadataError> {
        self.delete_tag_within(repository, tag, condition, &Bounds::NONE)
            .await
    }

    /// How much a scope holds. Nothing, if there is no such repository.
    async fn usage(&self, scope: &Scope) -> Result<Usage, MetadataError>;

    /// At most `limit` tags after `last` (which need not exist, nor be a valid tag), in byte
    /// order; `None` if there is no such repository.
    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Option<Vec<Tag>>, MetadataError>;

    /// Manifests of the repository that name `subject` as theirs, after the digest `last`, in byte
    /// order of their digests; only those of `artifact_type`, if given. As many as the limits allow,
    /// but one at least, if there is one. None if there is no such repository.
    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limits: ReferrerLimits,
    ) -> Result<Vec<Referrer>, MetadataError>;

    /// Stores the record of a new upload session.
    async fn create_upload(&self, upload: &UploadRecord) -> Result<(), MetadataError>;

    /// The record of an upload session, expired or not.
    async fn upload(&self, id: SessionId) -> Result<Option<UploadRecord>, MetadataError>;

    /// Replaces the record of an upload session, if its stored revision is still
    /// `upload.revision - 1`. `false`, and nothing changes, if it is another, or the record is gone.
    async fn update_upload(&self, upload: &UploadRecord) -> Result<bool, MetadataError>;

    /// Removes the record of an upload session. `false`, and nothing changes, if it has another revision,
    /// or is gone.
    async fn delete_upload(&self, upload: UploadRevision) -> Result<bool, MetadataError>;

    /// At most `limit` upload sessions whose `expires_at` is not after `now`, the longest
    /// expired first.
    async fn expired_uploads(
        &self,
        now: SystemTime,
        limit: u32,
    ) -> Result<Vec<SessionId>, MetadataError>;

    /// What keeps several processes that share this store from working on one upload session at once. `None` if
    /// one process has it alone: that one knows by itself what it is working on.
    fn upload_leases(&self) -> Option<&dyn UploadLeases> {
        None
    }
}

/// A blob that the registry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Names the content.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// Which writing of its bytes is meant; `None` where the blob store has at most one of each digest.
    pub generation: Option<Generation>,
}

impl Blob {
    /// A blob without a generation.
    pub fn new(digest: Digest, size: u64) -> Self {
        Self {
            digest,
            size,
            generation: None,
        }
    }

    /// What the blob store knows its bytes by.
    pub fn name(&self) -> BlobName {
        BlobName {
            digest: self.digest.clone(),
            generation: self.generation,
        }
    }
}

/// A manifest to be stored, with all that the store must know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewManifest {
    /// The digest of `content`; the caller has checked it.
    pub digest: Digest,
    /// The media type under which it was pushed.
    pub media_type: MediaType,
    /// What the referrers list shows as its type.
    pub artifact_type: Option<String>,
    /// The manifest that it refers to as its subject; need not exist.
    pub subject: Option<Digest>,
    /// What the referrers list shows as its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The bytes as they were pushed.
    pub content: Bytes,
    /// The blobs that must be linked to the repository. Duplicates are allowed.
    pub required_blobs: Vec<Digest>,
    /// Blobs that are referred to and may be absent (non-distributable layers): linked to the
    /// manifest if the repository is linked to them.
    pub optional_blobs: Vec<Digest>,
    /// The manifests that must be in the repository. Duplicates are allowed.
    pub required_manifests: Vec<Digest>,
    /// The tags to point at it.
    pub tags: Vec<Tag>,
    /// What must be true of a reference for this to happen.
    pub condition: Option<(Reference, Condition)>,
}

/// What became of a manifest to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutManifest {
    /// It is stored and tagged.
    Stored,
    /// Nothing was stored: these are missing, blobs first, each once, in the order given.
    Missing(Vec<Digest>),
    /// Nothing was stored: its condition does not hold.
    Refused,
}

/// What became of a tag to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteTag {
    /// It is deleted.
    Deleted,
    /// There is none.
    Unknown,
    /// It stays: the condition does not hold.
    Refused,
}

/// A manifest as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The digest of `content`.
    pub digest: Digest,
    /// The media type under which it was pushed last.
    pub media_type: MediaType,
    /// The bytes as they were pushed.
    pub content: Bytes,
}

/// How much of a list of referrers is read at once: up to whichever limit is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferrerLimits {
    /// How many referrers.
    pub count: u32,
    /// How many bytes their artifact types and annotations may have together. Those of one manifest
    /// can be almost as many as a manifest may have.
    pub bytes: usize,
}

/// A manifest that names another as its subject: an entry of the referrers list (end-12a).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Names the referring manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size, in bytes.
    pub size: u64,
    /// Its artifact type, if it has one.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// How far an upload session has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRecord {
    /// Names the session.
    pub id: SessionId,
    /// Where the blob is to be linked.
    pub repository: RepositoryName,
    /// The algorithm of `hash_state`.
    pub algorithm: Algorithm,
    /// How many bytes are durable, and are what `hash_state` has seen.
    pub offset: u64,
    /// The state of the hash over those bytes.
    pub hash_state: Vec<u8>,
    /// Rises by one with every change, and by as much as the store likes when somebody takes the session; guards against two
    /// writers.
    pub revision: u64,
    /// When it may be removed, to the millisecond (stores round down).
    pub expires_at: SystemTime,
    /// Who changes it by a lease: then it changes only if that one took the session last. `None` in what a store answers,
    /// but for whoever has just taken it.
    pub holder: Option<String>,
}

impl UploadRecord {
    /// Which state of the session this is.
    pub fn state(&self) -> UploadRevision {
        UploadRevision {
            id: self.id,
            revision: self.revision,
            holder: self.holder.clone(),
        }
    }
}

/// One state of an upload session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRevision {
    /// Names the session.
    pub id: SessionId,
    /// The revision of its record in that state.
    pub revision: u64,
    /// Who goes by a lease: the state is another one if somebody else took the session last.
    pub holder: Option<String>,
}

/// Milliseconds since the Unix epoch, as stores keep times.
pub fn milliseconds(time: SystemTime) -> i64 {
    let elapsed = time.duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(elapsed.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// The inverse of [`milliseconds`].
pub fn time_of(milliseconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
