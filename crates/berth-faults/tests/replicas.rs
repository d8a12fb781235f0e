//! Replicas over one PostgreSQL and one bucket: one is killed, or sleeps for longer than its leases, in the middle of an upload,
//! and another goes on with it.
#![allow(clippy::unwrap_used, clippy::panic)]

// A bucket that treats parts as S3 does: the one of `object_store` in memory makes an object of whichever came last.
#[path = "../../berth-object/tests/support/strict.rs"]
#[allow(dead_code, reason = "the tests of that crate need more of it")]
mod strict;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_faults::{Fault, Faults, FaultyBlobs, FaultyMetadata};
use berth_metadata::MetadataStore;
use berth_object::{ObjectBlobs, Settings as ObjectSettings};
use berth_postgres::test_server::TestServer;
use berth_postgres::{PostgresMetadata, PostgresOptions};
use berth_registry::{
    Content, MetadataSessionRecords, Registry, RegistryError, Settings, UploadError,
};
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId};
use berth_upload::contract;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use secrecy::{ExposeSecret, SecretString};
use strict::StrictBucket;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// How long whoever sleeps does: others must have gone on meanwhile.
const SLEEP: Duration = Duration::from_secs(5);

const PART: usize = 100_000;

/// What replicas share.
struct Cluster {
    server: Arc<TestServer>,
    database: SecretString,
    bucket: Arc<StrictBucket>,
}

impl Cluster {
    fn new() -> Self {
        let server = TestServer::shared();
        Self {
            database: server.database(),
            server,
            bucket: Arc::default(),
        }
    }

    fn metadata(&self) -> Arc<PostgresMetadata> {
        let opened = PostgresMetadata::open(&self.database, &PostgresOptions::default());
        Arc::new(opened.unwrap())
    }

    fn replica(&self, faults: &Faults) -> Registry {
        let settings = ObjectSettings {
            part_size: PART as u64,
            ..ObjectSettings::default()
        };
        let blobs = ObjectBlobs::new(self.bucket.clone(), "registry".into(), settings);
        Registry::new(
            Arc::new(FaultyMetadata::new(self.metadata(), faults.clone())),
            Arc::new(FaultyBlobs::new(Arc::new(blobs), faults.clone())),
            Settings::default(),
        )
    }

    /// So much time passes for the lease of a session.
    fn pass(&self, id: SessionId, time: Duration) {
        let url = self.database.expose_secret();
        let (start, _) = url.split_once('?').unwrap();
        let name = start.rsplit('/').next().unwrap();
        let statement = format!(
            "UPDATE uploads SET held_until = held_until - {} WHERE id = '{id}'",
            time.as_millis()
        );
        self.server.execute(name, &statement);
    }
}

fn here() -> RepositoryName {
    "library/alpine".parse().unwrap()
}

fn bytes(seed: u8, length: usize) -> Bytes {
    let byte = |index: usize| (index.wrapping_mul(31) ^ (index >> 8)).to_le_bytes()[0] ^ seed;
    (0..length).map(byte).collect()
}

async fn begin(replica: &Registry) -> SessionId {
    let begun = replica.begin_upload(&here(), Algorithm::Sha256).await;
    begun.unwrap()
}

async fn append(replica: &Registry, id: SessionId, bytes: &Bytes) -> Result<u64, RegistryError> {
    let content = Content::from_bytes(bytes.clone());
    replica.append_upload(&here(), id, content).await
}

/// Finishes a session, which must hold these bytes.
async fn finish(
    cluster: &Cluster,
    replica: &Registry,
    id: SessionId,
    whole: &[u8],
) -> Result<(), RegistryError> {
    let digest = Digest::sha256(whole);
    replica
        .finish_upload(&here(), id, &digest, Content::empty())
        .await?;
    let other = cluster.replica(&Faults::none());
    assert!(read(&other, &digest).await == whole);
    assert!(other.upload_status(&here(), id).await.is_err());
    Ok(())
}

