use std::io;

use berth_blob::BlobError;
use berth_metadata::MetadataError;

/// What whoever asked for a step is told.
#[derive(Debug)]
pub(crate) enum Injected {
    Full,
    Failed(String),
    /// There is nobody any more who could hear it.
    Crashed,
}

impl From<Injected> for BlobError {
    fn from(injected: Injected) -> Self {
        match injected {
            Injected::Full => Self::StorageFull,
            Injected::Failed(why) => Self::Io(io::Error::other(why)),
            Injected::Crashed => Self::Interrupted,
        }
    }
}

impl From<Injected> for MetadataError {
    fn from(injected: Injected) -> Self {
        match injected {
            Injected::Full => Self::StorageFull,
            Injected::Failed(why) => Self::Database(why),
            Injected::Crashed => Self::Database("the process has crashed".to_owned()),
        }
    }
}
