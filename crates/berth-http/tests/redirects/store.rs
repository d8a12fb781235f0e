use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use berth_registry::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, MemoryBlobs, Staged,
    StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};

/// What a store answers that is asked for a URL.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Urls {
    /// `https://bucket.example/<hex>?lifetime=<seconds>`, a part of which no log may have.
    Good,
    /// It has none.
    Missing,
    /// It cannot make one.
    Failing,
    /// One that cannot stand in a header.
    Broken,
}

/// A store in memory that has URLs.
#[derive(Clone)]
pub(crate) struct Elsewhere {
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) urls: Arc<Mutex<Urls>>,
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        Self {
            blobs: Arc::default(),
            urls: Arc::new(Mutex::new(Urls::Good)),
        }
    }
}

#[async_trait]
impl BlobStore for Elsewhere {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.blobs.stage_fenced(session, offset, fence).await
    }

    fn abandon(&self, session: SessionId) {
        self.blobs.abandon(session);
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        self.blobs.read_staged(session, length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        self.blobs.publish(session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.blobs.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.blobs.staged().await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        self.blobs.open(name).await
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        self.blobs.delete(names).await
    }

    fn list(&self) -> BlobList {
        self.blobs.list()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        self.blobs.quarantine(name, read).await
    }

    async fn redirect(
        &self,
        name: &BlobName,
        lifetime: Duration,
    ) -> Result<Option<String>, BlobError> {
        let (hex, seconds) = (name.digest.hex(), lifetime.as_secs());
        match *self.urls.lock().unwrap() {
            Urls::Good => Ok(Some(format!(
                "https://bucket.example/{hex}?lifetime={seconds}"
            ))),
            Urls::Missing => Ok(None),
            Urls::Failing => Err(BlobError::Io(std::io::Error::other("no key"))),
            Urls::Broken => Ok(Some("https://bucket.example/\r\nset-cookie: a".to_owned())),
        }
    }
}
