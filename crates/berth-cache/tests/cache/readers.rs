use std::sync::Arc;
use std::time::Duration;

use berth_blob::BlobStore;
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::below::PIECE;
use crate::{World, noise, until, whole};

/// How many permits let all pass.
const ALL: usize = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once_read_from_below_once() {
    let world = Arc::new(World::new());
    let content = Arc::new(noise(1, 3_000_000));
    let name = world.publish(&content).await;
    let readers = (0..100).map(|_| {
        let (world, content, name) = (world.clone(), content.clone(), name.clone());
        tokio::spawn(async move { world.read(&name).await.unwrap() == *content })
    });
    for is_right in join_all(readers).await {
        assert!(is_right.unwrap());
    }
    assert_eq!(world.below.reads(), 1);
    world.kept(&name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_reads_along() {
    let world = World::new();
    let content = noise(2, 20 * PIECE);
    let name = world.publish(&content).await;
    let permits = world.below.hold();
    let mut first = world.open(&name).await.read(0..content.len() as u64);
    permits.add_permits(10);
    let piece = first.next().await.unwrap().unwrap();
    assert!(content.starts_with(&piece));
    let opens = world.below.opens();
    let mut second = world.open(&name).await.read(0..content.len() as u64);
    let other = second.next().await.unwrap().unwrap();
    assert!(content.starts_with(&other));
    assert_eq!(world.below.opens(), opens);
    // A part is not waited for.
    let part = world.open(&name).await.read(1_500_000..1_500_001);
    permits.add_permits(ALL);
    assert!(whole(part).await.unwrap() == content[1_500_000..1_500_001]);
    for (begun, rest) in [(piece, first), (other, second)] {
        let rest = whole(rest).await.unwrap();
        assert!([&begun[..], &rest].concat() == content);
    }
    assert_eq!(world.below.reads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_up_nobody() {
    let world = World::new();
    let content = noise(3, 5_000_000);
    let name = world.publish(&content).await;
    let mut slow = world.open(&name).await.read(0..5_000_000);
    let begun = slow.next().await.unwrap().unwrap();
    assert!(world.read(&name).await.unwrap() == content);
    world.kept(&name).await;
    // Also when it is evicted meanwhile.
    world.blobs.delete(&[name]).await.unwrap();
    assert!(world.files().is_empty());
    let rest = whole(slow).await.unwrap();
    assert!([&begun[..], &rest].concat() == content);
    assert_eq!(world.below.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_have_gone_early_the_fill_ends() {
    let world = World::new();
    let content = noise(4, 20 * PIECE);
    let name = world.publish(&content).await;
    let permits = world.below.hold();
    let mut reader = world.open(&name).await.read(0..content.len() as u64);
    permits.add_permits(5);
    reader.next().await.unwrap().unwrap();
    drop(reader);
    permits.add_permits(1);
    world.settled().await;
    assert!(world.files().is_empty());
    permits.add_permits(ALL);
    // Whoever comes later begins anew.
    assert!(world.read(&name).await.unwrap() == content);
    assert_eq!(world.below.reads(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_have_gone_late_the_fill_goes_on() {
    let world = World::new();
    let content = noise(5, 20 * PIECE);
    let name = world.publish(&content).await;
    let permits = world.below.hold();
    let mut reader = world.open(&name).await.read(0..content.len() as u64);
    permits.add_permits(15);
    let mut read = 0;
    while read < 12 * PIECE {
        read += reader.next().await.unwrap().unwrap().len();
    }
    drop(reader);
    permits.add_permits(ALL);
    world.kept(&name).await;
    assert!(world.read(&name).await.unwrap() == content);
    assert_eq!(world.below.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_and_go_get_right_bytes_or_none() {
    let world = Arc::new(World::new());
    let content = Arc::new(noise(6, 2_000_000));
    let name = world.publish(&content).await;
    let readers = (0..200).map(|number: usize| {
        let (world, content, name) = (world.clone(), content.clone(), name.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(number as u64 * 50)).await;
            let mut reader = world.open(&name).await.read(0..2_000_000);
            let mut read = Vec::new();
            // Half of them go at some point.
            while let Some(piece) = reader.next().await {
                read.extend_from_slice(&piece.unwrap());
                if number.is_multiple_of(2) && read.len() > number * 5000 {
                    return content.starts_with(&read);
                }
            }
            read == *content
        })
    });
    for is_right in join_all(readers).await {
        assert!(is_right.unwrap());
    }
    world.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_and_does_not_read_holds_nothing() {
    let world = World::new();
    let content = noise(7, 20 * PIECE);
    let name = world.publish(&content).await;
    drop(world.open(&name).await.read(0..content.len() as u64));
    drop(world.open(&name).await);
    world.settled().await;
    assert_eq!(world.below.reads(), 0);
    let permits = world.below.hold();
    let mut reader = world.open(&name).await.read(0..content.len() as u64);
    permits.add_permits(5);
    reader.next().await.unwrap().unwrap();
    let unread = world.open(&name).await;
    drop(reader);
    drop(unread);
    permits.add_permits(1);
    world.settled().await;
    until(|| world.files().is_empty()).await;
}

/// Whoever reads on another runtime is not held up by one that has ended.
#[test]
fn a_runtime_that_ends_takes_its_fills_with_it() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (one, other) = (runtime(), runtime());
    let world = World::new();
    let content = noise(8, 20 * PIECE);
    let size = content.len() as u64;
    let (name, first) = one.block_on(async {
        let name = world.publish(&content).await;
        let permits = world.below.hold();
        permits.add_permits(5);
        let mut first = world.open(&name).await.read(0..size);
        first.next().await.unwrap().unwrap();
        (name, first)
    });
    let late = other.block_on(world.open(&name)).read(0..size);
    world.below.hold().add_permits(ALL);
    one.shutdown_timeout(Duration::from_secs(5));
    assert!(other.block_on(whole(late)).unwrap() == content);
    assert!(other.block_on(whole(first)).is_ok());
    other.block_on(async {
        world.settled().await;
        assert!(world.read(&name).await.unwrap() == content);
    });
}
