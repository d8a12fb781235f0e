use std::num::NonZeroU64;

use berth_blob::{BlobGuards, BlobStore};
use berth_metadata::InspectionStore;
use berth_progress::{Nobody, Observer};
use berth_spec::{Digest, DigestRange};

use crate::run::{BlobRun, Run};
use crate::{Problem, VerificationReport, VerifyError};

/// How to verify.
#[derive(Clone, Debug)]
pub struct Verification {
    /// How many bytes are read in a second at most.
    pub bytes_per_second: Option<NonZeroU64>,
    /// If given, the bytes of corrupt blobs are moved to quarantine. These must be the guards that are held
    /// by all who publish in the blob store: what is being pushed is left alone.
    pub quarantine: Option<BlobGuards>,
    /// How many blobs are read at the same time; one at least.
    pub parallel: usize,
    /// Begin with the blobs after this digest: the position that an earlier run ended at.
    pub from: Option<Digest>,
    /// End after so many blobs. The report tells where.
    pub at_most: Option<u64>,
}

impl Default for Verification {
    /// All that there is, at any rate, and nothing is moved.
    fn default() -> Self {
        Self {
            bytes_per_second: None,
            quarantine: None,
            parallel: 2,
            from: None,
            at_most: None,
        }
    }
}

/// Who wants to know what a verification finds.
pub trait Watcher: Observer {
    /// Takes note of a problem. Is told from async code: it must be quick.
    fn found(&self, problem: &Problem);
}

impl Watcher for Nobody {
    fn found(&self, _: &Problem) {}
}

impl Verification {
    /// Verifies the metadata as a whole, if it begins with the first blob, and corrects counts there that are wrong; then blobs; and then, if it
    /// came to the last one, all manifests. Pushing and pulling may go on meanwhile. Dropping the
    /// future ends it, at any time.
    ///
    /// # Errors
    /// If the metadata cannot be read. Blobs that cannot are problems.
    pub async fn run(
        &self,
        metadata: &dyn InspectionStore,
        blobs: &dyn BlobStore,
        watcher: &dyn Watcher,
    ) -> Result<VerificationReport, VerifyError> {
        let run = Run::begin(self, metadata, watcher);
        if self.from.is_none() {
            run.verify_metadata().await?;
        }
        let range = DigestRange {
            after: self.from.clone(),
            last: None,
        };
        BlobRun { run: &run, blobs }.verify(&range).await?;
        if run.report().position.is_none() {
            run.verify_manifests().await?;
        }
        Ok(run.end())
    }

    /// Verifies the blobs of a range, and nothing else.
    ///
    /// # Errors
    /// If the metadata cannot be read. Blobs that cannot are problems.
    pub async fn run_blobs(
        &self,
        range: &DigestRange,
        metadata: &dyn InspectionStore,
        blobs: &dyn BlobStore,
        watcher: &dyn Watcher,
    ) -> Result<VerificationReport, VerifyError> {
        let run = Run::begin(self, metadata, watcher);
        BlobRun { run: &run, blobs }.verify(range).await?;
        Ok(run.end())
    }

    /// Verifies the metadata as a whole and all manifests, and no blob.
    ///
    /// # Errors
    /// If the metadata cannot be read.
    pub async fn run_without_blobs(
        &self,
        metadata: &dyn InspectionStore,
        watcher: &dyn Watcher,
    ) -> Result<VerificationReport, VerifyError> {
        let run = Run::begin(self, metadata, watcher);
        run.verify_metadata().await?;
        run.verify_manifests().await?;
        Ok(run.end())
    }
}
