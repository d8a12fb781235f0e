use berth_blob::Removing;
use berth_metadata::Blob;
use berth_progress::{Observer, Progress, Unit};
use berth_spec::Digest;
use futures_util::TryStreamExt;

use crate::collector::to_its_end;
use crate::{Amount, CollectError, Collector, SweepReport};

/// How many names are compared at once.
const BATCH: usize = 500;

impl Collector {
    /// Removes the files of blobs that no record knows: a crash between the publication of a blob and
    /// its record, or between the end of its record and of its file, leaves such. Reads the name of each file in the
    /// store.
    ///
    /// # Errors
    /// When the metadata or the store cannot be read, or a file cannot be removed.
    pub async fn sweep(&self, observer: &dyn Observer) -> Result<SweepReport, CollectError> {
        let mut report = SweepReport::default();
        let mut progress = Progress::begin("looking for files without a record", Unit::Items, None);
        let mut digests = self.blobs.list();
        while let Some(listed) = digests.try_next().await? {
            for batch in listed.chunks(BATCH) {
                let removed = self.remove_unrecorded(batch).await?;
                report.unrecorded.include(removed);
                progress.advance(batch.len() as u64, observer);
            }
        }
        Ok(report)
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
