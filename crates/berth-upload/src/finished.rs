use berth_blob::Publishing;
use berth_spec::{BlobName, Digest, SessionId};

use crate::SessionRecord;
use crate::active::Claim;
use crate::work::Work;

/// A blob that was just published and is not known to anybody yet. Nobody else can touch its
/// session, and nobody removes the blob, until this is dropped.
#[derive(Debug)]
pub struct Finished {
    pub(crate) name: BlobName,
    pub(crate) size: u64,
    pub(crate) from: Source,
    pub(crate) _publishing: Publishing,
}

/// Where the bytes of a blob come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A session that can be continued: as it was before.
    Session(Work),
    /// One request.
    Request(Claim),
}

impl Finished {
    /// What the blob store knows the blob by.
    pub fn name(&self) -> &BlobName {
        &self.name
    }

    /// The digest of the blob.
    pub fn digest(&self) -> &Digest {
        &self.name.digest
    }

    /// The size of the blob, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The session that it came from.
    pub fn session(&self) -> SessionId {
        match &self.from {
            Source::Session(work) => work.record().id,
            Source::Request(claim) => claim.id(),
        }
    }

    /// The record of the session, to be removed when the blob becomes known, by this revision: if it has another by then,
    /// somebody else goes on with the session. `None` if the blob came in one request.
    pub fn record(&self) -> Option<&SessionRecord> {
        match &self.from {
            Source::Session(work) => Some(work.record()),
            Source::Request(_) => None,
        }
    }
}
