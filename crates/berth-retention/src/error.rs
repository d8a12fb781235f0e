use berth_metadata::MetadataError;

/// Why retention did not come to its end. What it had deleted until then stays deleted.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The repositories cannot be listed.
    #[error("retention cannot list the repositories: {0}")]
    Repositories(#[source] MetadataError),
    /// The process ends.
    #[error("retention was interrupted: {0}")]
    Interrupted(String),
}
