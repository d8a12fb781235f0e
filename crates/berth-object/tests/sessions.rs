//! Upload sessions whose bytes are in parts, and that several processes go on with.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;

use berth_blob::{BlobError, BlobStore};
use berth_object::object_store::{ObjectStore, path::Path};
use berth_object::{ObjectBlobs, Settings};
use berth_spec::{Digest, SessionId};
use bytes::Bytes;
use futures_util::TryStreamExt;
use proptest::prelude::*;
use support::scenarios::{self, read_staged};
use support::server::Server;
use support::strict::StrictBucket;
use support::{PART, blobs_at, content, read, settings};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_goes_on_with_a_session() {
    let server = Server::start();
    let replica = || blobs_at(&server.endpoint(), settings());
    let (session, name) = scenarios::another_process_goes_on(replica).await;
    replica().discard(session).await.unwrap();
    let left: Vec<_> = server.objects();
    assert_eq!(left.len(), 1, "{left:?}");
    let generation = name.generation.unwrap();
    assert!(left[0].ends_with(format!("{}.{generation}", name.digest.hex())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_parts_can_be_cut_too() {
    let server = Server::start();
    scenarios::parts_are_cut(&blobs_at(&server.endpoint(), settings())).await;
    assert!(server.objects().is_empty(), "{:?}", server.objects());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_in_parts_is_passed_over() {
    let server = Server::start();
    scenarios::a_crash_leaves_parts(|| blobs_at(&server.endpoint(), settings())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_lost_a_session_cannot_harm_it() {
    let server = Server::start();
    let [lost, owner] = [(); 2].map(|()| blobs_at(&server.endpoint(), settings()));
    scenarios::a_lost_session_is_safe(&lost, &owner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_larger_than_a_bucket_copies_is_streamed() {
    let server = Server::start();
    let settings = Settings {
        copy_limit: 1000,
        ..settings()
    };
    let blobs = blobs_at(&server.endpoint(), settings);
    let whole = content(10, usize::try_from(2 * PART + 99).unwrap());
    let (session, name) = support::push(&blobs, &whole).await.unwrap();
    blobs.discard(session).await.unwrap();
    assert!(read(&blobs, &name).await.unwrap() == whole);
    assert_eq!(server.objects().len(), 1);
}

/// What happens to a session.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// This process appends so many bytes, and syncs.
    Append(bool, usize),
    /// The same, but closes, as before publishing.
    Close(usize),
    /// The same, but crashes before it syncs.
    Crash(bool, usize),
    /// This process syncs, and what was appended is not acknowledged all the same.
    Unacknowledged(bool, usize),
    /// All bytes are read, as if they were hashed once more.
    Read(bool),
    /// The session is published.
    Publish(bool),
}

fn event() -> impl Strategy<Value = Event> {
    let length = 0..70usize;
    prop_oneof![
        (any::<bool>(), length.clone()).prop_map(|(by, length)| Event::Append(by, length)),
        length.clone().prop_map(Event::Close),
        (any::<bool>(), length.clone()).prop_map(|(by, length)| Event::Crash(by, length)),
        (any::<bool>(), length).prop_map(|(by, length)| Event::Unacknowledged(by, length)),
        any::<bool>().prop_map(Event::Read),
        any::<bool>().prop_map(Event::Publish),
    ]
}

struct Run {
    bucket: Arc<StrictBucket>,
    replicas: [ObjectBlobs; 2],
    session: SessionId,
    acknowledged: Vec<u8>,
    seed: u64,
}

impl Run {
    fn new(part_size: u64) -> Self {
        let bucket = Arc::new(StrictBucket::default());
        let settings = Settings {
            part_size,
            copy_limit: 100,
            ..settings()
        };
        let replica = || ObjectBlobs::new(bucket.clone(), Path::from("registry"), settings.clone());
        Self {
            replicas: [replica(), replica()],
            bucket,
            session: SessionId::random(),
            acknowledged: Vec::new(),
            seed: 0,
        }
    }

    async fn write(
        &mut self,
        by: bool,
        length: usize,
    ) -> Result<(Box<dyn berth_blob::StagedWriter>, Bytes), BlobError> {
        self.seed += 1;
        let more = content(self.seed, length);
        let offset = self.acknowledged.len() as u64;
        let mut writer = self.replicas[usize::from(by)]
            .stage(self.session, offset)
            .await?;
        for piece in more.chunks(9) {
            writer.write(vec![Bytes::copy_from_slice(piece)]).await?;
        }
        Ok((writer, more))
    }

    async fn happen(&mut self, event: Event) -> Result<(), BlobError> {
        match event {
            Event::Append(by, length) => {
                let (mut writer, more) = self.write(by, length).await?;
                writer.sync().await?;
                self.acknowledged.extend_from_slice(&more);
            }
            Event::Close(length) => {
                let (mut writer, more) = self.write(false, length).await?;
                writer.close().await?;
                let whole = [&self.acknowledged[..], &more].concat();
                self.publish(false, &whole).await?;
            }
            Event::Crash(by, length) => drop(self.write(by, length).await?),
            Event::Unacknowledged(by, length) => {
                let (mut writer, _) = self.write(by, length).await?;
                writer.sync().await?;
            }
            Event::Read(by) => {
                self.write(by, 0).await?;
                let length = self.acknowledged.len();
                let read = read_staged(&self.replicas[usize::from(by)], self.session, length).await;
                assert_eq!(read, self.acknowledged);
            }
            Event::Publish(by) => {
                self.write(by, 0).await?;
                let whole = self.acknowledged.clone();
                self.publish(by, &whole).await?;
            }
        }
        Ok(())
    }

    async fn publish(&self, by: bool, whole: &[u8]) -> Result<(), BlobError> {
        let replica = &self.replicas[usize::from(by)];
        let digest = Digest::sha256(whole);
        let published = replica.publish(self.session, whole.len() as u64, &digest);
        let name = published.await?;
        assert_eq!(read(&self.replicas[1], &name).await?, whole);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to a session, what was acknowledged stays, what is published is right, and nothing
    /// is left at the end.
    #[test]
    fn a_session_holds_what_was_acknowledged(
        part_size in 1..40u64,
        events in prop::collection::vec(event(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new(part_size);
            for event in events {
                run.happen(event).await.unwrap();
            }
            // Nobody crashed in the middle of a request here.
            run.replicas[0].discard(run.session).await.unwrap();
            let uploads = Path::from("registry/uploads");
            let left: Vec<_> = run.bucket.list(Some(&uploads)).try_collect().await.unwrap();
            assert!(left.is_empty(), "{left:?}");
            assert_eq!(run.bucket.uploads(), 0);
        });
    }
}
