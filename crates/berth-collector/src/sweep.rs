use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use berth_blob::{Listed, Removing};
use berth_metadata::Blob;
use berth_progress::{Observer, Progress, Unit};
use berth_spec::{BlobName, Digest};
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
    /// What has a generation is first forsaken, so that no push that is under way can record it any more, here or in another
    /// process; what has none is kept from pushes by the guards.
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

    /// How many files there are, and how many of them are old and known to no record.
    async fn count_files(&self, observer: &dyn Observer) -> Result<(u64, u64), CollectError> {
        let (mut files, mut unrecorded) = (0, 0);
        let mut progress = Progress::begin("reading the names of all files", Unit::Items, None);
        let mut list = self.blobs.list();
        while let Some(listed) = list.try_next().await? {
            for batch in listed.chunks(BATCH) {
                let names = self.old_enough(batch);
                files += batch.len() as u64;
                unrecorded += self.metadata.unrecorded(&names).await?.len() as u64;
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok((files, unrecorded))
    }

    async fn sweep_files(&self, observer: &dyn Observer) -> Result<Amount, CollectError> {
        let mut unrecorded = Amount::default();
        let mut progress = Progress::begin("looking for files without a record", Unit::Items, None);
        let mut list = self.blobs.list();
        while let Some(listed) = list.try_next().await? {
            for batch in listed.chunks(BATCH) {
                let names = self.old_enough(batch);
                unrecorded.include(self.remove_unrecorded(&names).await?);
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok(unrecorded)
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

    /// Removes those of these blobs that no record knows and nobody works on.
    async fn remove_unrecorded(&self, names: &[BlobName]) -> Result<Amount, CollectError> {
        let unrecorded = self.metadata.unrecorded(names).await?;
        // Also of those with a generation: whoever pushes them here, or keeps them for a backup, need not be disturbed.
        let digests: BTreeSet<&Digest> = unrecorded.iter().map(|name| &name.digest).collect();
        let removing = |digest: &Digest| self.guards.removing(digest);
        let removing: Vec<Removing> = digests.into_iter().filter_map(removing).collect();
        if removing.is_empty() {
            return Ok(Amount::default());
        }
        let collector = self.clone();
        to_its_end(async move {
            let guarded: HashSet<&Digest> = removing.iter().map(Removing::digest).collect();
            let is_guarded = |name: &BlobName| guarded.contains(&name.digest);
            let names: Vec<BlobName> = unrecorded.into_iter().filter(is_guarded).collect();
            let removed = collector.remove_if_unrecorded(&names).await?;
            drop(removing);
            Ok(removed)
        })
        .await
    }

    async fn remove_if_unrecorded(&self, names: &[BlobName]) -> Result<Amount, CollectError> {
        let mut files = Vec::new();
        for name in self.given_up(names).await? {
            if let Some(file) = self.blobs.open(&name).await? {
                files.push((name, file.size()));
            }
        }
        let names: Vec<BlobName> = files.iter().map(|(name, _)| name.clone()).collect();
        self.blobs.delete(&names).await?;
        let mut removed = Amount::default();
        files.iter().for_each(|(_, size)| removed.add_one(*size));
        Ok(removed)
    }

    /// Those that no record knows and none will: because they are forsaken, or because the guards are held.
    async fn given_up(&self, names: &[BlobName]) -> Result<Vec<BlobName>, CollectError> {
        let has_generation = |name: &BlobName| name.generation.is_some();
        let (published_once, plain): (Vec<BlobName>, Vec<BlobName>) =
            names.iter().cloned().partition(has_generation);
        let mut given_up = Vec::new();
        if !published_once.is_empty() {
            given_up = self.metadata.forsake(&published_once).await?;
        }
        if !plain.is_empty() {
            // A push may have recorded some between the first look and the right to remove them.
            given_up.extend(self.metadata.unrecorded(&plain).await?);
        }
        Ok(given_up)
    }
}
