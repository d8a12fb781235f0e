use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use berth_blob::{BlobError, BlobReader, BlobStore, ByteStream, begun};
use berth_metadata::Blob;
use berth_spec::{Digest, RepositoryName};

use crate::{Registry, RegistryError};

/// Which blobs clients read straight from where they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirects {
    /// Those of so many bytes or more.
    pub from: u64,
    /// For how long a URL is good once it was handed out, whatever becomes of the blob or of anybody's rights.
    pub lifetime: Duration,
}

impl Redirects {
    /// Long enough to follow a redirect on the slowest line; a download that has begun goes on after it.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(10 * 60);
}

/// How a client gets the bytes of a blob.
pub enum PulledBlob {
    /// From here.
    Here(Box<dyn BlobReader>),
    /// From a URL that whoever has it can `GET`: as secret as the blob.
    Elsewhere {
        /// The URL.
        url: String,
    },
}

impl Registry {
    /// The same registry, in which clients pull blobs through this store, such as a cache of the registry's own. It is asked for
    /// blobs only after the metadata have told that they are there; nothing else goes through it.
    #[must_use]
    pub fn pulling_through(mut self, blobs: Arc<dyn BlobStore>) -> Self {
        self.pulled = blobs;
        self
    }

    /// How a client gets the bytes of a blob of this repository (end-2, `GET`): from here, or by a redirect, as
    /// [`Settings::redirects`](crate::Settings::redirects) say. Whether somebody may pull it must have been decided before.
    ///
    /// # Errors
    /// As [`Registry::open_blob`], and when a URL cannot be made.
    pub async fn pull_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<PulledBlob, RegistryError> {
        let blob = self.known_blob(repository, digest).await?;
        let redirects = self.settings.redirects;
        let Some(redirects) = redirects.filter(|redirects| blob.size >= redirects.from) else {
            return Ok(PulledBlob::Here(self.open_to_read(repository, blob).await?));
        };
        // A client that is sent to where there is nothing does not hear that it should push the blob again.
        let (blob, reader) = self.open_known_in(&*self.blobs, repository, blob).await?;
        let url = self
            .blobs
            .redirect(&blob.name(), redirects.lifetime)
            .await?;
        Ok(match url {
            Some(url) => PulledBlob::Elsewhere { url },
            None => PulledBlob::Here(reader),
        })
    }

    /// Opens a blob that is about to be read, without asking whether its bytes are there: [`Registry::begin`] finds out.
    async fn open_to_read(
        &self,
        repository: &RepositoryName,
        blob: Blob,
    ) -> Result<Box<dyn BlobReader>, RegistryError> {
        match self.pulled.open_known(&blob.name(), blob.size).await? {
            Some(reader) if reader.size() == blob.size => Ok(reader),
            _ => {
                let opened = self.open_known_in(&*self.pulled, repository, blob);
                Ok(opened.await?.1)
            }
        }
    }

    /// The bytes of a part of a blob that [`Registry::pull_blob`] has opened. The first of them are there when this answers, so whoever asks for a
    /// blob whose bytes are not there hears so, as from [`Registry::open_blob`].
    ///
    /// # Errors
    /// As [`Registry::open_blob`], and when the bytes cannot be read.
    pub async fn begin(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        reader: Box<dyn BlobReader>,
        range: Range<u64>,
    ) -> Result<ByteStream, RegistryError> {
        match begun(reader.read(range.clone())).await {
            Ok(bytes) => return Ok(bytes),
            // It is damaged, or was removed or pushed again since its metadata were read.
            Err(BlobError::Gone | BlobError::Truncated) => {}
            Err(error) => return Err(error.into()),
        }
        let blob = self.known_blob(repository, digest).await?;
        let (_, reader) = self.open_known_in(&*self.blobs, repository, blob).await?;
        Ok(begun(reader.read(range)).await?)
    }
}
