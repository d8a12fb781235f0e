use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_blob::BlobError;
use berth_spec::SessionId;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::sync::Semaphore;

use crate::Settings;
use crate::error::failed;
use crate::layout::Layout;
use crate::record::Staged;

/// A bucket of any provider.
pub trait Bucket: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Bucket for T {}

/// What the store and all that it has opened share.
pub(crate) struct Shared {
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) layout: Layout,
    pub(crate) settings: Settings,
    pub(crate) spare_parts: Arc<Semaphore>,
    /// Staging areas that were closed without a sync, as they were: that is what is published of them, and not what
    /// another process may have written since.
    closed: Mutex<HashMap<SessionId, Staged>>,
}

impl Shared {
    pub(crate) fn new(bucket: Arc<dyn Bucket>, layout: Layout, settings: Settings) -> Self {
        Self {
            bucket,
            signer: None,
            layout,
            spare_parts: Arc::new(Semaphore::new(settings.spare_parts)),
            settings,
            closed: Mutex::default(),
        }
    }

    pub(crate) fn closed(&self) -> MutexGuard<'_, HashMap<SessionId, Staged>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of an object; `None` if it is not there.
    pub(crate) async fn find(&self, object: &Path) -> Result<Option<ObjectMeta>, BlobError> {
        match self.bucket.head(object).await {
            Ok(meta) => Ok(Some(meta)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Removes an object, if it is there.
    pub(crate) async fn remove(&self, object: &Path) -> Result<(), BlobError> {
        match self.bucket.delete(object).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}
