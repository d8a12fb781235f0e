use berth_metadata::MetadataError;
use berth_spec::RepositoryName;

/// Why retention did not come to its end. What it had deleted until then stays deleted.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The repositories cannot be listed.
    #[error("retention cannot list the repositories: {0}")]
    Repositories(#[source] MetadataError),
    /// A repository cannot be read or changed.
    #[error("retention of {repository} failed: {error}")]
    Repository {
        /// Which one.
        repository: RepositoryName,
        /// Why.
        #[source]
        error: MetadataError,
    },
    /// The process ends.
    #[error("retention was interrupted: {0}")]
    Interrupted(String),
}
