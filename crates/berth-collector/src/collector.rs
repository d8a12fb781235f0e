use std::sync::Arc;
use std::time::Duration;

use berth_blob::{BlobGuards, BlobStore};
use berth_metadata::{CollectionStore, InspectionStore};
use tracing::Instrument;

use crate::CollectError;

/// The metadata that a [`Collector`] works on.
pub trait CollectorMetadata: CollectionStore + InspectionStore {}

impl<T: CollectionStore + InspectionStore> CollectorMetadata for T {}

/// How old bytes without a record must be, unless [`Collector::sweeping_after`] says otherwise.
const SWEPT_AFTER: Duration = Duration::from_secs(60 * 60);

/// Collects the garbage of a registry. Cheap to clone. More than one may run at a time: they do no
/// harm to each other.
#[derive(Clone)]
pub struct Collector {
    pub(crate) metadata: Arc<dyn CollectorMetadata>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) guards: BlobGuards,
    pub(crate) swept_after: Duration,
}

impl Collector {
    /// Over these stores. `guards` must be those that are held by all who publish in this blob store.
    pub fn new(
        metadata: Arc<dyn CollectorMetadata>,
        blobs: Arc<dyn BlobStore>,
        guards: BlobGuards,
    ) -> Self {
        Self {
            metadata,
            blobs,
            guards,
            swept_after: SWEPT_AFTER,
        }
    }

    /// The same collector, with another age from which on [`Collector::sweep`] removes bytes without a record, and time for
    /// which what was replaced stays: an hour,
    /// if not said. The age counts where the store tells when bytes were written, since other processes may publish
    /// there too. Both are mere courtesy: whose bytes are removed before they are recorded has to push
    /// once more, who reads what was replaced has to read again, and neither loses anything else.
    #[must_use]
    pub fn sweeping_after(self, age: Duration) -> Self {
        Self {
            swept_after: age,
            ..self
        }
    }
}

/// Runs work on a task of its own. Who waits for it may go away; the guards that it holds must not go
/// before its last write has ended.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, CollectError>> + Send + 'static,
) -> Result<T, CollectError> {
    let task = tokio::spawn(work.in_current_span());
    task.await.unwrap_or(Err(CollectError::Interrupted))
}
