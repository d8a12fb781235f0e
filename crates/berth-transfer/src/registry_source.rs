use std::sync::Arc;

use async_trait::async_trait;
use berth_metadata::{InspectionStore, MetadataStore, RepositoryContents, RetentionStore};
use berth_registry::{BlobStore, BodyError, Registry, RegistryError, Settings};
use berth_spec::{Digest, RepositoryName};
use futures_util::{StreamExt, TryStreamExt};

use crate::TransferError;
use crate::source::{FoundBlob, FoundManifest, Listing, Repositories, Sought, Source};

/// A registry to be read, by its metadata and its blobs.
#[derive(Clone)]
pub struct RegistrySource {
    registry: Registry,
    contents: Arc<dyn RetentionStore>,
    inspection: Arc<dyn InspectionStore>,
}

impl RegistrySource {
    /// A registry over these stores. Nothing is changed in them, and what is read is what they hold, not what a cache does.
    pub fn new<M>(metadata: Arc<M>, blobs: Arc<dyn BlobStore>) -> Self
    where
        M: MetadataStore + RetentionStore + InspectionStore,
    {
        Self::of_parts(metadata.clone(), metadata.clone(), metadata, blobs)
    }

    /// The same, if the metadata is known by each of its traits alone.
    pub fn of_parts(
        metadata: Arc<dyn MetadataStore>,
        contents: Arc<dyn RetentionStore>,
        inspection: Arc<dyn InspectionStore>,
        blobs: Arc<dyn BlobStore>,
    ) -> Self {
        Self {
            registry: Registry::new(metadata, blobs, Settings::default()),
            contents,
            inspection,
        }
    }

    /// All tags and manifests of a repository; none, if there is no such repository.
    pub(crate) async fn contents(
        &self,
        repository: &RepositoryName,
    ) -> Result<RepositoryContents, TransferError> {
        let contents = self.contents.repository_contents(repository).await?;
        Ok(contents.unwrap_or_default())
    }
}

#[async_trait]
impl Source for RegistrySource {
    async fn repositories(&self) -> Result<Repositories, TransferError> {
        let mut found = Repositories::default();
        loop {
            let last = found.names.last().map(|last| last.as_str());
            let page = self.registry.repositories(last, None).await?;
            found.names.extend(page.repositories);
            if !page.more {
                return Ok(found);
            }
        }
    }

    async fn listing(&self, repository: &RepositoryName) -> Result<Listing, TransferError> {
        let mut contents = self.contents(repository).await?;
        contents.tags.sort_by_key(|entry| entry.updated_at);
        let tags = contents.tags.into_iter();
        let manifests = contents.manifests.into_iter();
        Ok(Listing {
            manifests: manifests.map(|entry| entry.digest).collect(),
            tags: tags.map(|entry| (entry.tag, entry.digest)).collect(),
            findings: Vec::new(),
        })
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundManifest>, TransferError> {
        let inspection = &self.inspection;
        let found = inspection.inspected_manifest(repository, digest).await?;
        let Some(found) = found else {
            return Ok(Sought::Missing);
        };
        Ok(Sought::Found(FoundManifest {
            content: found.manifest.content,
            media_type: Some(found.manifest.media_type),
            place: format!("{repository}@{digest}"),
        }))
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Sought<FoundBlob>, TransferError> {
        let place = format!("the blob {digest}");
        let reader = match self.registry.open_blob(repository, digest).await {
            Ok(reader) => reader,
            Err(RegistryError::BlobUnknown { .. } | RegistryError::RepositoryUnknown(_)) => {
                return Ok(Sought::Missing);
            }
            Err(RegistryError::Blob(error)) => {
                let error = error.to_string();
                return Ok(Sought::Unreadable { place, error });
            }
            Err(error) => return Err(error.into()),
        };
        let size = reader.size();
        let pieces = reader.read(0..size);
        Ok(Sought::Found(FoundBlob {
            size,
            body: pieces.map_err(BodyError::from).boxed(),
            place,
        }))
    }
}
