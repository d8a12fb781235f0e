use berth_metadata::MetadataError;

/// Why verification could not go on. What it found before was told.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The metadata cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Blocking work was cut off, because the process is shutting down or the work panicked.
    #[error("the verification was interrupted")]
    Interrupted,
}
