//! What is collected and what is not, over the stores in memory and over SQLite and a folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_blob::{BlobGuards, BlobStore, FilesystemBlobs, MemoryBlobs};
use berth_collector::{
    Amount, CollectionPlan, CollectionReport, Collector, CollectorMetadata, SweepReport,
};
use berth_metadata::{
    Blob, Grace, MemoryMetadata, MetadataError, MetadataStore, NewManifest, PutManifest,
    SqliteMetadata,
};
use berth_progress::Nobody;
use berth_spec::{BlobName, Digest, RepositoryName, SessionId, media_types};
use tempfile::TempDir;

const GRACE: Grace = Grace(Duration::from_secs(3600));

struct World {
    metadata: Arc<dyn MetadataStore>,
    collected: Arc<dyn CollectorMetadata>,
    blobs: Arc<dyn BlobStore>,
    guards: BlobGuards,
    collector: Collector,
    here: RepositoryName,
    _folder: Option<TempDir>,
}

/// The last one has names that are used once.
fn worlds() -> [World; 3] {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let files = FilesystemBlobs::open(folder.path()).unwrap();
    [
        World::over(MemoryMetadata::default(), MemoryBlobs::default(), None),
        World::over(sqlite, files, Some(folder)),
        generations(),
    ]
}

fn generations() -> World {
    let blobs = MemoryBlobs::with_generations();
    World::over(MemoryMetadata::default(), blobs, None)
}

impl World {
    fn over(
        metadata: impl MetadataStore + CollectorMetadata,
        blobs: impl BlobStore,
        folder: Option<TempDir>,
    ) -> Self {
        let (metadata, blobs) = (Arc::new(metadata), Arc::new(blobs));
        let guards = BlobGuards::default();
        Self {
            collector: Collector::new(metadata.clone(), blobs.clone(), guards.clone())
                .sweeping_after(Duration::ZERO),
            collected: metadata.clone(),
            metadata,
            blobs,
            guards,
            here: "here".parse().unwrap(),
            _folder: folder,
        }
    }

    /// Publishes bytes, without making them known.
    async fn publish(&self, content: &str) -> Blob {
        let session = SessionId::random();
        let mut writer = self.blobs.stage(session, 0).await.unwrap();
        writer.write(vec![content.to_owned().into()]).await.unwrap();
        writer.sync().await.unwrap();
        let (digest, size) = (Digest::sha256(content.as_bytes()), content.len() as u64);
        let name = self.blobs.publish(session, size, &digest).await.unwrap();
        self.blobs.discard(session).await.unwrap();
        Blob {
            digest,
            size,
            generation: name.generation,
        }
    }

    async fn push(&self, content: &str) -> Blob {
        let blob = self.publish(content).await;
        let link = self.metadata.link_blob(&self.here, &blob, None);
        link.await.unwrap();
        blob
    }

    async fn put(&self, content: &str, blobs: &[&Blob]) -> (PutManifest, Digest) {
        let manifest = NewManifest {
            digest: Digest::sha256(content.as_bytes()),
            media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            content: content.to_owned().into(),
            required_blobs: blobs.iter().map(|blob| blob.digest.clone()).collect(),
            optional_blobs: Vec::new(),
            required_manifests: Vec::new(),
            tags: Vec::new(),
            condition: None,
        };
        let put = self.metadata.put_manifest(&self.here, &manifest).await;
        (put.unwrap(), manifest.digest)
    }

    async fn has(&self, blob: &Blob) -> bool {
        let is_known = self.metadata.blob(&self.here, &blob.digest).await.unwrap();
        let is_there = self.blobs.open(&blob.name()).await.unwrap().is_some();
        assert_eq!(is_known.is_some(), is_there, "record and bytes disagree");
        is_there
    }

    async fn collect(&self, now: SystemTime) -> CollectionReport {
        self.collector.collect(GRACE, now, &Nobody).await.unwrap()
    }
}

/// So many hours from now.
fn hours(hours: u32) -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600) * hours
}

fn amount<'a>(blobs: impl IntoIterator<Item = &'a Blob>) -> Amount {
    let mut amount = Amount::default();
    amount.add(blobs);
    amount
}

