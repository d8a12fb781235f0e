use std::io;
use std::path::PathBuf;

/// A folder cannot be used as a cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Each process needs a folder of its own.
    #[error("another process uses the cache folder {0}: choose another one for this process")]
    InUse(PathBuf),
    /// It cannot be made, read or written.
    #[error("cannot use the cache folder {folder}: {source}")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
