use std::io;
use std::path::PathBuf;

use berth_blob::BlobError;
use berth_metadata::MetadataError;
use berth_verify::VerifyError;

/// Why a backup or a restoration could not come to its end. It can be begun again: what it has copied
/// counts.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The metadata cannot be read or copied.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Blobs cannot be written. That some cannot be read is told as problems.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// What was restored cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A folder cannot be used.
    #[error("{} cannot be used: {error}", path.display())]
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Another process uses the folder: it serves it, or writes a backup there.
    #[error("another process uses the folder {}; choose another one, or wait for it", .0.display())]
    Claimed(PathBuf),
    /// The folder is to be backed up to, and a registry has its data there.
    #[error(
        "{} is the data folder of a registry and not a backup; choose another folder, or an empty one",
        .0.display()
    )]
    HoldsRegistry(PathBuf),
    /// The folder is to be restored to, and has data.
    #[error("{} has metadata already; choose a folder without, to restore to", .0.display())]
    HasMetadata(PathBuf),
    /// The folder is to be restored from, and is no backup.
    #[error("{} is not a whole backup: it has no metadata.sqlite3", .0.display())]
    NoBackup(PathBuf),
    /// The folder is to be restored from, and was served since: part of its metadata is in a log.
    #[error(
        "{} was not closed well when it was served: serve it once more, stop that, and then restore it",
        .0.display()
    )]
    NotClosed(PathBuf),
    /// Blocking work was cut off, because the process is shutting down or the work panicked.
    #[error("the backup was interrupted")]
    Interrupted,
}