#[tokio::test]
async fn what_nothing_needs_is_condemned_and_then_deleted() {
    for world in worlds() {
        let layer = world.push("nobody needs this").await;
        let kept = world.push("somebody needs this").await;
        let (_, manifest) = world.put("the manifest", &[&kept]).await;
        assert_eq!(world.collect(hours(1)).await, CollectionReport::default());
        let long_ago = GRACE.unused_since(hours(2));
        let digests = [layer.digest.clone()];
        let condemned = world.collected.condemn_blobs(&digests, long_ago).await;
        assert_eq!(condemned.unwrap(), std::slice::from_ref(&layer));
        let now = SystemTime::now();
        assert_eq!(world.collect(now).await, CollectionReport::default());
        assert!(world.has(&layer).await);
        assert_eq!(world.collect(hours(2)).await.deleted, amount([&layer]));
        assert!(!world.has(&layer).await);
        assert!(world.has(&kept).await);

        let delete = world.metadata.delete_manifest(&world.here, &manifest);
        assert!(delete.await.unwrap());
        let report = world.collect(hours(2)).await;
        assert_eq!(report.condemned, amount([&kept]));
        assert_eq!(report.deleted, amount([&kept]));
        assert!(!world.has(&kept).await);
    }
}

#[tokio::test]
async fn without_a_grace_period_one_run_does_all() {
    for world in worlds() {
        let layers = [world.push("one").await, world.push("another").await];
        // More than one batch.
        for number in 0..100 {
            world.push(&number.to_string()).await;
        }
        let now = SystemTime::now() + Duration::from_millis(2);
        let at_once = Grace(Duration::ZERO);
        let report = world
            .collector
            .collect(at_once, now, &Nobody)
            .await
            .unwrap();
        assert_eq!(report.deleted.blobs, 102);
        assert_eq!(report.deleted, report.condemned);
        for layer in &layers {
            assert!(!world.has(layer).await);
        }
    }
}

#[tokio::test]
async fn what_a_plan_tells_is_what_happens() {
    for world in worlds() {
        let [first, second] = [world.push("first").await, world.push("second").await];
        let digests = [first.digest.clone()];
        let condemn = world.collected.condemn_blobs(&digests, hours(1));
        condemn.await.unwrap();
        let plan = |now| world.collector.plan(GRACE, now, &Nobody);
        let waiting = CollectionPlan {
            waiting: amount([&first]),
            ..CollectionPlan::default()
        };
        let now = SystemTime::now() + Duration::from_millis(2);
        assert_eq!(plan(now).await.unwrap(), waiting);
        let both = CollectionPlan {
            to_condemn: amount([&second]),
            to_delete: amount([&first]),
            waiting: Amount::default(),
        };
        assert_eq!(plan(hours(2)).await.unwrap(), both);
        assert!(world.has(&first).await && world.has(&second).await);
    }
}

#[tokio::test]
async fn what_is_being_pushed_or_kept_is_left_for_the_next_run() {
    for world in worlds() {
        let layer = world.push("pushed again right now").await;
        let publishing = world.guards.publishing(&layer.digest).await;
        let report = world.collect(hours(2)).await;
        assert_eq!((report.postponed, report.deleted), (1, Amount::default()));
        drop(publishing);
        let keeping = world.guards.keeping_all().await;
        assert_eq!(world.collect(hours(2)).await.postponed, 1);
        assert!(world.has(&layer).await);
        drop(keeping);
        assert_eq!(world.collect(hours(2)).await.deleted, amount([&layer]));
    }
}

#[tokio::test]
async fn what_is_needed_again_is_taken_back() {
    for world in worlds() {
        let layer = world.push("needed again").await;
        let digests = [layer.digest.clone()];
        let condemn = world.collected.condemn_blobs(&digests, hours(1));
        condemn.await.unwrap();
        assert_eq!(
            world.put("needs it", &[&layer]).await.0,
            PutManifest::Stored
        );
        assert_eq!(world.collect(hours(9)).await, CollectionReport::default());
        assert!(world.has(&layer).await);
    }
}

#[tokio::test]
async fn files_that_no_record_knows_are_swept() {
    for world in worlds() {
        let known = world.push("known").await;
        let [orphan, pushed] = [world.publish("orphan").await, world.publish("pushed").await];
        let publishing = world.guards.publishing(&pushed.digest).await;
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(report.unrecorded, amount([&orphan]));
        assert!(world.blobs.open(&pushed.name()).await.unwrap().is_some());
        drop(publishing);
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(report.unrecorded, amount([&pushed]));
        assert!(world.has(&known).await);
        let again = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(again, SweepReport::default());
        let gone = [known.name()];
        assert_eq!(world.blobs.delete(&gone).await.unwrap(), 1);
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!(report.missing, amount([&known]));
    }
}

