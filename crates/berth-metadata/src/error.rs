use berth_spec::Digest;

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
    /// A stored value is not what berth writes.
    #[error("the metadata is damaged: {0}")]
    Damaged(String),
    /// The database failed.
    #[error("the metadata database failed: {0}")]
    Database(String),
}
