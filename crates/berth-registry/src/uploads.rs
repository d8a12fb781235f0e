use std::time::SystemTime;

use berth_metadata::{Blob, MetadataError, UploadRevision};
use berth_spec::{Algorithm, BlobName, Digest, RepositoryName, SessionId};
use berth_upload::{Content, Finished};
use tracing::{Instrument, warn};

use crate::{Authority, Registry, RegistryError};

impl Registry {
    /// Begins an upload session for a blob of this repository (end-4a, end-4c).
    ///
    /// # Errors
    /// When the session cannot be recorded.
    pub async fn begin_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<SessionId, RegistryError> {
        Ok(self.uploads.begin(repository, algorithm).await?)
    }

    /// How many bytes an upload session holds (end-13).
    ///
    /// # Errors
    /// [`UploadError::Unknown`](crate::UploadError::Unknown) if there is no such session here.
    pub async fn upload_status(
        &self,
        repository: &RepositoryName,
        id: SessionId,
    ) -> Result<u64, RegistryError> {
        Ok(self.uploads.status(repository, id).await?)
    }

    /// Appends to an upload session (end-5) and answers how many bytes it then holds.
    ///
    /// # Errors
    /// The many of [`UploadError`](crate::UploadError), and [`RegistryError::QuotaExceeded`] if
    /// the blob can be in no case so large.
    pub async fn append_upload(
        &self,
        repository: &RepositoryName,
        id: SessionId,
        content: Content,
    ) -> Result<u64, RegistryError> {
        let content = self
            .cut_to_quotas(repository, Some(id), None, content)
            .await?;
        Ok(self.uploads.append(repository, id, content).await?)
    }

    /// Appends the last bytes of an upload session (which may be none) and makes it a blob of this
    /// repository (end-6). When this answers `Ok`, bytes and link are durable.
    ///
    /// # Errors
    /// The many of [`UploadError`](crate::UploadError), and [`RegistryError::QuotaExceeded`] if
    /// there is no room for the blob; the session stays, with what it had.
    pub async fn finish_upload(
        &self,
        repository: &RepositoryName,
        id: SessionId,
        digest: &Digest,
        content: Content,
    ) -> Result<(), RegistryError> {
        let (registry, repository) = (self.clone(), repository.clone());
        let digest = digest.clone();
        to_its_end(async move {
            let content = registry
                .cut_to_quotas(&repository, Some(id), Some(&digest), content)
                .await?;
            let uploads = &registry.uploads;
            let finished = uploads.finish(&repository, id, &digest, content).await?;
            registry.link(&repository, finished).await
        })
        .await
    }

    /// Stores a whole blob of this repository at once (end-4b). When this answers `Ok`, bytes and
    /// link are durable.
    ///
    /// # Errors
    /// The many of [`UploadError`](crate::UploadError), and [`RegistryError::QuotaExceeded`] if
    /// there is no room for the blob.
    pub async fn push_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        content: Content,
    ) -> Result<(), RegistryError> {
        let (registry, repository) = (self.clone(), repository.clone());
        let digest = digest.clone();
        to_its_end(async move {
            let content = registry
                .cut_to_quotas(&repository, None, Some(&digest), content)
                .await?;
            let finished = registry.uploads.push_whole(&digest, content).await?;
            registry.link(&repository, finished).await
        })
        .await
    }

    /// Gives an upload session up (end-14).
    ///
    /// # Errors
    /// [`UploadError::Unknown`](crate::UploadError::Unknown) if there is no such session here.
    pub async fn cancel_upload(
        &self,
        repository: &RepositoryName,
        id: SessionId,
    ) -> Result<(), RegistryError> {
        Ok(self.uploads.cancel(repository, id).await?)
    }

    /// Removes the upload sessions whose time has run out, and answers how many. To be called every
    /// now and then.
    ///
    /// # Errors
    /// When records cannot be read; what was done so far stays done.
    pub async fn expire_uploads(&self, now: SystemTime) -> Result<u64, RegistryError> {
        Ok(self.uploads.expire(now).await?)
    }

    /// Removes the bytes that a crash left behind without a session, and answers of how many. To be
    /// called at the start, and seldom after that.
    ///
    /// # Errors
    /// When records or bytes cannot be read or removed; what was done so far stays done.
    pub async fn remove_orphaned_uploads(&self) -> Result<u64, RegistryError> {
        Ok(self.uploads.remove_orphans().await?)
    }

    /// Makes a published blob known. The staging area goes last: until the link is durable, the
    /// session can be finished again.
    async fn link(
        &self,
        repository: &RepositoryName,
        finished: Finished,
    ) -> Result<(), RegistryError> {
        let blob = Blob {
            digest: finished.digest().clone(),
            size: finished.size(),
            generation: finished.name().generation,
        };
        let bounds = self.bounds(repository, Authority::Ordinary);
        let session = finished.record().map(|record| UploadRevision {
            id: record.id,
            revision: record.revision,
            holder: record.holder.clone(),
        });
        let is_whole = session.is_none();
        let linked = self
            .metadata
            .link_blob_within(repository, &blob, session, &bounds)
            .await;
        match &linked {
            Err(error) if error.is_refusal() => self.take_back(finished, error).await,
            Ok(()) => self.uploads.release(finished).await,
            Err(_) if is_whole => self.uploads.release(finished).await,
            Err(_) => self.uploads.leave(finished),
        }
        Ok(linked?)
    }

    /// Removes a published blob that was refused. Who pushes what does not fit, again and again, must not
    /// fill the disk: not even until the next sweep, which leaves files alone if too many have no record.
    async fn take_back(&self, finished: Finished, refusal: &MetadataError) {
        let name = finished.name().clone();
        match refusal {
            // What the session holds is no business of this request any more.
            MetadataError::UploadChanged(_) => self.uploads.abandon(finished),
            _ => self.uploads.take_back(finished).await,
        }
        let removed = match name.generation {
            // Nobody else has ever known this name, and the refusal is certain: so nobody will.
            Some(_) => self.remove(&name).await,
            None => self.remove_if_unrecorded(&name).await,
        };
        if let Err(error) = removed {
            warn!(%name, %error, "cannot remove the file of a refused blob; the next sweep will try again");
        }
    }

    async fn remove_if_unrecorded(&self, name: &BlobName) -> Result<(), RegistryError> {
        // Whoever else pushes it just now makes it known, or comes here later.
        let Some(_removing) = self.uploads.guards().removing(&name.digest) else {
            return Ok(());
        };
        // It may have been there before, or have been pushed to where it fits.
        let names = std::slice::from_ref(name);
        match self.metadata.unrecorded(names).await?.is_empty() {
            true => Ok(()),
            false => self.remove(name).await,
        }
    }

    async fn remove(&self, name: &BlobName) -> Result<(), RegistryError> {
        self.blobs.delete(std::slice::from_ref(name)).await?;
        Ok(())
    }
}

/// Runs work on a task of its own, so that a client that goes away does not leave a blob that is stored
/// and not known.
async fn to_its_end(
    work: impl Future<Output = Result<(), RegistryError>> + Send + 'static,
) -> Result<(), RegistryError> {
    let task = tokio::spawn(work.in_current_span());
    task.await.unwrap_or(Err(RegistryError::Interrupted))
}
