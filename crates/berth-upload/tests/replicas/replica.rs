use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, MemoryBlobs, Staged,
    StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};
use berth_upload::{
    Finished, HeldRevision, MemorySessionRecords, RecordsError, SessionLeases, SessionRecord,
    SessionRecords, Take, Uploads,
};
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::sync::Notify;

use crate::LIFETIME;

/// A machine whose way to what it shares with others can be troubled.
pub(crate) struct Replica {
    pub(crate) uploads: Uploads,
    pub(crate) trouble: Arc<Trouble>,
    blobs: Arc<MemoryBlobs>,
    records: Arc<MemorySessionRecords>,
}

/// What goes wrong for one replica.
#[derive(Default)]
pub(crate) struct Trouble {
    /// The database does not answer.
    pub(crate) is_away: AtomicBool,
    /// The answer of the next taking is lost.
    pub(crate) loses_answer: AtomicBool,
    /// The replica sleeps through its leases: in truth they end so soon.
    lease: Mutex<Option<Duration>>,
    /// Where it stops next.
    stops_at: Mutex<Option<&'static str>>,
    has_stopped: Notify,
    goes_on: Notify,
    /// What a staging area seems to have been touched at.
    pub(crate) touched_at: Mutex<Option<SystemTime>>,
}

impl Trouble {
    /// The next time that the replica takes this step, it stops before it, and does not know how long.
    pub(crate) fn stop_at(&self, step: &'static str) {
        *self.stops_at.lock().unwrap() = Some(step);
        *self.lease.lock().unwrap() = Some(Duration::from_secs(1));
    }

    pub(crate) async fn has_stopped(&self) {
        self.has_stopped.notified().await;
    }

    pub(crate) fn go_on(&self) {
        self.goes_on.notify_one();
    }

    async fn step(&self, step: &'static str) {
        let stops = self.stops_at.lock().unwrap().take_if(|at| *at == step);
        if stops.is_some() {
            self.has_stopped.notify_one();
            self.goes_on.notified().await;
        }
    }

    fn answers(&self) -> Result<(), RecordsError> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(RecordsError::Failed("the database is away".into())),
            false => Ok(()),
        }
    }
}

impl Replica {
    pub(crate) fn new(blobs: &Arc<MemoryBlobs>, records: &Arc<MemorySessionRecords>) -> Self {
        let trouble = Arc::new(Trouble::default());
        let troubled_blobs = TroubledBlobs {
            stored: blobs.clone(),
            trouble: trouble.clone(),
        };
        let troubled_records = TroubledRecords {
            stored: records.clone(),
            trouble: trouble.clone(),
        };
        let uploads = Uploads::new(
            Arc::new(troubled_blobs),
            Arc::new(troubled_records),
            LIFETIME,
        );
        Self {
            uploads,
            trouble,
            blobs: blobs.clone(),
            records: records.clone(),
        }
    }

    /// Makes a blob known: its session is removed, if it is still the one that was finished.
    pub(crate) async fn remove(&self, finished: &Finished) -> bool {
        let record = finished.record().unwrap();
        self.records.remove(record).await.unwrap()
    }

    pub(crate) async fn read(&self, name: &BlobName) -> Vec<u8> {
        let blob = self.blobs.open(name).await.unwrap().unwrap();
        let size = blob.size();
        let pieces: Vec<Bytes> = blob.read(0..size).try_collect().await.unwrap();
        pieces.concat()
    }
}

struct TroubledRecords {
    stored: Arc<MemorySessionRecords>,
    trouble: Arc<Trouble>,
}

#[async_trait]
impl SessionRecords for TroubledRecords {
    async fn create(&self, record: &SessionRecord) -> Result<(), RecordsError> {
        self.trouble.answers()?;
        self.stored.create(record).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError> {
        self.trouble.answers()?;
        self.stored.load(id).await
    }

    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        self.trouble.step("update").await;
        self.trouble.answers()?;
        self.stored.update(record).await
    }

    async fn remove(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        self.trouble.step("remove").await;
        self.trouble.answers()?;
        self.stored.remove(record).await
    }

    async fn expired(&self, now: SystemTime, limit: u32) -> Result<Vec<SessionId>, RecordsError> {
        self.trouble.answers()?;
        self.stored.expired(now, limit).await
    }

    fn leases(&self) -> Option<&dyn SessionLeases> {
        Some(self)
    }
}

#[async_trait]
impl SessionLeases for TroubledRecords {
    async fn take(
        &self,
        id: SessionId,
        holder: &str,
        duration: Duration,
    ) -> Result<Take, RecordsError> {
        self.trouble.answers()?;
        let lease = *self.trouble.lease.lock().unwrap();
        let taken = self
            .stored
            .take(id, holder, lease.unwrap_or(duration))
            .await;
        match self.trouble.loses_answer.swap(false, Ordering::SeqCst) {
            true => Err(RecordsError::Failed("the answer was lost".into())),
            false => taken,
        }
    }

    async fn renew(&self, held: &HeldRevision, duration: Duration) -> Result<bool, RecordsError> {
        self.trouble.answers()?;
        self.stored.renew(held, duration).await
    }

    async fn give_back(&self, held: &HeldRevision) -> Result<(), RecordsError> {
        self.trouble.step("give_back").await;
        self.trouble.answers()?;
        self.stored.give_back(held).await
    }
}

struct TroubledBlobs {
    stored: Arc<MemoryBlobs>,
    trouble: Arc<Trouble>,
}

#[async_trait]
impl BlobStore for TroubledBlobs {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.trouble.step("stage").await;
        let writer = self.stored.stage_fenced(session, offset, fence).await?;
        Ok(Box::new(TroubledWriter {
            writer,
            trouble: self.trouble.clone(),
        }))
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        self.stored.read_staged(session, length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        let published = self.stored.publish(session, length, digest).await;
        self.trouble.step("published").await;
        published
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.stored.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        let mut staged = self.stored.staged().await?;
        for area in &mut staged {
            area.touched_at = *self.trouble.touched_at.lock().unwrap();
        }
        Ok(staged)
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        self.stored.open(name).await
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        self.stored.delete(names).await
    }

    fn list(&self) -> BlobList {
        self.stored.list()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        self.stored.quarantine(name, read).await
    }
}

struct TroubledWriter {
    writer: Box<dyn StagedWriter>,
    trouble: Arc<Trouble>,
}

#[async_trait]
impl StagedWriter for TroubledWriter {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        self.trouble.step("write").await;
        self.writer.write(pieces).await
    }

    async fn sync(&mut self) -> Result<(), BlobError> {
        self.trouble.step("sync").await;
        self.writer.sync().await
    }

    async fn close(&mut self) -> Result<(), BlobError> {
        self.trouble.step("close").await;
        self.writer.close().await
    }
}
