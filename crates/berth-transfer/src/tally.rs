use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_progress::{Progress, Unit};

use crate::{Finding, TransferReport, Watcher};

/// What a transfer has done so far, and who wants to know.
pub(crate) struct Tally<'a> {
    watcher: &'a dyn Watcher,
    report: Mutex<TransferReport>,
    progress: Mutex<Progress>,
}

impl<'a> Tally<'a> {
    /// Counts manifests as they are done.
    pub(crate) fn begin(stage: &str, watcher: &'a dyn Watcher) -> Self {
        let progress = Progress::begin(stage, Unit::Items, None);
        watcher.tell(&progress);
        Self {
            watcher,
            report: Mutex::default(),
            progress: Mutex::new(progress),
        }
    }

    pub(crate) fn report(&self) -> MutexGuard<'_, TransferReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many more manifests are to be done.
    pub(crate) fn expect(&self, manifests: usize) {
        let mut progress = self.progress();
        let total = progress.total.unwrap_or(0);
        progress.total = Some(total.saturating_add(manifests as u64));
        self.watcher.tell(&progress);
    }

    /// One more manifest is done, in one way or another.
    pub(crate) fn advance(&self) {
        self.progress().advance(1, self.watcher);
    }

    pub(crate) fn found(&self, finding: &Finding) {
        {
            let mut report = self.report();
            match finding.is_problem() {
                true => report.problems += 1,
                false => report.passed_over += 1,
            }
        }
        self.watcher.found(finding);
    }
}
