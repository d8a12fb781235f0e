use std::num::NonZeroU64;

use berth_progress::{Observer, Progress};
use berth_spec::Digest;
use berth_verify::{Problem, Verification, VerificationReport};
use serde::{Deserialize, Serialize};

use super::{Upkeep, Watcher};

/// How the data is to be verified.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Verify {
    /// How many bytes are read in a second at most.
    pub(crate) bytes_per_second: Option<NonZeroU64>,
    /// Whether corrupt bytes stay where they are.
    pub(crate) keep: bool,
    /// The blob after which to begin.
    pub(crate) from: Option<Digest>,
}

impl Upkeep {
    /// Compares all that is stored with what it should be.
    pub(super) async fn verify(
        &self,
        verify: &Verify,
        watcher: &dyn Watcher,
    ) -> anyhow::Result<VerificationReport> {
        let guards = self.registry.blob_guards().clone();
        let verification = Verification {
            bytes_per_second: verify.bytes_per_second,
            quarantine: (!verify.keep).then_some(guards),
            from: verify.from.clone(),
            ..Verification::default()
        };
        let watcher = Problems(watcher);
        let report = verification.run(&*self.metadata, &*self.blobs, &watcher);
        Ok(report.await?)
    }
}

/// Tells of problems as findings.
pub(super) struct Problems<'a>(pub(super) &'a dyn Watcher);

impl Observer for Problems<'_> {
    fn tell(&self, progress: &Progress) {
        self.0.tell(progress);
    }
}

impl berth_verify::Watcher for Problems<'_> {
    fn found(&self, problem: &Problem) {
        self.0.found(&problem.to_string());
    }
}
