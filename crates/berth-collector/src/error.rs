use berth_blob::BlobError;
use berth_metadata::MetadataError;

/// Why garbage collection stopped. What was done so far stays done, and the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The metadata failed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The blob storage failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Work was cut off, because the process is shutting down or the work panicked.
    #[error("garbage collection was interrupted")]
    Interrupted,
}