async fn read(replica: &Registry, digest: &Digest) -> Vec<u8> {
    let blob = replica.open_blob(&here(), digest).await.unwrap();
    let size = blob.size();
    let pieces: Vec<Bytes> = blob.read(0..size).try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_in_postgres_keep_the_contract() {
    let cluster = Cluster::new();
    let records = MetadataSessionRecords::new(cluster.metadata());
    contract::session_records(&records).await;
    contract::session_leases(&records).await;
}

#[test]
fn another_replica_goes_on_when_one_is_killed_in_the_middle_of_a_chunk() {
    let cluster = Cluster::new();
    // A chunk of which something is in parts, and one of which nothing is.
    for sent in [2 * PART + PART / 2, PART / 2] {
        let (first, second) = (bytes(1, PART * 5 / 2), bytes(2, PART * 3));
        let process = Runtime::new().unwrap();
        let replica = cluster.replica(&Faults::none());
        let (arrived, has_arrived) = oneshot::channel();
        let piece = second.slice(..sent);
        let id = process.block_on(async {
            let id = begin(&replica).await;
            append(&replica, id, &first).await.unwrap();
            // The rest of it never comes.
            let rest = async move {
                let _ = arrived.send(());
                std::future::pending().await
            };
            let body = stream::iter([Ok(piece)]).chain(stream::once(rest));
            let content = Content {
                range: None,
                length: None,
                body: body.boxed(),
            };
            let appending = replica.clone();
            tokio::spawn(async move { appending.append_upload(&here(), id, content).await });
            has_arrived.await.unwrap();
            // What has arrived is being written.
            tokio::time::sleep(Duration::from_millis(300)).await;
            id
        });
        process.shutdown_background();
        drop(replica);
        cluster.pass(id, Duration::from_secs(13));

        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let replica = cluster.replica(&Faults::none());
            let status = replica.upload_status(&here(), id).await.unwrap();
            assert_eq!(status, first.len() as u64);
            let whole = [&first[..], &second].concat();
            let appended = append(&replica, id, &second).await.unwrap();
            assert_eq!(appended, whole.len() as u64);
            finish(&cluster, &replica, id, &whole).await.unwrap();
        });
    }
}

/// Sleeps the next time that it takes this step, once it is told to.
fn sleeping_at(step: &'static str) -> (Faults, Arc<AtomicBool>) {
    let is_tired = Arc::new(AtomicBool::new(false));
    let tired = is_tired.clone();
    let faults = Faults::planned(move |_, name| {
        let sleeps = name == step && tired.swap(false, Ordering::SeqCst);
        sleeps.then_some(Fault::Sleep(SLEEP))
    });
    (faults, is_tired)
}

/// What a replica does when it falls asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Append,
    Finish,
    Cancel,
}

/// A replica falls asleep at a step of something, and another one goes on; then the first one wakes.
async fn wake_late(
    cluster: &Cluster,
    doing: Doing,
    step: &'static str,
    [kept, lost, more]: [Bytes; 3],
) {
    let length = more.len();
    let begins = kept.clone();
    let (faults, is_tired) = sleeping_at(step);
    let (sleeper, other) = (cluster.replica(&faults), cluster.replica(&Faults::none()));
    let id = begin(&sleeper).await;
    append(&sleeper, id, &kept).await.unwrap();
    is_tired.store(true, Ordering::SeqCst);
    let late = tokio::spawn(async move {
        let content = Content::from_bytes(lost.clone());
        match doing {
            Doing::Append => sleeper.append_upload(&here(), id, content).await.map(drop),
            Doing::Finish => {
                let digest = Digest::sha256(&[&kept[..], &lost].concat());
                sleeper.finish_upload(&here(), id, &digest, content).await
            }
            Doing::Cancel => sleeper.cancel_upload(&here(), id).await,
        }
    });
    while is_tired.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cluster.pass(id, Duration::from_secs(60));
    let appended = append(&other, id, &more).await.unwrap();
    assert_eq!(appended, 2 * length as u64);
    assert!(!late.is_finished(), "it did not sleep for long enough");
    let late = late.await.unwrap();
    assert!(
        matches!(late, Err(RegistryError::Upload(UploadError::Lost(lost))) if lost == id),
        "{doing:?} at {step}: {late:?}"
    );
    let whole = [begins, more].concat();
    let finished = finish(cluster, &other, id, &whole).await;
    // A part that was sent late may have taken the place of another, and then nothing can be made of them.
    let may_be_spoilt = step == "write" && length > PART;
    assert!(
        finished.is_ok() || may_be_spoilt,
        "{doing:?} at {step}: {finished:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wakes_late_changes_nothing() {
    let cluster = Cluster::new();
    let mut sleepers = Vec::new();
    for length in [1000, PART * 5 / 2] {
        let cases = [
            (Doing::Append, "stage"),
            (Doing::Append, "write"),
            (Doing::Append, "sync"),
            (Doing::Append, "update_upload"),
            (Doing::Finish, "stage"),
            (Doing::Finish, "write"),
            (Doing::Finish, "close"),
            (Doing::Finish, "publish"),
            (Doing::Finish, "link_blob"),
            (Doing::Cancel, "delete_upload"),
        ];
        for ((doing, step), seed) in cases.into_iter().zip((0..).step_by(3)) {
            // No two have the same, or one could answer for another.
            let contents = [seed, seed + 1, seed + 2].map(|seed| bytes(seed, length));
            sleepers.push(wake_late(&cluster, doing, step, contents));
        }
    }
    futures_util::future::join_all(sleepers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_sleeper_published_is_known_to_nobody() {
    let cluster = Cluster::new();
    let contents = [3, 4, 5].map(|seed| bytes(seed, 1000));
    let lost = [&contents[0][..], &contents[1]].concat();
    wake_late(&cluster, Doing::Finish, "link_blob", contents).await;
    let digest = Digest::sha256(&lost);
    let found = cluster.metadata().blob(&here(), &digest).await.unwrap();
    assert_eq!(found, None);
}
