use std::fmt;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::deletion::Deleted;

/// Whether anything is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What the rules say is done.
    Apply,
    /// Nothing is changed: it is only told what would go.
    DryRun,
}

/// What retention did, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionReport {
    /// Which of the two.
    pub mode: Mode,
    /// How many repositories a rule governs.
    pub repositories: u64,
    /// How many tags went.
    pub tags: u64,
    /// How many manifests went.
    pub manifests: u64,
    /// The bytes of those manifests themselves.
    pub manifest_bytes: u64,
    /// How many tags and manifests stayed, because they were used while this went on.
    pub used_again: u64,
    /// How many repositories could not be read or changed, or not to the end. The log says why.
    pub failed: u64,
    /// The blobs that only manifests which would go need; of a dry run only. They are left to garbage
    /// collection.
    pub blobs: Option<UnneededBlobs>,
}

/// Blobs that nothing would need any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnneededBlobs {
    /// How many.
    pub count: u64,
    /// Their sizes together.
    pub bytes: u64,
}

impl RetentionReport {
    pub(crate) fn begin(mode: Mode) -> Self {
        Self {
            mode,
            repositories: 0,
            tags: 0,
            manifests: 0,
            manifest_bytes: 0,
            used_again: 0,
            failed: 0,
            blobs: (mode == Mode::DryRun).then(UnneededBlobs::default),
        }
    }

    pub(crate) fn count(&mut self, deleted: &Deleted) {
        match deleted {
            Deleted::Tag { .. } => self.tags += 1,
            Deleted::Manifest { size, .. } => {
                self.manifests += 1;
                self.manifest_bytes = self.manifest_bytes.saturating_add(*size);
            }
        }
    }
}

impl fmt::Display for RetentionReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.mode {
            Mode::Apply => "deleted",
            Mode::DryRun => "would delete",
        };
        let tags = Counted(self.tags, "tag", "tags");
        let manifests = Counted(self.manifests, "manifest", "manifests");
        let repositories = Counted(self.repositories, "repository", "repositories");
        let bytes = ByteSize(self.manifest_bytes);
        write!(
            formatter,
            "retention {verb} {tags} and {manifests} ({bytes}), by the rules of {repositories}"
        )?;
        if let Some(UnneededBlobs { count, bytes }) = self.blobs {
            let (blobs, bytes) = (Counted(count, "blob", "blobs"), ByteSize(bytes));
            write!(formatter, "; {blobs} ({bytes}) would be needed no more")?;
        }
        if self.used_again > 0 {
            let entries = Counted(self.used_again, "entry", "entries");
            write!(formatter, "; {entries} stayed, being used again meanwhile")?;
        }
        if self.failed > 0 {
            let repositories = Counted(self.failed, "repository", "repositories");
            write!(formatter, "; {repositories} failed, the log says why")?;
        }
        Ok(())
    }
}

struct Counted(u64, &'static str, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, one, many) = self;
        write!(
            formatter,
            "{count} {}",
            if *count == 1 { one } else { many }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_a_sentence_and_survives_json() {
        let applied = RetentionReport {
            mode: Mode::Apply,
            repositories: 1,
            tags: 3,
            manifests: 1,
            manifest_bytes: 2048,
            used_again: 2,
            failed: 1,
            blobs: None,
        };
        assert_eq!(
            applied.to_string(),
            "retention deleted 3 tags and 1 manifest (2.0 KiB), by the rules of 1 repository; \
             2 entries stayed, being used again meanwhile; 1 repository failed, the log says why"
        );
        let dry = RetentionReport {
            mode: Mode::DryRun,
            repositories: 4,
            used_again: 0,
            failed: 0,
            blobs: Some(UnneededBlobs {
                count: 1,
                bytes: 3 << 20,
            }),
            ..applied
        };
        assert_eq!(
            dry.to_string(),
            "retention would delete 3 tags and 1 manifest (2.0 KiB), by the rules of 4 repositories; \
             1 blob (3.0 MiB) would be needed no more"
        );
        let json = serde_json::to_string(&dry).unwrap();
        assert_eq!(serde_json::from_str::<RetentionReport>(&json).unwrap(), dry);
    }
}
