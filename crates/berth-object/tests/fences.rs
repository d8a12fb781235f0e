//! A process that lost a session, and does not know it, against the one that has it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::sync::Arc;

use berth_blob::{BlobError, BlobStore, contract};
use berth_object::object_store::ObjectStore;
use berth_object::object_store::path::Path;
use berth_object::{ObjectBlobs, Settings};
use berth_spec::{Digest, SessionId};
use bytes::Bytes;
use futures_util::TryStreamExt;
use support::server::Server;
use support::strict::StrictBucket;
use support::{blobs_at, content, read, settings};

const PART: usize = 1000;

/// Two processes over one bucket.
fn processes() -> [ObjectBlobs; 2] {
    processes_over(&Arc::default())
}

fn processes_over(bucket: &Arc<StrictBucket>) -> [ObjectBlobs; 2] {
    let settings = Settings {
        part_size: PART as u64,
        ..settings()
    };
    [(); 2].map(|()| ObjectBlobs::new(bucket.clone(), Path::from("registry"), settings.clone()))
}

/// Writes behind `offset`, as before publishing.
async fn close(
    blobs: &ObjectBlobs,
    session: SessionId,
    offset: usize,
    fence: u64,
    bytes: &Bytes,
) -> Result<(), BlobError> {
    let mut writer = blobs.stage_fenced(session, offset as u64, fence).await?;
    writer.write(vec![bytes.clone()]).await?;
    writer.close().await
}

async fn sync(
    blobs: &ObjectBlobs,
    session: SessionId,
    offset: usize,
    fence: u64,
    bytes: &Bytes,
) -> Result<(), BlobError> {
    let mut writer = blobs.stage_fenced(session, offset as u64, fence).await?;
    writer.write(vec![bytes.clone()]).await?;
    writer.sync().await
}

#[tokio::test]
async fn in_memory() {
    let [one, other] = processes();
    contract::fenced_staging(&one, &other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_server() {
    let server = Server::start();
    let [one, other] = [(); 2].map(|()| blobs_at(&server.endpoint(), settings()));
    contract::fenced_staging(&one, &other).await;
}

/// The lengths of what a session has, and of what comes then: in no part, in some, and both.
const LENGTHS: [(usize, usize); 4] = [(10, 20), (10, 3 * PART), (3 * PART, 10), (PART, PART)];

#[tokio::test]
async fn what_is_published_was_written_here() {
    for (kept, length) in LENGTHS {
        let [late, owner] = processes();
        let session = SessionId::random();
        let kept = content(1, kept);
        sync(&late, session, 0, 1, &kept).await.unwrap();
        let (lost, more) = (content(2, length), content(3, length));
        close(&late, session, kept.len(), 3, &lost).await.unwrap();
        // As long as what was lost: nothing but the bytes tells them apart.
        sync(&owner, session, kept.len(), 5, &more).await.unwrap();
        let whole = Bytes::from([&kept[..], &lost].concat());
        let digest = Digest::sha256(&whole);
        match late.publish(session, whole.len() as u64, &digest).await {
            Ok(name) => assert!(read(&late, &name).await.unwrap() == whole),
            Err(BlobError::Superseded(of)) => assert_eq!(of, session),
            Err(error) => panic!("{error}"),
        }
        let whole = Bytes::from([&kept[..], &more].concat());
        let digest = Digest::sha256(&whole);
        close(&owner, session, whole.len(), 7, &Bytes::new())
            .await
            .unwrap();
        let length = whole.len() as u64;
        let name = owner.publish(session, length, &digest).await.unwrap();
        assert!(read(&owner, &name).await.unwrap() == whole);
    }
}

#[tokio::test]
async fn what_was_hashed_once_more_can_be_published() {
    for (kept, length) in LENGTHS {
        let [blobs, _] = processes();
        let session = SessionId::random();
        let (kept, more) = (content(4, kept), content(5, length));
        sync(&blobs, session, 0, 1, &kept).await.unwrap();
        close(&blobs, session, kept.len(), 2, &more).await.unwrap();
        let whole = Bytes::from([&kept[..], &more].concat());
        let length = whole.len() as u64;
        drop(blobs.read_staged(session, length).await.unwrap());
        let digest = Digest::sha256(&whole);
        let name = blobs.publish(session, length, &digest).await.unwrap();
        assert!(read(&blobs, &name).await.unwrap() == whole);
    }
}

#[tokio::test]
async fn what_was_abandoned_is_as_it_was_saved() {
    let [blobs, other] = processes();
    let session = SessionId::random();
    let (kept, lost) = (content(6, 10), content(7, 20));
    sync(&blobs, session, 0, 1, &kept).await.unwrap();
    close(&blobs, session, kept.len(), 2, &lost).await.unwrap();
    blobs.abandon(session);
    for replica in [&blobs, &other] {
        assert!(replica.read_staged(session, 10).await.is_ok());
        let more = replica.read_staged(session, 11).await;
        assert!(matches!(more, Err(BlobError::StagedBytesMissing { .. })));
    }
}

/// The objects of upload sessions.
async fn staged_objects(bucket: &StrictBucket) -> Vec<Path> {
    let staging = Path::from("registry/uploads");
    let objects = bucket.list(Some(&staging));
    let locations = objects.map_ok(|object| object.location);
    locations.try_collect().await.unwrap()
}

#[tokio::test]
async fn nothing_stays_of_who_was_killed_while_publishing() {
    for is_completed in [false, true] {
        let bucket = Arc::new(StrictBucket::default());
        let [killed, next] = processes_over(&bucket);
        let (session, whole) = (SessionId::random(), content(1, 3 * PART + 10));
        let (length, digest) = (whole.len() as u64, Digest::sha256(&whole));
        close(&killed, session, 0, 1, &whole).await.unwrap();
        bucket.refuse_completion(!is_completed);
        let published = killed.publish(session, length, &digest).await;
        assert_eq!(published.is_ok(), is_completed);
        bucket.refuse_completion(false);
        // Its client begins again: the record of the session tells of nothing yet.
        close(&next, session, 0, 3, &whole).await.unwrap();
        assert_eq!(bucket.uploads(), 1, "one of each is under way");
        let name = next.publish(session, length, &digest).await.unwrap();
        assert!(read(&next, &name).await.unwrap() == whole);
        next.discard(session).await.unwrap();
        assert_eq!(bucket.uploads(), 0);
        assert_eq!(staged_objects(&bucket).await, []);
    }
}

#[tokio::test]
async fn who_lost_a_session_leaves_no_upload() {
    let bucket = Arc::new(StrictBucket::default());
    let [late, owner] = processes_over(&bucket);
    let session = SessionId::random();
    let mut writer = late.stage_fenced(session, 0, 1).await.unwrap();
    let kept = content(2, 10);
    sync(&owner, session, 0, 3, &kept).await.unwrap();
    let lost = writer.write(vec![content(3, 2 * PART)]).await;
    assert!(matches!(lost, Err(BlobError::Superseded(_))), "{lost:?}");
    assert_eq!(bucket.uploads(), 0);
    let published = owner.publish(session, 10, &Digest::sha256(&kept)).await;
    assert!(read(&owner, &published.unwrap()).await.unwrap() == kept);
}
