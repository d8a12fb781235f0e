use std::time::SystemTime;

use berth_blob::{BlobReader, BlobStore};
use berth_metadata::{Blob, Condition};
use berth_spec::{Digest, RepositoryName};
use tracing::error;

use crate::{Authority, Registry, RegistryError};

impl Registry {
    /// What the registry knows of a blob of this repository (end-2, `HEAD`). That it is there is a
    /// promise: garbage collection leaves it for as long as [`Settings`](crate::Settings) say.
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`] or [`RegistryError::RepositoryUnknown`] if the repository
    /// does not have it.
    pub async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Blob, RegistryError> {
        let renew_before = self
            .settings
            .collection_grace
            .renew_before(SystemTime::now());
        let promise = self.metadata.promise_blob(repository, digest, renew_before);
        let Some(blob) = promise.await? else {
            return Err(self.blob_unknown(repository, digest).await);
        };
        self.open_known(repository, &blob).await?;
        Ok(blob)
    }

    /// Opens a blob of this repository for reading (end-2, `GET`). One whose bytes are missing or
    /// cut short is unknown: a client that hears so uploads it again, which mends it.
    ///
    /// # Errors
    /// As [`Registry::blob`].
    pub async fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Box<dyn BlobReader>, RegistryError> {
        let blob = self.known_blob(repository, digest).await?;
        self.open_known(repository, &blob).await
    }

    /// What the metadata tell of a blob of this repository.
    pub(crate) async fn known_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Blob, RegistryError> {
        match self.metadata.blob(repository, digest).await? {
            Some(blob) => Ok(blob),
            None => Err(self.blob_unknown(repository, digest).await),
        }
    }

    async fn open_known(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
    ) -> Result<Box<dyn BlobReader>, RegistryError> {
        let opened = self.open_known_in(&*self.blobs, repository, blob.clone());
        Ok(opened.await?.1)
    }

    /// Opens a blob in a store that has the same blobs, and answers which one that was.
    pub(crate) async fn open_known_in(
        &self,
        blobs: &dyn BlobStore,
        repository: &RepositoryName,
        mut blob: Blob,
    ) -> Result<(Blob, Box<dyn BlobReader>), RegistryError> {
        loop {
            let found = match blobs.open(&blob.name()).await? {
                Some(reader) if reader.size() == blob.size => return Ok((blob, reader)),
                found => found.map(|reader| reader.size()),
            };
            let Blob { digest, size, .. } = &blob;
            match self.metadata.blob(repository, digest).await? {
                // It has been pushed again since it was found.
                Some(newer) if newer.generation != blob.generation => blob = newer,
                Some(_) => {
                    error!(%digest, size, ?found, "the bytes of a known blob are damaged or missing");
                    return Err(self.blob_unknown(repository, digest).await);
                }
                // It has been collected since it was found.
                None => return Err(self.blob_unknown(repository, digest).await),
            }
        }
    }

    /// Takes a blob away from this repository (end-10): its link, and its manifests' links to it.
    /// The bytes stay until garbage collection finds that no repository has them.
    ///
    /// # Errors
    /// As [`Registry::blob`], and [`RegistryError::NotAsExpected`] if the condition does not hold.
    pub async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        condition: &Condition,
    ) -> Result<(), RegistryError> {
        // Content of one digest never changes: what it leads to is known before it is there.
        if !condition.holds(Some(digest)) {
            self.open_blob(repository, digest).await?;
            return Err(RegistryError::NotAsExpected(digest.clone().into()));
        }
        if self.metadata.unlink_blob(repository, digest).await? {
            return Ok(());
        }
        Err(self.blob_unknown(repository, digest).await)
    }

    /// Links a blob of `from` (with no `from`: of any repository) to this repository as well,
    /// without copying a byte (end-11). `None` if it is not to be had: the client uploads it then.
    ///
    /// # Errors
    /// [`RegistryError::QuotaExceeded`] if there is no room for it, and when the metadata cannot be read
    /// or changed.
    pub async fn mount_blob(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, RegistryError> {
        // First, since what is linked is there for whoever pushes a manifest.
        if !self.is_there_to_mount(from, digest).await? {
            return Ok(None);
        }
        let bounds = self.bounds(repository, Authority::Ordinary);
        let mounted = self
            .metadata
            .mount_blob_within(repository, from, digest, &bounds)
            .await?;
        let Some(blob) = mounted else {
            return Ok(None);
        };
        // And then, since others may be meant by now. What was lost just now is linked, but unknown until it is uploaded.
        match self.open_known(repository, &blob).await {
            Ok(_) => Ok(Some(blob)),
            Err(RegistryError::BlobUnknown { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the bytes of a blob that could be mounted are there.
    async fn is_there_to_mount(
        &self,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let mut last: Option<Blob> = None;
        loop {
            let Some(blob) = self.metadata.mountable_blob(from, digest).await? else {
                return Ok(false);
            };
            if last.as_ref() == Some(&blob) {
                let size = blob.size;
                error!(%digest, size, "the bytes of a known blob are damaged or missing");
                return Ok(false);
            }
            let found = self.blobs.open(&blob.name()).await?;
            if found.is_some_and(|found| found.size() == blob.size) {
                return Ok(true);
            }
            // It may have been pushed again since it was found.
            last = Some(blob);
        }
    }

    async fn blob_unknown(&self, repository: &RepositoryName, digest: &Digest) -> RegistryError {
        let unknown = RegistryError::BlobUnknown {
            repository: repository.clone(),
            digest: digest.clone(),
        };
        self.not_found(repository, unknown).await
    }
}
