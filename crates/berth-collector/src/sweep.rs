use berth_blob::Removing;
use berth_metadata::Blob;
use berth_progress::{Observer, Progress, Unit};
use berth_spec::Digest;
use futures_util::TryStreamExt;
use tracing::error;

use crate::collector::to_its_end;
use crate::pages::PAGE;
use crate::{Amount, CollectError, Collector, SweepReport};

/// How many names are compared at once: so few that nobody who pushes one of them waits long.
const BATCH: usize = 64;

/// So many files may be without a record for any reason.
const MANY: u64 = 100;

impl Collector {
    /// Removes the files of blobs that no record knows: a crash between the publication of a blob and
    /// its record, or between the end of its record and of its file, leaves such. Reads the name of each file in the
    /// store, and looks for the file of each record.
    ///
    /// If that would be most of the files, the metadata is rather an old copy, or another's, than all these are
    /// leftovers: then they stay, unless `even_most` says so.
    ///
    /// # Errors
    /// When the metadata or the store cannot be read, or a file cannot be removed.
    pub async fn sweep(
        &self,
        even_most: bool,
        observer: &dyn Observer,
    ) -> Result<SweepReport, CollectError> {
        let missing = self.count_missing(observer).await?;
        let mut report = SweepReport {
            missing,
            ..SweepReport::default()
        };
        if !even_most {
            let (files, unrecorded) = self.count_files(observer).await?;
            if unrecorded > MANY && unrecorded > files / 2 {
                report.left = unrecorded;
            }
            // Mostly there are none, and the names need not be read again.
            if unrecorded == 0 || report.left > 0 {
                return Ok(report);
            }
        }
        report.unrecorded = self.sweep_files(observer).await?;
        Ok(report)
    }

    /// How many files there are, and how many of them no record knows.
    async fn count_files(&self, observer: &dyn Observer) -> Result<(u64, u64), CollectError> {
        let (mut files, mut unrecorded) = (0, 0);
        let mut progress = Progress::begin("reading the names of all files", Unit::Items, None);
        let mut digests = self.blobs.list();
        while let Some(listed) = digests.try_next().await? {
            for batch in listed.chunks(BATCH) {
                files += batch.len() as u64;
                unrecorded += self.metadata.unrecorded(batch).await?.len() as u64;
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok((files, unrecorded))
    }

    async fn sweep_files(&self, observer: &dyn Observer) -> Result<Amount, CollectError> {
        let mut unrecorded = Amount::default();
        let mut progress = Progress::begin("looking for files without a record", Unit::Items, None);
        let mut digests = self.blobs.list();
        while let Some(listed) = digests.try_next().await? {
            for batch in listed.chunks(BATCH) {
                unrecorded.include(self.remove_unrecorded(batch).await?);
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok(unrecorded)
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
        let digest = &blob.digest;
        if self.blobs.open(digest).await?.is_some() {
            return Ok(false);
        }
        // It may have been collected since it was listed, and pushed again since it was looked for.
        let is_recorded = self.metadata.recorded_blob(digest).await?.is_some();
        Ok(is_recorded && self.blobs.open(digest).await?.is_none())
    }

    /// Removes those of these blobs that no record knows and nobody works on.
    async fn remove_unrecorded(&self, digests: &[Digest]) -> Result<Amount, CollectError> {
        let unrecorded = self.metadata.unrecorded(digests).await?;
        let removing = |digest: &Digest| self.guards.removing(digest);
        let removing: Vec<Removing> = unrecorded.iter().filter_map(removing).collect();
        if removing.is_empty() {
            return Ok(Amount::default());
        }
        let collector = self.clone();
        to_its_end(async move {
            let digests: Vec<Digest> = removing.iter().map(|it| it.digest().clone()).collect();
            let removed = collector.remove_if_unrecorded(&digests).await?;
            drop(removing);
            Ok(removed)
        })
        .await
    }

    async fn remove_if_unrecorded(&self, digests: &[Digest]) -> Result<Amount, CollectError> {
        // A push may have recorded some between the first look and the right to remove them.
        let unrecorded = self.metadata.unrecorded(digests).await?;
        let mut files = Vec::new();
        for digest in unrecorded {
            if let Some(file) = self.blobs.open(&digest).await? {
                let size = file.size();
                files.push(Blob { digest, size });
            }
        }
        let digests: Vec<Digest> = files.iter().map(|blob| blob.digest.clone()).collect();
        self.blobs.delete(&digests).await?;
        let mut removed = Amount::default();
        removed.add(&files);
        Ok(removed)
    }
}
