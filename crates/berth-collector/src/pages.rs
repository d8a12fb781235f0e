use std::sync::Arc;
use std::time::SystemTime;

use berth_metadata::{Blob, UnusedBlobs};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};

use crate::{CollectError, Collector};

/// How many blobs are looked at in one read.
pub(crate) const PAGE: u32 = 2_000;

/// Blobs, page by page, each read only when it is asked for.
pub(crate) type Pages = BoxStream<'static, Result<Vec<Blob>, CollectError>>;

impl Collector {
    /// All blobs that are unused by links newer than `unused_since`. A page may be empty.
    pub(crate) fn unused_pages(&self, unused_since: SystemTime) -> Pages {
        let metadata = Arc::clone(&self.metadata);
        try_unfold(None, move |after| {
            let metadata = Arc::clone(&metadata);
            async move {
                let page = metadata.unused_blobs(after.as_ref(), unused_since, PAGE);
                let UnusedBlobs { blobs, last } = page.await?;
                Ok(last.map(|last| (blobs, Some(last))))
            }
        })
        .boxed()
    }

    /// All blobs that were condemned at `condemned_before` or before.
    pub(crate) fn condemned_pages(&self, condemned_before: SystemTime) -> Pages {
        let metadata = Arc::clone(&self.metadata);
        try_unfold(None, move |after| {
            let metadata = Arc::clone(&metadata);
            async move {
                let page = metadata.condemned_blobs(after.as_ref(), condemned_before, PAGE);
                let blobs = page.await?;
                let last = blobs.last().map(|blob| blob.digest.clone());
                Ok(last.map(|last| (blobs, Some(last))))
            }
        })
        .boxed()
    }
}
