use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_blob::BlobStore;
use berth_metadata::{InspectionStore, Users};
use berth_progress::{Progress, Unit};

use crate::rate::Rate;
use crate::{Fault, Problem, Quarantine, Verification, VerificationReport, VerifyError, Watcher};

/// How many users of each kind are named with a problem.
const USERS_NAMED: u32 = 20;

/// A verification under way.
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Verification,
    pub(crate) metadata: &'a dyn InspectionStore,
    pub(crate) rate: Rate,
    watcher: &'a dyn Watcher,
    report: Mutex<VerificationReport>,
    progress: Mutex<Progress>,
}

impl<'a> Run<'a> {
    pub(crate) fn begin(
        settings: &'a Verification,
        metadata: &'a dyn InspectionStore,
        watcher: &'a dyn Watcher,
    ) -> Self {
        Self {
            settings,
            metadata,
            rate: Rate::new(settings.bytes_per_second),
            watcher,
            report: Mutex::default(),
            progress: Mutex::new(Progress::begin("", Unit::Items, None)),
        }
    }

    pub(crate) fn end(self) -> VerificationReport {
        self.report
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// What is counted of this run. Not to be held while something is waited for.
    pub(crate) fn report(&self) -> MutexGuard<'_, VerificationReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin_stage(&self, progress: Progress) {
        self.watcher.tell(&progress);
        *self.progress() = progress;
    }

    pub(crate) fn advance(&self, done: u64) {
        self.progress().advance(done, self.watcher);
    }

    /// Counts bytes of a blob that were read, and waits for their turn.
    pub(crate) async fn read(&self, bytes: u64) {
        self.rate.wait_for(bytes).await;
        self.report().bytes += bytes;
        self.advance(bytes);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks who is hurt.
    pub(crate) async fn problem(&self, fault: Fault) -> Result<Problem, VerifyError> {
        let hurts = match &fault {
            Fault::Blob { digest, .. } => self.metadata.blob_users(digest, USERS_NAMED).await?,
            Fault::Manifest {
                repository, digest, ..
            } => {
                let users = self
                    .metadata
                    .manifest_users(repository, digest, USERS_NAMED);
                users.await?
            }
            Fault::Metadata { .. } => Users::default(),
        };
        Ok(Problem { fault, hurts })
    }

    pub(crate) fn tell(&self, problem: &Problem) {
        let is_moved = matches!(
            problem.fault,
            Fault::Blob {
                quarantine: Quarantine::Moved,
                ..
            }
        );
        let mut report = self.report();
        report.problems += 1;
        report.quarantined += u64::from(is_moved);
        drop(report);
        self.watcher.found(problem);
    }

    /// What the store of the metadata itself finds wrong. Counts follow from the rest, so they are corrected; but
    /// not from what is damaged.
    pub(crate) async fn verify_metadata(&self) -> Result<(), VerifyError> {
        let mut damages = self.metadata.damages().await?;
        if damages.is_empty() {
            damages = self.metadata.recount().await?;
        }
        for damage in damages {
            let problem = self.problem(Fault::Metadata { damage }).await?;
            self.tell(&problem);
        }
        Ok(())
    }
}

/// The blobs of a run.
pub(crate) struct BlobRun<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) blobs: &'a dyn BlobStore,
}
