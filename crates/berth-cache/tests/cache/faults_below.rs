use std::time::Duration;

use berth_blob::{BlobError, BlobStore};
use berth_cache::CacheSettings;
use berth_spec::Digest;
use futures_util::StreamExt;

use crate::below::{PIECE, Plan, Stop};
use crate::{ROOM, World, noise, until_error, whole};

/// Shorter than a test should take.
fn impatient() -> CacheSettings {
    CacheSettings {
        patience: Duration::from_millis(200),
        ..CacheSettings::with_limit(ROOM)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bytes_are_never_sent_to_their_end_and_never_kept() {
    let world = World::new();
    let right = noise(1, 1_000_000);
    let digest = Digest::sha256(&right);
    for wrong_byte in [0, 500_000, 999_999] {
        let mut wrong = right.clone();
        wrong[wrong_byte] ^= 1;
        let name = world.publish_as(&digest, &wrong).await;
        let readers = [world.open(&name).await, world.open(&name).await];
        for reader in readers {
            let (read, error) = until_error(reader.read(0..1_000_000)).await;
            assert!(matches!(error, BlobError::Corrupt), "{error}");
            assert!(read.len() < wrong.len() && wrong.starts_with(&read));
        }
        world.settled().await;
        assert!(world.files().is_empty());
    }
    // A small blob is not sent at all.
    let name = world.publish_as(&digest, b"small").await;
    let (read, error) = until_error(world.open(&name).await.read(0..5)).await;
    assert!(matches!(error, BlobError::Corrupt) && read.is_empty());
    let name = world.publish_as(&digest, b"").await;
    let (_, error) = until_error(world.open(&name).await.read(0..0)).await;
    assert!(matches!(error, BlobError::Corrupt));
    let name = world.publish(&right).await;
    assert!(world.read(&name).await.unwrap() == right);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_or_more_bytes_than_were_said_are_wrong() {
    for stop in [Stop::End, Stop::Overflow] {
        let world = World::new();
        let content = noise(2, 10 * PIECE);
        let name = world.publish(&content).await;
        let after = match stop {
            Stop::End => 9,
            _ => 10,
        };
        world.below.stop(after, stop);
        let reader = world.open(&name).await;
        let (read, error) = until_error(reader.read(0..content.len() as u64)).await;
        assert!(matches!(error, BlobError::Corrupt), "{stop:?}: {error}");
        assert!(read.len() < content.len() && content.starts_with(&read));
        world.settled().await;
        assert!(world.files().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_below_is_told_and_nothing_is_kept() {
    let world = World::new();
    let content = noise(3, 10 * PIECE);
    let name = world.publish(&content).await;
    world.below.stop(5, Stop::Fail);
    let reader = world.open(&name).await;
    let (read, error) = until_error(reader.read(0..content.len() as u64)).await;
    assert!(error.to_string().contains("the line broke"), "{error}");
    assert!(content.starts_with(&read));
    world.settled().await;
    assert!(world.files().is_empty());
    world.below.plan(Plan::default());
    assert!(world.read(&name).await.unwrap() == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failure_readers_go_on_from_below_where_they_are() {
    for stop in [Stop::Fail, Stop::Stall] {
        let world = World::with(impatient());
        let content = noise(4, 10 * PIECE);
        let name = world.publish(&content).await;
        world.below.stop_once(6, stop);
        let reader = world.open(&name).await;
        let mut bytes = reader.read(0..content.len() as u64);
        let begun = bytes.next().await.unwrap().unwrap();
        let rest = tokio::time::timeout(Duration::from_secs(20), whole(bytes)).await;
        let rest = rest.expect("it hangs").unwrap();
        assert!([&begun[..], &rest].concat() == content, "{stop:?}");
        world.settled().await;
        assert!(world.files().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_sends_nothing_keeps_no_room() {
    let world = World::with(impatient());
    let content = noise(5, 10 * PIECE);
    let name = world.publish(&content).await;
    world.below.stop(0, Stop::Stall);
    let reader = world.open(&name).await;
    let mut bytes = reader.read(0..content.len() as u64);
    // It waits for the store below, as it would without a cache.
    let waited = tokio::time::timeout(Duration::from_secs(1), bytes.next()).await;
    assert!(waited.is_err());
    world.settled().await;
    assert!(world.files().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_removed_while_it_is_filled_is_not_kept() {
    let world = World::new();
    let content = noise(6, 10 * PIECE);
    let name = world.publish(&content).await;
    let before = world.open(&name).await;
    let permits = world.below.hold();
    let mut bytes = world.open(&name).await.read(0..content.len() as u64);
    permits.add_permits(5);
    let begun = bytes.next().await.unwrap().unwrap();
    let names = [name.clone()];
    assert_eq!(world.blobs.delete(&names).await.unwrap(), 1);
    assert!(world.blobs.open(&name).await.unwrap().is_none());
    permits.add_permits(1000);
    let rest = whole(bytes).await.unwrap();
    assert!([&begun[..], &rest].concat() == content);
    world.settled().await;
    // Nor what was open before, and is read now.
    let read = whole(before.read(0..content.len() as u64)).await.unwrap();
    assert!(read == content);
    world.settled().await;
    assert!(world.files().is_empty());
    assert!(world.blobs.open(&name).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_past_the_end_is_refused() {
    let world = World::new();
    let name = world.publish(b"ten bytes.").await;
    world.read(&name).await.unwrap();
    world.kept(&name).await;
    let (_, error) = until_error(world.open(&name).await.read(5..11)).await;
    assert!(matches!(error, BlobError::Truncated), "{error}");
}
