use std::fmt::{self, Display, Formatter};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// What came of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferReport {
    /// How many repositories were looked at.
    pub repositories: u64,
    /// How many manifests were stored.
    pub manifests: u64,
    /// How many tags were set.
    pub tags: u64,
    /// How many blobs were copied.
    pub blobs: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// How many blobs were linked to one more repository, without copying a byte.
    pub mounted: u64,
    /// How many manifests, tags and blobs were there already, as they should be.
    pub kept: u64,
    /// How many things were passed over on purpose.
    pub passed_over: u64,
    /// How many problems were told: so much is not at the destination as it is at the source.
    pub problems: u64,
}

impl TransferReport {
    /// Whether all that the source serves is at the destination.
    pub fn is_complete(&self) -> bool {
        self.problems == 0
    }
}

impl Display for TransferReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "looked at {}: stored {} and {}, copied {} ({}) and linked {} more; {} of all these were there already, \
             {} passed over: {}",
            repositories(self.repositories),
            counted(self.manifests, "manifest"),
            counted(self.tags, "tag"),
            counted(self.blobs, "blob"),
            ByteSize(self.bytes),
            self.mounted,
            self.kept,
            self.passed_over,
            problems(self.problems)
        )
    }
}

pub(crate) fn repositories(number: u64) -> String {
    match number {
        1 => "1 repository".to_owned(),
        number => format!("{number} repositories"),
    }
}

pub(crate) fn problems(number: u64) -> String {
    match number {
        0 => "no problems".to_owned(),
        number => counted(number, "problem"),
    }
}

pub(crate) fn counted(number: u64, name: &str) -> String {
    match number {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    }
}
