use std::fmt::{self, Display, Formatter};

use berth_spec::Digest;
use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// What came of a run of a [`Verification`](crate::Verification).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationReport {
    /// How many blobs were looked at.
    pub blobs: u64,
    /// How many bytes of them were read.
    pub bytes: u64,
    /// How many manifests were looked at.
    pub manifests: u64,
    /// How many problems were found.
    pub problems: u64,
    /// How many blobs were moved to quarantine.
    pub quarantined: u64,
    /// The last blob that was looked at, if the run ended before the last one of all: the next run
    /// begins there.
    pub position: Option<Digest>,
}

impl VerificationReport {
    /// Whether no problem was found.
    pub fn is_sound(&self) -> bool {
        self.problems == 0
    }

    /// Adds what came of another run, which ended where it should.
    pub fn include(&mut self, other: &Self) {
        self.blobs += other.blobs;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.manifests += other.manifests;
        self.problems += other.problems;
        self.quarantined += other.quarantined;
    }
}

impl Display for VerificationReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let blobs = counted(self.blobs, "blob");
        let manifests = counted(self.manifests, "manifest");
        let bytes = ByteSize(self.bytes);
        write!(formatter, "verified {blobs} ({bytes}) and {manifests}: ")?;
        match self.problems {
            0 => formatter.write_str("no problems")?,
            problems => formatter.write_str(&counted(problems, "problem"))?,
        }
        if self.quarantined > 0 {
            let quarantined = counted(self.quarantined, "blob");
            write!(formatter, ", {quarantined} moved to quarantine")?;
        }
        match self.position {
            Some(_) => formatter.write_str("; not at the end yet"),
            None => Ok(()),
        }
    }
}

fn counted(number: u64, name: &str) -> String {
    match number {
        1 => format!("1 {name}"),
        number => format!("{number} {name}s"),
    }
}
