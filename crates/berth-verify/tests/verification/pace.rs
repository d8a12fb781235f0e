//! How fast it goes, how much at once, and where it begins and ends.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use berth_blob::{
    BlobError, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream, MemoryBlobs, Staged,
    StagedWriter,
};
use berth_spec::{BlobName, Digest, SessionId};
use berth_verify::Verification;
use tokio::time::Instant;

use crate::world::{World, index};

/// The clock stands still but for what is slept.
#[tokio::test(start_paused = true)]
async fn bytes_are_read_at_the_rate() {
    let world = World::in_memory();
    for number in 0..10u8 {
        world.push_blob("a", &[number; 1000]).await;
    }
    let how = Verification {
        bytes_per_second: NonZeroU64::new(500),
        ..Verification::default()
    };
    let start = Instant::now();
    let (report, _) = world.verify(&how).await;
    assert_eq!(report.bytes, 10_000);
    // The last bytes have their time too: a run after this one may begin at once.
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test]
async fn a_run_goes_on_where_an_earlier_one_ended() {
    for world in World::both() {
        for number in 0..10u8 {
            world.push_blob("a", &[number]).await;
        }
        world.push("a", &["latest"], &index(&[])).await;
        let mut how = Verification {
            at_most: Some(4),
            ..Verification::default()
        };
        let mut runs = Vec::new();
        loop {
            let (report, _) = world.verify(&how).await;
            runs.push((report.blobs, report.manifests));
            how.from = report.position;
            if how.from.is_none() {
                break;
            }
        }
        assert_eq!(runs, [(4, 0), (4, 0), (2, 1)]);
    }
}

#[tokio::test]
async fn a_problem_is_found_by_the_run_that_comes_by() {
    let world = World::in_memory();
    let mut digests = Vec::new();
    for number in 0..600u32 {
        digests.push(world.push_blob("a", &number.to_le_bytes()).await);
    }
    digests.sort();
    world
        .blobs
        .delete(&[digests[299].clone().into()])
        .await
        .unwrap();
    let problems = async |from: Option<usize>, at_most| {
        let how = Verification {
            from: from.map(|from| digests[from].clone()),
            at_most,
            ..Verification::default()
        };
        world.verify(&how).await.0.problems
    };
    assert_eq!(problems(None, None).await, 1);
    assert_eq!(problems(None, Some(299)).await, 0);
    assert_eq!(problems(None, Some(300)).await, 1);
    assert_eq!(problems(Some(298), Some(1)).await, 1);
    assert_eq!(problems(Some(299), None).await, 0);
    assert_eq!(problems(None, Some(0)).await, 0);
}

/// Blobs that count how many of them are open.
#[derive(Default)]
struct Counting {
    stored: MemoryBlobs,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

struct CountedReader {
    reader: Box<dyn BlobReader>,
    open: Arc<AtomicUsize>,
}

impl BlobReader for CountedReader {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn identity(&self) -> BlobIdentity {
        self.reader.identity()
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        let (reader, open) = (self.reader, self.open);
        let pieces = reader.read(range);
        Box::pin(futures_util::stream::unfold(
            (pieces, open),
            |(mut pieces, open)| async move {
                tokio::task::yield_now().await;
                let piece = futures_util::StreamExt::next(&mut pieces).await;
                if piece.is_none() {
                    open.fetch_sub(1, Ordering::Relaxed);
                }
                Some((piece?, (pieces, open)))
            },
        ))
    }

    fn file(&self) -> Option<Arc<std::fs::File>> {
        None
    }
}

#[async_trait]
impl BlobStore for Counting {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.stored.stage_fenced(session, offset, fence).await
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
        self.stored.publish(session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.stored.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.stored.staged().await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        let Some(reader) = self.stored.open(name).await? else {
            return Ok(None);
        };
        let open = Arc::clone(&self.open);
        let now = open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Ok(Some(Box::new(CountedReader { reader, open })))
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

#[tokio::test]
async fn only_so_many_blobs_are_read_at_once() {
    for parallel in [0, 1, 3] {
        let blobs = Counting::default();
        let (open, most) = (Arc::clone(&blobs.open), Arc::clone(&blobs.most));
        let mut world = World::in_memory();
        world.blobs = Box::new(blobs);
        for number in 0..20u8 {
            world.push_blob("a", &[number; 100]).await;
        }
        let how = Verification {
            parallel,
            ..Verification::default()
        };
        assert!(world.verify(&how).await.0.is_sound());
        assert_eq!(open.load(Ordering::Relaxed), 0);
        assert_eq!(most.load(Ordering::Relaxed), parallel.max(1));
    }
}
