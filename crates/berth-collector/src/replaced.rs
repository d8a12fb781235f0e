use std::time::SystemTime;

use berth_progress::{Observer, Progress, Unit};
use berth_spec::{BlobName, DigestRange};

use crate::{CollectError, CollectionReport, Collector};

/// How many names are removed at once.
const BATCH: u32 = 64;

impl Collector {
    /// Removes the bytes of a range that others replaced a while ago, so that a pull of them could go on.
    pub(crate) async fn remove_replaced(
        &self,
        range: &DigestRange,
        now: SystemTime,
        report: &mut CollectionReport,
        observer: &dyn Observer,
    ) -> Result<(), CollectError> {
        let replaced_before = self.replaced_before(now);
        let mut progress = Progress::begin("removing replaced files", Unit::Items, None);
        let mut after = range.after.clone().map(BlobName::plain);
        loop {
            let page = self
                .metadata
                .replaced_blobs(after.as_ref(), replaced_before, BATCH);
            let mut names = page.await?;
            let Some(last) = names.last().cloned() else {
                return Ok(());
            };
            names.retain(|name| range.contains(&name.digest));
            let settled = self.settle(&names, replaced_before, true).await?;
            report.replaced.include(settled.removed);
            report.adopted.include(settled.adopted);
            progress.advance(names.len() as u64, observer);
            if range.ends_before(&last.digest) {
                return Ok(());
            }
            after = Some(last);
        }
    }

    /// Who reads what was replaced after this is not disturbed.
    pub(crate) fn replaced_before(&self, now: SystemTime) -> SystemTime {
        let before = now.checked_sub(self.swept_after);
        before.unwrap_or(SystemTime::UNIX_EPOCH)
    }
}
