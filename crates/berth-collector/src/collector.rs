use std::sync::Arc;

use berth_blob::{BlobGuards, BlobStore};
use berth_metadata::{CollectionStore, InspectionStore};
use tracing::Instrument;

use crate::CollectError;

/// The metadata that a [`Collector`] works on.
pub trait CollectorMetadata: CollectionStore + InspectionStore {}

impl<T: CollectionStore + InspectionStore> CollectorMetadata for T {}

/// Collects the garbage of a registry. Cheap to clone. More than one may run at a time: they do no
/// harm to each other.
#[derive(Clone)]
pub struct Collector {
    pub(crate) metadata: Arc<dyn CollectorMetadata>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) guards: BlobGuards,
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
