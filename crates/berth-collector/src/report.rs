use std::fmt;

use berth_metadata::Blob;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// How many blobs, and of how many bytes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    /// Adds these.
    pub fn add<'a>(&mut self, blobs: impl IntoIterator<Item = &'a Blob>) {
        blobs.into_iter().for_each(|blob| self.add_one(blob.size));
    }

    /// Adds one of this size.
    pub(crate) fn add_one(&mut self, size: u64) {
        self.blobs += 1;
        self.bytes = self.bytes.saturating_add(size);
    }

    /// Adds those of another amount.
    pub fn include(&mut self, others: Self) {
        self.blobs += others.blobs;
        self.bytes = self.bytes.saturating_add(others.bytes);
    }

    pub(crate) fn without(self, others: Self) -> Self {
        Self {
            blobs: self.blobs.saturating_sub(others.blobs),
            bytes: self.bytes.saturating_sub(others.bytes),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blobs = if self.blobs == 1 { "blob" } else { "blobs" };
        write!(
            formatter,
            "{} {blobs} ({})",
            self.blobs,
            ByteSize(self.bytes)
        )
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionReport {
    /// Blobs that nothing needs any more. They will be deleted if that is still so after the grace
    /// period.
    pub condemned: Amount,
    /// Blobs that were condemned a grace period ago, and are gone now.
    pub deleted: Amount,
    /// Blobs to be deleted that somebody is pushing or backing up right now: left for the next run.
    pub postponed: u64,
    /// Blobs of which the record is gone and the file could not be removed: left for a sweep.
    pub not_removed: u64,
    /// Files of blobs that were pushed again, which others replaced a while ago: they are removed.
    pub replaced: Amount,
    /// Blobs whose record means other bytes of the same digest now, since those that it meant are lost.
    pub adopted: Amount,
}

impl CollectionReport {
    /// Adds what another run did.
    pub fn include(&mut self, other: &Self) {
        self.condemned.include(other.condemned);
        self.deleted.include(other.deleted);
        self.postponed += other.postponed;
        self.not_removed += other.not_removed;
        self.replaced.include(other.replaced);
        self.adopted.include(other.adopted);
    }
}

/// What a run would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionPlan {
    /// Blobs that would be condemned.
    pub to_condemn: Amount,
    /// Blobs that were condemned a grace period ago and would be deleted.
    pub to_delete: Amount,
    /// Blobs that are condemned, and whose grace period is not over.
    pub waiting: Amount,
}

/// What a comparison of the store with the metadata found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Files without a record, which are removed.
    pub unrecorded: Amount,
    /// How many files without a record are left where they are, because most of all have no record of their digest.
    pub left: u64,
    /// Blobs whose record means a file now that no record meant, since the one that it meant is lost.
    pub adopted: Amount,
    /// Files that might have been adopted, and are not what their digest says. They stay.
    pub corrupt: Amount,
    /// Records without a file. They stay: a push of the blob mends them, and verification tells whom
    /// they hurt.
    pub missing: Amount,
}
