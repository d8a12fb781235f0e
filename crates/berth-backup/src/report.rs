use std::fmt::{self, Display, Formatter};

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// What came of a [`Backup`](crate::Backup).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// How many blobs were copied.
    pub blobs: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// How many blobs the folder had already.
    pub kept: u64,
    /// How many problems were told: so many blobs are not in the backup.
    pub problems: u64,
}

/// What came of a restoration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// How many blobs were copied.
    pub blobs: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// How many blobs the folder had already, and rightly so.
    pub kept: u64,
    /// How many manifests were verified.
    pub manifests: u64,
    /// How many problems were told, with blobs, manifests, and the metadata as a whole.
    pub problems: u64,
}

impl BackupReport {
    /// Whether all that is recorded was backed up.
    pub fn is_sound(&self) -> bool {
        self.problems == 0
    }
}

impl RestoreReport {
    /// Whether all that is recorded was restored, and is right.
    pub fn is_sound(&self) -> bool {
        self.problems == 0
    }
}

impl Display for BackupReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (blobs, bytes) = (counted(self.blobs, "blob"), ByteSize(self.bytes));
        let (kept, problems) = (self.kept, problems(self.problems));
        write!(
            formatter,
            "backed up {blobs} ({bytes}); {kept} were there already: {problems}"
        )
    }
}

impl Display for RestoreReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (blobs, bytes) = (counted(self.blobs, "blob"), ByteSize(self.bytes));
        let (kept, problems) = (self.kept, problems(self.problems));
        let manifests = counted(self.manifests, "manifest");
        write!(
            formatter,
            "restored {blobs} ({bytes}), {kept} were there already, and verified {manifests}: {problems}"
        )
    }
}

fn problems(number: u64) -> String {
    match number {
        0 => "no problems".to_owned(),
        number => counted(number, "problem"),
    }
}

fn counted(number: u64, name: &str) -> String {
    match number {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    }
}
