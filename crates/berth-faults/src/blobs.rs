use std::sync::Arc;

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobReader, BlobStore, ByteStream, DigestStream, StagedWriter,
};
use berth_spec::{Digest, SessionId};
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
    ) -> Result<(), BlobError> {
        let (blobs, digest) = (Arc::clone(&self.blobs), digest.clone());
        let published = async move { blobs.publish(session, length, &digest).await };
        self.faults.late_step("publish", published).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        let blobs = Arc::clone(&self.blobs);
        let discarded = async move { blobs.discard(session).await };
        self.faults.late_step("discard", discarded).await
    }

    async fn staged(&self) -> Result<Vec<SessionId>, BlobError> {
        self.faults.step("staged", self.blobs.staged()).await
    }

    async fn open(&self, digest: &Digest) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let opened = self.faults.step("open", self.blobs.open(digest)).await?;
        let faulty = |reader| Box::new(FaultyReader::new(reader, self.faults.clone()));
        Ok(opened.map(|reader| faulty(reader) as Box<dyn BlobReader>))
    }

    async fn delete(&self, digests: &[Digest]) -> Result<u64, BlobError> {
        let step = self.faults.begin("delete").await?;
        let some = match step.is_halved() {
            true => &digests[..digests.len() / 2],
            false => digests,
        };
        let (blobs, some) = (Arc::clone(&self.blobs), some.to_vec());
        let deleted = step.late(async move { blobs.delete(&some).await }).await;
        step.end(deleted).await
    }

    /// A batch without a digest is no step.
    fn list(&self) -> DigestStream {
        let is_filled = |batch: &Result<Vec<Digest>, _>| {
            let is_filled = batch.as_ref().map_or(true, |batch| !batch.is_empty());
            std::future::ready(is_filled)
        };
        let filled = self.blobs.list().filter(is_filled);
        in_steps(filled.boxed(), "batch of digests", &self.faults)
    }

    async fn quarantine(&self, digest: &Digest, read: &BlobIdentity) -> Result<bool, BlobError> {
        let moved = self.blobs.quarantine(digest, read);
        self.faults.step("quarantine", moved).await
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
