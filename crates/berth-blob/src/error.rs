use std::io;

use berth_spec::SessionId;

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no room left where blobs live.
    #[error("the disk that holds the blobs is full")]
    StorageFull,
    /// A staging area does not hold the bytes that its session counts on.
    #[error("upload session {session} should have {expected} bytes stored, but has {found}")]
    StagedBytesMissing {
        /// The session.
        session: SessionId,
        /// How many bytes it counts on.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// Another process goes on with an upload session, and this one must not.
    #[error(
        "another writer has taken over upload session {0}; ask for its status, and go on from there"
    )]
    Superseded(SessionId),
    /// A blob ended before its size.
    #[error("a blob is shorter than when it was opened")]
    Truncated,
    /// A blob has other bytes than its digest says. Told by stores that check what they read.
    #[error("the bytes of a blob are not what its digest says")]
    Corrupt,
    /// A blob was removed or replaced while it was read, and its store does not keep what is open.
    #[error("a blob was removed or replaced while it was read: read it again")]
    Gone,
    /// The file system or the network failed.
    #[error("the blob storage failed: {0}")]
    Io(#[source] io::Error),
    /// Blocking work was cut off, because the process is shutting down or the work panicked.
    #[error("the blob storage was interrupted")]
    Interrupted,
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::StorageFull,
            _ => Self::Io(error),
        }
    }
}
