use berth_spec::{BlobName, Digest, SessionId, Tag};

use crate::QuotaExceeded;

/// Why metadata could not be read or changed. Nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MetadataError {
    /// There is no room left where the metadata lives.
    #[error("the disk that holds the metadata is full")]
    StorageFull,
    /// The blob is recorded with another size: the metadata or the caller is wrong.
    #[error("blob {digest} is recorded with {recorded} bytes, not {given}")]
    SizeConflict {
        /// The blob.
        digest: Digest,
        /// The size that is recorded.
        recorded: u64,
        /// The size that was given.
        given: u64,
    },
    /// The bytes were given up before they were linked: they may be gone, and never come back under this name.
    #[error("the bytes of {} were given up before they were recorded: push them again", .0.digest)]
    Forsaken(BlobName),
    /// The tag is there, and may not be moved or deleted.
    #[error("the tag {0} is immutable")]
    TagImmutable(Tag),
    /// What was to be stored does not fit.
    #[error(transparent)]
    QuotaExceeded(QuotaExceeded),
    /// Somebody else has ended the upload session, or goes on with it.
    #[error("upload session {0} has ended, or somebody else goes on with it")]
    UploadChanged(SessionId),
    /// A stored value is not what berth writes.
    #[error("the metadata is damaged: {0}")]
    Damaged(String),
    /// The database failed.
    #[error("the metadata database failed: {0}")]
    Database(String),
}

impl MetadataError {
    /// Whether nothing is wrong with the store, which only may not do what it was asked. Nothing was changed,
    /// for certain.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::SizeConflict { .. }
            | Self::Forsaken(_)
            | Self::TagImmutable(_)
            | Self::QuotaExceeded(_)
            | Self::UploadChanged(_) => true,
            Self::StorageFull | Self::Damaged(_) | Self::Database(_) => false,
        }
    }
}
