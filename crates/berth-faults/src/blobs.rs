use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, Listed, Staged,
    StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::Faults;
use crate::reader::FaultyReader;
use crate::writer::FaultyWriter;

/// A blob store that goes wrong as [`Faults`] say.
#[derive(Clone, Debug)]
pub struct FaultyBlobs<B> {
    blobs: Arc<B>,
    faults: Faults,
}

impl<B> FaultyBlobs<B> {
    /// Over this store, whose state others may see without faults.
    pub fn new(blobs: Arc<B>, faults: Faults) -> Self {
        Self { blobs, faults }
    }
}

#[async_trait]
impl<B: BlobStore> BlobStore for FaultyBlobs<B> {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        let blobs = Arc::clone(&self.blobs);
        let staged = async move { blobs.stage_fenced(session, offset, fence).await };
        let writer = self.faults.late_step("stage", staged).await?;
        Ok(Box::new(FaultyWriter::new(writer, self.faults.clone())))
    }

    fn abandon(&self, session: SessionId) {
        self.blobs.abandon(session);
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        let read = self.blobs.read_staged(session, length);
        let pieces = self.faults.step("read_staged", read).await?;
        Ok(in_steps(pieces, "piece of a staging area", &self.faults))
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        let (blobs, digest) = (Arc::clone(&self.blobs), digest.clone());
        let published = async move { blobs.publish(session, length, &digest).await };
        self.faults.late_step("publish", published).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        let blobs = Arc::clone(&self.blobs);
        let discarded = async move { blobs.discard(session).await };
        self.faults.late_step("discard", discarded).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.faults.step("staged", self.blobs.staged()).await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let opened = self.faults.step("open", self.blobs.open(name)).await?;
        let faulty = |reader| Box::new(FaultyReader::new(reader, self.faults.clone()));
        Ok(opened.map(|reader| faulty(reader) as Box<dyn BlobReader>))
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        let step = self.faults.begin("delete").await?;
        let some = match step.is_halved() {
            true => &names[..names.len() / 2],
            false => names,
        };
        let (blobs, some) = (Arc::clone(&self.blobs), some.to_vec());
        let deleted = step.late(async move { blobs.delete(&some).await }).await;
        step.end(deleted).await
    }

    /// An empty batch is no step.
    fn list(&self) -> BlobList {
        let is_filled = |batch: &Result<Vec<Listed>, _>| {
            let is_filled = batch.as_ref().map_or(true, |batch| !batch.is_empty());
            std::future::ready(is_filled)
        };
        let filled = self.blobs.list().filter(is_filled);
        in_steps(filled.boxed(), "batch of blobs", &self.faults)
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        let moved = self.blobs.quarantine(name, read);
        self.faults.step("quarantine", moved).await
    }

    async fn redirect(
        &self,
        name: &BlobName,
        lifetime: Duration,
    ) -> Result<Option<String>, BlobError> {
        let redirected = self.blobs.redirect(name, lifetime);
        self.faults.step("redirect", redirected).await
    }
}

/// The same stream, with a step before each item.
pub(crate) fn in_steps<T: Send + 'static>(
    items: BoxStream<'static, Result<T, BlobError>>,
    name: &'static str,
    faults: &Faults,
) -> BoxStream<'static, Result<T, BlobError>> {
    let faults = faults.clone();
    let step = move |item| {
        let faults = faults.clone();
        async move { faults.step(name, std::future::ready(item)).await }
    };
    items.then(step).boxed()
}
