use std::sync::Arc;

use berth_blob::{BlobGuards, BlobStore};
use berth_metadata::MetadataStore;
use berth_spec::RepositoryName;
use berth_upload::Uploads;

use crate::{MetadataSessionRecords, RegistryError, Settings};

/// An OCI registry. Cheap to clone: all clones are one registry.
#[derive(Clone)]
pub struct Registry {
    pub(crate) metadata: Arc<dyn MetadataStore>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    /// The same blobs, as clients pull them.
    pub(crate) pulled: Arc<dyn BlobStore>,
    pub(crate) uploads: Uploads,
    pub(crate) settings: Arc<Settings>,
}

impl Registry {
    /// A registry over these stores.
    pub fn new(
        metadata: Arc<dyn MetadataStore>,
        blobs: Arc<dyn BlobStore>,
        settings: Settings,
    ) -> Self {
        let records = Arc::new(MetadataSessionRecords::new(Arc::clone(&metadata)));
        Self {
            uploads: Uploads::new(Arc::clone(&blobs), records, settings.upload_lifetime),
            metadata,
            pulled: Arc::clone(&blobs),
            blobs,
            settings: Arc::new(settings),
        }
    }

    /// What keeps blobs that are being pushed here from being removed: whoever removes any holds these.
    pub fn blob_guards(&self) -> &BlobGuards {
        self.uploads.guards()
    }

    /// What its owner chose.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The error for something that is not there: that the repository is not there either, if so.
    pub(crate) async fn not_found(
        &self,
        repository: &RepositoryName,
        otherwise: RegistryError,
    ) -> RegistryError {
        match self.metadata.has_repository(repository).await {
            Ok(true) => otherwise,
            Ok(false) => RegistryError::RepositoryUnknown(repository.clone()),
            Err(error) => error.into(),
        }
    }
}
