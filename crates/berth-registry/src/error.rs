use berth_blob::BlobError;
use berth_metadata::{MetadataError, QuotaExceeded};
use berth_spec::{Digest, ManifestError, MediaTypeError, Reference, RepositoryName, Tag};
use berth_upload::UploadError;

/// Why the registry did not do what it was asked. Unless an [`UploadError`] says otherwise, nothing
/// was changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such repository.
    #[error("there is no repository {0}; it comes into being with the first push to it")]
    RepositoryUnknown(RepositoryName),
    /// There is no such manifest in the repository.
    #[error("there is no manifest {reference} in {repository}; push it first")]
    ManifestUnknown {
        /// The repository.
        repository: RepositoryName,
        /// What was asked for.
        reference: Reference,
    },
    /// The repository has no such blob, whatever other repositories have.
    #[error("there is no blob {digest} in {repository}; push or mount it first")]
    BlobUnknown {
        /// The repository.
        repository: RepositoryName,
        /// What was asked for.
        digest: Digest,
    },
    /// What the reference leads to is not what the client expects.
    #[error("{0} does not lead to what the request expects; pull it, and decide again")]
    NotAsExpected(Reference),
    /// Tags cannot be deleted here.
    #[error("tag deletion is off: set tag_deletion = true, or delete the manifest by its digest")]
    TagDeletionOff,
    /// The tag is immutable: it is not moved to another manifest, and not deleted, nor is its manifest.
    #[error(
        "the tag {0} is immutable here (immutable_tags): push under another tag, or ask an administrator to move or delete it"
    )]
    TagImmutable(Tag),
    /// There is no room for it in a quota.
    #[error(transparent)]
    QuotaExceeded(#[from] QuotaExceeded),
    /// The manifest is too large.
    #[error(
        "the manifest is larger than {limit} bytes, the limit of this registry (manifest_size_limit)"
    )]
    ManifestTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The `Content-Type` is not a media type.
    #[error("the Content-Type cannot be read: {0}")]
    ContentType(MediaTypeError),
    /// The manifest is not one that a registry stores.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest has another digest than the one under which it was pushed.
    #[error("the manifest has the digest {actual}, not {expected}")]
    ManifestDigestMismatch {
        /// The digest of the request.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// The manifest refers to content that the repository does not have.
    #[error(
        "the manifest refers to content that {repository} does not have; push or mount it first"
    )]
    ReferencesUnknown {
        /// The repository.
        repository: RepositoryName,
        /// Each missing blob and manifest.
        missing: Vec<Digest>,
    },
    /// An upload session failed.
    #[error(transparent)]
    Upload(UploadError),
    /// The metadata store failed.
    #[error(transparent)]
    Metadata(MetadataError),
    /// The blob store failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Work was cut off, because the process is shutting down or the work panicked.
    #[error("the registry was interrupted; try again")]
    Interrupted,
}

impl From<MetadataError> for RegistryError {
    fn from(error: MetadataError) -> Self {
        match error {
            MetadataError::TagImmutable(tag) => Self::TagImmutable(tag),
            MetadataError::QuotaExceeded(exceeded) => Self::QuotaExceeded(exceeded),
            MetadataError::UploadChanged(id) => Self::Upload(UploadError::Lost(id)),
            error => Self::Metadata(error),
        }
    }
}

impl From<UploadError> for RegistryError {
    fn from(error: UploadError) -> Self {
        let UploadError::Interrupted { kept, source } = error else {
            return Self::Upload(error);
        };
        match source.downcast() {
            // It was the registry that ended the content.
            Ok(exceeded) => Self::QuotaExceeded(*exceeded),
            Err(source) => Self::Upload(UploadError::Interrupted { kept, source }),
        }
    }
}
