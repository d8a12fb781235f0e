use std::io;
use std::path::PathBuf;

use berth_blob::BlobError;
use berth_metadata::MetadataError;
use berth_registry::RegistryError;

/// Why a transfer could not come to its end. What it has done so far stays done, and it can be begun again: what is
/// there already is passed over. What is wrong with single things of the source is no error, but a
/// [`Finding`](crate::Finding).
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The registry that is read, or the one that is written, fails.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The metadata of one of them fails.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The blobs of one of them fail.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// A folder, or a file in it, cannot be used.
    #[error("{} cannot be used: {error}", path.display())]
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The folder is not what it is said to be.
    #[error("{} is not {expected}", path.display())]
    NotA {
        /// The folder.
        path: PathBuf,
        /// What it should be, and how to tell.
        expected: &'static str,
    },
    /// The destination of a migration holds what the source never had.
    #[error(
        "the destination has the repository {0}, which the source does not have: choose a destination that is empty, or one \
         that only this source was migrated to"
    )]
    ForeignDestination(berth_spec::RepositoryName),
    /// Blocking work was cut off, because the process is shutting down or the work panicked.
    #[error("the transfer was interrupted")]
    Interrupted,
}

impl TransferError {
    pub(crate) fn folder(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::Folder {
            path: path.into(),
            error,
        }
    }
}
