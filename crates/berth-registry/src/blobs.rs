use berth_blob::BlobReader;
use berth_metadata::{Blob, Condition};
use berth_spec::{Digest, RepositoryName};
use tracing::error;

use crate::{Registry, RegistryError};

impl Registry {
    /// What the registry knows of a blob of this repository (end-2, `HEAD`).
    ///
    /// # Errors
    /// [`RegistryError::BlobUnknown`] or [`RegistryError::RepositoryUnknown`] if the repository
    /// does not have it.
    pub async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Blob, RegistryError> {
        let reader = self.open_blob(repository, digest).await?;
        Ok(Blob {
            digest: digest.clone(),
            size: reader.size(),
        })
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
        let Some(blob) = self.metadata.blob(repository, digest).await? else {
            return Err(self.blob_unknown(repository, digest).await);
        };
        match self.blobs.open(digest).await? {
            Some(reader) if reader.size() == blob.size => Ok(reader),
            found => {
                let found = found.map(|reader| reader.size());
                error!(%digest, size = blob.size, ?found, "the bytes of a known blob are damaged or missing");
                Err(self.blob_unknown(repository, digest).await)
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
            self.blob(repository, digest).await?;
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
    /// When the metadata cannot be read or changed.
    pub async fn mount_blob(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, RegistryError> {
        let Some(reader) = self.blobs.open(digest).await? else {
            return Ok(None);
        };
        let mounted = self.metadata.mount_blob(repository, from, digest).await?;
        // One that was cut short is linked by now, but unknown until it is uploaded.
        Ok(mounted.filter(|blob| blob.size == reader.size()))
    }

    async fn blob_unknown(&self, repository: &RepositoryName, digest: &Digest) -> RegistryError {
        let unknown = RegistryError::BlobUnknown {
            repository: repository.clone(),
            digest: digest.clone(),
        };
        self.not_found(repository, unknown).await
    }
}
