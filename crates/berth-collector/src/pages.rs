use std::sync::Arc;
use std::time::SystemTime;

use berth_metadata::{Blob, UnusedBlobs};
use berth_spec::{Digest, DigestRange};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};

use crate::{CollectError, Collector};

/// How many blobs are looked at in one read.
pub(crate) const PAGE: u32 = 2_000;

/// Blobs, page by page, each read only when it is asked for.
pub(crate) type Pages = BoxStream<'static, Result<Vec<Blob>, CollectError>>;

impl Collector {
    /// All blobs of a range that are unused by links newer than `unused_since`. A page may be empty.
    pub(crate) fn unused_pages(&self, range: &DigestRange, unused_since: SystemTime) -> Pages {
        let metadata = Arc::clone(&self.metadata);
        let range = range.clone();
        try_unfold(range.after.clone(), move |after| {
            let (metadata, range) = (Arc::clone(&metadata), range.clone());
            async move {
                if is_over(&range, after.as_ref()) {
                    return Ok(None);
                }
                let page = metadata.unused_blobs(after.as_ref(), unused_since, PAGE);
                let UnusedBlobs { blobs, last } = page.await?;
                Ok(last.map(|last| (within(&range, blobs), Some(last))))
            }
        })
        .boxed()
    }

    /// All blobs of a range that were condemned at `condemned_before` or before.
    pub(crate) fn condemned_pages(
        &self,
        range: &DigestRange,
        condemned_before: SystemTime,
    ) -> Pages {
        let metadata = Arc::clone(&self.metadata);
        let range = range.clone();
        try_unfold(range.after.clone(), move |after| {
            let (metadata, range) = (Arc::clone(&metadata), range.clone());
            async move {
                if is_over(&range, after.as_ref()) {
                    return Ok(None);
                }
                let page = metadata.condemned_blobs(after.as_ref(), condemned_before, PAGE);
                let blobs = page.await?;
                let last = blobs.last().map(|blob| blob.digest.clone());
                Ok(last.map(|last| (within(&range, blobs), Some(last))))
            }
        })
        .boxed()
    }
}

/// Whether a page reached behind the range.
fn is_over(range: &DigestRange, last: Option<&Digest>) -> bool {
    last.is_some_and(|last| range.ends_before(last))
}

fn within(range: &DigestRange, mut blobs: Vec<Blob>) -> Vec<Blob> {
    blobs.retain(|blob| range.contains(&blob.digest));
    blobs
}
