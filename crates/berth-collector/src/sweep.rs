use std::time::SystemTime;

use berth_blob::Listed;
use berth_metadata::Blob;
use berth_progress::{Observer, Progress, Unit};
use berth_spec::{BlobName, Digest};
use futures_util::TryStreamExt;
use tracing::error;

use crate::leftovers::Leftovers;
use crate::pages::PAGE;
use crate::{Amount, CollectError, Collector, SweepReport};

/// How many names are compared at once: so few that nobody who pushes one of them waits long.
const BATCH: usize = 64;

/// So many files may be of no record's digest for any reason.
const MANY: u64 = 100;

/// How many files there are.
#[derive(Clone, Copy, Default)]
struct Files {
    all: u64,
    /// Those that are old, and that no record means.
    unrecorded: u64,
    /// Of these, those of whose digest there is no record at all.
    strange: u64,
}

impl Files {
    /// Whether the metadata is rather an old copy, or another's, than all these are leftovers. What was replaced tells nothing of
    /// that: anybody who may push can make as much of it as they like.
    fn are_mostly_strange(self) -> bool {
        let replaced = self.unrecorded - self.strange;
        self.strange > MANY && self.strange > (self.all - replaced) / 2
    }
}

impl Collector {
    /// Removes the files of blobs that no record knows: a crash between the publication of a blob and
    /// its record, or between the end of its record and of its file, leaves such. Reads the name of each file in the
    /// store, and looks for the file of each record.
    ///
    /// What has a generation is first forsaken, so that no push that is under way can record it any more, here or in another
    /// process; what has none is kept from pushes by the guards. What was replaced lately is left to a later run.
    ///
    /// A file that no record means, while the record of its digest means another one that is lost, may be the only copy left:
    /// metadata that are older than the store come to that. It is read, and if it is what its digest says, the record means it
    /// from then on. If not, it stays.
    ///
    /// If most of the files have a digest that no record has, the metadata is rather an old copy, or another's, than all these are
    /// leftovers: then nothing is removed, unless `even_most` says so.
    ///
    /// # Errors
    /// When the metadata or the store cannot be read, or a file cannot be removed.
    pub async fn sweep(
        &self,
        even_most: bool,
        observer: &dyn Observer,
    ) -> Result<SweepReport, CollectError> {
        let mut report = SweepReport::default();
        let mut has_unrecorded = true;
        if !even_most {
            let files = self.count_files(observer).await?;
            if files.are_mostly_strange() {
                report.left = files.unrecorded;
            }
            has_unrecorded = files.unrecorded > 0;
        }
        // Mostly there are none, and the names need not be read again.
        if has_unrecorded {
            let found = self.settle_files(report.left == 0, observer).await?;
            report.unrecorded = found.removed;
            report.adopted = found.adopted;
            report.corrupt = found.corrupt;
            report.left = report.left.saturating_sub(found.adopted.blobs);
        }
        report.missing = self.count_missing(observer).await?;
        Ok(report)
    }

    async fn count_files(&self, observer: &dyn Observer) -> Result<Files, CollectError> {
        let mut files = Files::default();
        let mut progress = Progress::begin("reading the names of all files", Unit::Items, None);
        let mut list = self.blobs.list();
        while let Some(listed) = list.try_next().await? {
            for batch in listed.chunks(BATCH) {
                files.all += batch.len() as u64;
                for name in self.metadata.unrecorded(&self.old_enough(batch)).await? {
                    let recorded = self.metadata.recorded_blob(&name.digest).await?;
                    files.unrecorded += 1;
                    files.strange += u64::from(recorded.is_none());
                }
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok(files)
    }

    async fn settle_files(
        &self,
        removed: bool,
        observer: &dyn Observer,
    ) -> Result<Leftovers, CollectError> {
        let mut leftovers = Leftovers::default();
        let replaced_before = self.replaced_before(SystemTime::now());
        let mut progress = Progress::begin("looking for files without a record", Unit::Items, None);
        let mut list = self.blobs.list();
        while let Some(listed) = list.try_next().await? {
            for batch in listed.chunks(BATCH) {
                let names = self.old_enough(batch);
                let settled = self.settle(&names, replaced_before, removed).await?;
                leftovers.include(&settled);
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok(leftovers)
    }

    /// Those that nobody is likely to record any more.
    fn old_enough(&self, listed: &[Listed]) -> Vec<BlobName> {
        let now = SystemTime::now();
        let is_old = |listed: &&Listed| {
            listed.written_at.is_none_or(|written_at| {
                let age = now.duration_since(written_at).unwrap_or_default();
                age >= self.swept_after
            })
        };
        let old = listed.iter().filter(is_old);
        old.map(|listed| listed.name.clone()).collect()
    }

    async fn count_missing(&self, observer: &dyn Observer) -> Result<Amount, CollectError> {
        let mut missing = Amount::default();
        let total = Some(self.metadata.totals().await?.blobs);
        let mut progress =
            Progress::begin("looking for records without a file", Unit::Items, total);
        let mut last: Option<Digest> = None;
        loop {
            let page = self.metadata.blobs(last.as_ref(), PAGE).await?;
            let Some(blob) = page.last() else {
                return Ok(missing);
            };
            last = Some(blob.digest.clone());
            for blob in &page {
                if self.is_missing(blob).await? {
                    error!(digest = %blob.digest, "the bytes of a known blob are missing");
                    missing.add([blob]);
                }
            }
            progress.advance(page.len() as u64, observer);
        }
    }

    async fn is_missing(&self, blob: &Blob) -> Result<bool, CollectError> {
        let mut blob = blob.clone();
        loop {
            if self.blobs.open(&blob.name()).await?.is_some() {
                return Ok(false);
            }
            // It may have been collected since it was listed, and pushed again since it was looked for.
            let Some(recorded) = self.metadata.recorded_blob(&blob.digest).await? else {
                return Ok(false);
            };
            if recorded.name() == blob.name() {
                return Ok(self.blobs.open(&blob.name()).await?.is_none());
            }
            blob = recorded;
        }
    }
}
