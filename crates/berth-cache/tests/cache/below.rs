use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, MemoryBlobs, Staged,
    StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;

/// How large the pieces are that it sends.
pub(crate) const PIECE: usize = 100_000;

/// A store below a cache: counts what is asked of it, and goes wrong where a test says so.
#[derive(Default)]
pub(crate) struct Below {
    blobs: MemoryBlobs,
    opens: AtomicUsize,
    reads: AtomicUsize,
    plan: Mutex<Plan>,
}

/// What becomes of readers that are opened from now on.
#[derive(Clone, Default)]
pub(crate) struct Plan {
    /// Each piece takes a permit of these.
    pub(crate) permits: Option<Arc<Semaphore>>,
    /// After so many pieces, this happens.
    pub(crate) stop: Option<(usize, Stop)>,
    /// Whether it happens to the next reader alone.
    pub(crate) is_once: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    Fail,
    Stall,
    /// As if that were all.
    End,
    /// Bytes follow that are more than all.
    Overflow,
}

impl Below {
    pub(crate) fn plan(&self, plan: Plan) {
        *self.plan.lock().unwrap() = plan;
    }

    pub(crate) fn stop(&self, after: usize, stop: Stop) {
        self.plan(Plan {
            stop: Some((after, stop)),
            ..Plan::default()
        });
    }

    /// The next reader alone goes wrong.
    pub(crate) fn stop_once(&self, after: usize, stop: Stop) {
        self.plan(Plan {
            stop: Some((after, stop)),
            is_once: true,
            ..Plan::default()
        });
    }

    /// From now on, each piece needs a permit.
    pub(crate) fn hold(&self) -> Arc<Semaphore> {
        let permits = Arc::new(Semaphore::new(0));
        self.plan(Plan {
            permits: Some(Arc::clone(&permits)),
            ..Plan::default()
        });
        permits
    }

    fn next_plan(&self) -> Plan {
        let mut plan = self.plan.lock().unwrap();
        match plan.is_once {
            true => std::mem::take(&mut *plan),
            false => plan.clone(),
        }
    }

    pub(crate) fn opens(&self) -> usize {
        self.opens.load(Ordering::SeqCst)
    }

    /// How often the bytes of a blob were asked for.
    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

struct Reader {
    below: Arc<Below>,
    reader: Box<dyn BlobReader>,
}

/// The store that a cache has: it counts in the one that the test has.
pub(crate) struct Counted(pub(crate) Arc<Below>);

#[async_trait]
impl BlobStore for Counted {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.0.blobs.stage_fenced(session, offset, fence).await
    }

    fn abandon(&self, session: SessionId) {
        self.0.blobs.abandon(session);
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        self.0.blobs.read_staged(session, length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        self.0.blobs.publish(session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.0.blobs.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.0.blobs.staged().await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        self.0.opens.fetch_add(1, Ordering::SeqCst);
        let reader = self.0.blobs.open(name).await?;
        Ok(reader.map(|reader| {
            let below = Arc::clone(&self.0);
            Box::new(Reader { below, reader }) as Box<dyn BlobReader>
        }))
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        self.0.blobs.delete(names).await
    }

    fn list(&self) -> BlobList {
        self.0.blobs.list()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        self.0.blobs.quarantine(name, read).await
    }
}

impl BlobReader for Reader {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn identity(&self) -> BlobIdentity {
        self.reader.identity()
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        self.below.reads.fetch_add(1, Ordering::SeqCst);
        let plan = self.below.next_plan();
        // The store in memory sends all in one piece.
        let pieces = self.reader.read(range).flat_map(|whole| {
            let whole = whole.unwrap();
            let starts = (0..whole.len()).step_by(PIECE);
            let pieces: Vec<Bytes> = starts
                .map(|start| whole.slice(start..whole.len().min(start + PIECE)))
                .collect();
            stream::iter(pieces)
        });
        let stop = plan.stop;
        let ended = stop.map(|(_, stop)| stream::once(ending(stop)).filter_map(std::future::ready));
        let pieces = pieces.take(stop.map_or(usize::MAX, |(after, _)| after));
        let paced = pieces.then(move |piece| {
            let permits = plan.permits.clone();
            async move {
                if let Some(permits) = permits {
                    permits.acquire().await.unwrap().forget();
                }
                Ok(piece)
            }
        });
        match ended {
            Some(ended) => paced.chain(ended).boxed(),
            None => paced.boxed(),
        }
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }
}

async fn ending(stop: Stop) -> Option<Result<Bytes, BlobError>> {
    match stop {
        Stop::Fail => Some(Err(BlobError::Io(std::io::Error::other("the line broke")))),
        Stop::Stall => std::future::pending().await,
        Stop::End => None,
        Stop::Overflow => Some(Ok(Bytes::from(vec![0; PIECE]))),
    }
}