#[tokio::test]
async fn when_most_files_have_no_record_they_stay_until_somebody_is_sure() {
    for world in worlds() {
        world.push("known").await;
        for number in 0..101 {
            world.publish(&number.to_string()).await;
        }
        let report = world.collector.sweep(false, &Nobody).await.unwrap();
        assert_eq!((report.left, report.unrecorded), (101, Amount::default()));
        let report = world.collector.sweep(true, &Nobody).await.unwrap();
        assert_eq!((report.left, report.unrecorded.blobs), (0, 101));
    }
}

/// What one process has decided to remove, another one pushes again before the bytes are removed.
#[tokio::test]
async fn a_removal_that_comes_late_takes_nothing_that_was_pushed_since() {
    let world = generations();
    let first = world.push("pushed again").await;
    let digests = [first.digest.clone()];
    let condemn = world.collected.condemn_blobs(&digests, hours(1));
    assert_eq!(condemn.await.unwrap(), std::slice::from_ref(&first));
    let forget = world.collected.forget_blobs(&digests, hours(1), hours(1));
    let forgotten: Vec<BlobName> = forget.await.unwrap().iter().map(Blob::name).collect();
    assert_eq!(forgotten, [first.name()]);
    let orphan = world.publish("never recorded").await;
    let forsaken = world.collected.forsake(&[orphan.name()]).await.unwrap();

    let pushed = [
        world.push("pushed again").await,
        world.push("never recorded").await,
    ];
    let (put, _) = world.put("needs both", &[&pushed[0], &pushed[1]]).await;
    assert_eq!(put, PutManifest::Stored);
    for late in [forgotten, forsaken] {
        assert_eq!(world.blobs.delete(&late).await.unwrap(), 1);
    }
    for blob in &pushed {
        assert!(world.has(blob).await);
    }
    assert_eq!(world.collect(hours(9)).await, CollectionReport::default());
}

/// Who publishes does not hold the guards of another process.
#[tokio::test]
async fn what_is_swept_before_it_is_recorded_is_pushed_again() {
    let world = generations();
    let swept = world.publish("swept too early").await;
    let report = world.collector.sweep(true, &Nobody).await.unwrap();
    assert_eq!(report.unrecorded, amount([&swept]));
    let link = world.metadata.link_blob(&world.here, &swept, None);
    let refused = link.await.unwrap_err();
    assert!(matches!(refused, MetadataError::Forsaken(_)), "{refused}");
    let pushed = world.push("swept too early").await;
    assert!(world.has(&pushed).await);
    let report = world.collector.sweep(true, &Nobody).await.unwrap();
    assert_eq!(report, SweepReport::default());
}

#[tokio::test]
async fn what_was_written_just_now_is_not_swept() {
    let world = generations();
    let known = world.push("known").await;
    let young = world.publish("young").await;
    let patient = world
        .collector
        .clone()
        .sweeping_after(Duration::from_secs(3600));
    let usual = Collector::new(
        world.collected.clone(),
        world.blobs.clone(),
        world.guards.clone(),
    );
    for collector in [patient, usual] {
        for even_most in [false, true] {
            let report = collector.sweep(even_most, &Nobody).await.unwrap();
            assert_eq!(report, SweepReport::default());
        }
    }
    let link = world.metadata.link_blob(&world.here, &young, None);
    link.await.unwrap();
    assert!(world.has(&young).await && world.has(&known).await);
}

/// A pull of them may be under way, so they stay until a sweep.
#[tokio::test]
async fn bytes_that_were_replaced_are_swept() {
    let world = generations();
    let older = world.push("pushed twice").await;
    let newer = world.push("pushed twice").await;
    assert!(world.blobs.open(&older.name()).await.unwrap().is_some());
    let keeping = world.guards.keeping_all().await;
    let report = world.collector.sweep(false, &Nobody).await.unwrap();
    assert_eq!(report, SweepReport::default());
    drop(keeping);
    // Two of one content at once.
    let orphan = world.publish("pushed twice").await;
    let report = world.collector.sweep(false, &Nobody).await.unwrap();
    assert_eq!(report.unrecorded, amount([&older, &orphan]));
    assert!(world.blobs.open(&older.name()).await.unwrap().is_none());
    assert!(world.has(&newer).await);
}
