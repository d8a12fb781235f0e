use std::sync::Arc;
use std::time::{Instant, SystemTime};

use berth_blob::Removing;
use berth_metadata::{Blob, Grace};
use berth_progress::{Observer, Progress, Unit};
use berth_spec::{BlobName, Digest, DigestRange};
use futures_util::{StreamExt, TryStreamExt, stream};
use tracing::{debug, warn};

use crate::collector::to_its_end;
use crate::{CollectError, CollectionReport, Collector};

/// How many blobs are changed in one transaction: so few that nobody who writes waits long for it.
const BATCH: usize = 64;

/// How many transactions wait for one sync together.
const BATCHES_AT_ONCE: usize = 8;

impl Collector {
    /// Condemns the blobs that nothing needs at `now`, and deletes those that were condemned a grace
    /// period ago and are still not needed. Without a grace period, both happen at once. Removes also the bytes that a later push
    /// of the same blob replaced an hour ago, or [as long ago as was said](Collector::sweeping_after).
    ///
    /// # Errors
    /// When the metadata cannot be read or changed.
    pub async fn collect(
        &self,
        grace: Grace,
        now: SystemTime,
        observer: &dyn Observer,
    ) -> Result<CollectionReport, CollectError> {
        self.collect_range(&DigestRange::default(), grace, now, observer)
            .await
    }

    /// [`Collector::collect`] among the blobs of a range.
    ///
    /// # Errors
    /// As there.
    pub async fn collect_range(
        &self,
        range: &DigestRange,
        grace: Grace,
        now: SystemTime,
        observer: &dyn Observer,
    ) -> Result<CollectionReport, CollectError> {
        let began = Instant::now();
        let mut report = CollectionReport::default();
        self.condemn(range, grace, now, &mut report, observer)
            .await?;
        // By now some time has passed: without a grace period, what was just condemned goes.
        let now = now.checked_add(began.elapsed()).unwrap_or(now);
        self.delete(range, grace, now, &mut report, observer)
            .await?;
        self.remove_replaced(range, now, &mut report, observer)
            .await?;
        Ok(report)
    }

    async fn condemn(
        &self,
        range: &DigestRange,
        grace: Grace,
        now: SystemTime,
        report: &mut CollectionReport,
        observer: &dyn Observer,
    ) -> Result<(), CollectError> {
        let unused_since = grace.unused_since(now);
        let mut progress = Progress::begin("condemning unused blobs", Unit::Items, None);
        let mut pages = self.unused_pages(range, unused_since);
        while let Some(page) = pages.try_next().await? {
            let condemning = batches(&page).into_iter().map(|batch| {
                let metadata = Arc::clone(&self.metadata);
                async move { metadata.condemn_blobs(&digests(&batch), unused_since).await }
            });
            let mut condemning = stream::iter(condemning).buffer_unordered(BATCHES_AT_ONCE);
            while let Some(condemned) = condemning.try_next().await? {
                report.condemned.add(&condemned);
                progress.advance(condemned.len() as u64, observer);
            }
        }
        Ok(())
    }

    async fn delete(
        &self,
        range: &DigestRange,
        grace: Grace,
        now: SystemTime,
        report: &mut CollectionReport,
        observer: &dyn Observer,
    ) -> Result<(), CollectError> {
        let condemned_before = grace.condemned_before(now);
        let unused_since = grace.unused_since(now);
        let mut progress = Progress::begin("deleting condemned blobs", Unit::Items, None);
        let mut pages = self.condemned_pages(range, condemned_before);
        while let Some(page) = pages.try_next().await? {
            let deleting = batches(&page).into_iter().map(|batch| {
                let collector = self.clone();
                async move {
                    collector
                        .delete_batch(&batch, condemned_before, unused_since)
                        .await
                }
            });
            let mut deleting = stream::iter(deleting).buffer_unordered(BATCHES_AT_ONCE);
            while let Some(deleted) = deleting.try_next().await? {
                report.include(&deleted);
                progress.advance(deleted.deleted.blobs, observer);
            }
        }
        Ok(())
    }

    async fn delete_batch(
        &self,
        blobs: &[Blob],
        condemned_before: SystemTime,
        unused_since: SystemTime,
    ) -> Result<CollectionReport, CollectError> {
        let removing = self.removing(blobs);
        let mut report = CollectionReport {
            postponed: (blobs.len() - removing.len()) as u64,
            ..CollectionReport::default()
        };
        let collector = self.clone();
        to_its_end(async move {
            let digests: Vec<Digest> = removing.iter().map(|it| it.digest().clone()).collect();
            let forgotten = collector
                .metadata
                .forget_blobs(&digests, condemned_before, unused_since)
                .await?;
            collector.remove(&forgotten, &mut report).await;
            drop(removing);
            Ok(report)
        })
        .await
    }

    /// The right to remove those of these blobs that nobody else works on.
    fn removing(&self, blobs: &[Blob]) -> Vec<Removing> {
        let removing = |blob: &Blob| self.guards.removing(&blob.digest);
        blobs.iter().filter_map(removing).collect()
    }

    /// Removes the bytes of blobs whose records are gone.
    async fn remove(&self, forgotten: &[Blob], report: &mut CollectionReport) {
        // Just these: what was pushed since may have the same digest, but has another name, or waits for the guards.
        let names: Vec<BlobName> = forgotten.iter().map(Blob::name).collect();
        match self.blobs.delete(&names).await {
            Ok(_) => {
                debug!(blobs = names.len(), "deleted");
                report.deleted.add(forgotten);
            }
            Err(error) => {
                warn!(%error, "cannot remove the files of some blobs; the next sweep will try again");
                report.not_removed += names.len() as u64;
            }
        }
    }
}

fn batches(blobs: &[Blob]) -> Vec<Vec<Blob>> {
    blobs.chunks(BATCH).map(<[Blob]>::to_vec).collect()
}

fn digests(blobs: &[Blob]) -> Vec<Digest> {
    blobs.iter().map(|blob| blob.digest.clone()).collect()
}
