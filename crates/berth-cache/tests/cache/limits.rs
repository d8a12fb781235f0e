use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_cache::CacheSettings;
use berth_spec::BlobName;
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::below::PIECE;
use crate::{World, noise, whole};

async fn keep(world: &World, seed: u64, size: usize) -> BlobName {
    let name = world.publish(&noise(seed, size)).await;
    world.read(&name).await.unwrap();
    world.settled().await;
    name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_unused_goes() {
    let world = World::with(CacheSettings::with_limit(3_000_000));
    let mut names = Vec::new();
    for seed in 0..3 {
        names.push(keep(&world, seed, 1_000_000).await);
    }
    world.read(&names[0]).await.unwrap();
    keep(&world, 3, 1_000_000).await;
    let is_kept = |name| !world.files_of(name).is_empty();
    assert!(is_kept(&names[0]) && !is_kept(&names[1]) && is_kept(&names[2]));
    assert_eq!(world.files().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_larger_than_the_cache_takes_nothing_from_it() {
    let world = World::with(CacheSettings::with_limit(1_000_000));
    let small = keep(&world, 1, 900_000).await;
    let large = keep(&world, 2, 1_000_001).await;
    assert!(world.files_of(&large).is_empty());
    assert_eq!(world.files_of(&small).len(), 1);
    let exact = keep(&world, 3, 1_000_000).await;
    assert_eq!(world.files_of(&exact).len(), 1);
    assert!(world.files_of(&small).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_is_not_evicted() {
    let world = World::with(CacheSettings::with_limit(1_000_000));
    let content = noise(1, 900_000);
    let name = keep(&world, 1, 900_000).await;
    let mut bytes = world.open(&name).await.read(0..900_000);
    let begun = bytes.next().await.unwrap().unwrap();
    let other = keep(&world, 2, 900_000).await;
    assert!(world.files_of(&other).is_empty());
    let rest = whole(bytes).await.unwrap();
    assert!([&begun[..], &rest].concat() == content);
    world.read(&other).await.unwrap();
    world.settled().await;
    assert_eq!(world.files_of(&other).len(), 1);
    assert_eq!(world.files().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_are_filled_at_once() {
    let world = World::with(CacheSettings {
        fills_at_once: 1,
        ..CacheSettings::with_limit(100_000_000)
    });
    let name = world.publish(&noise(1, 10 * PIECE)).await;
    let permits = world.below.hold();
    let mut bytes = world.open(&name).await.read(0..10 * PIECE as u64);
    permits.add_permits(6);
    bytes.next().await.unwrap().unwrap();
    permits.add_permits(1000);
    let held = world.below.hold();
    held.add_permits(1000);
    let other = world.publish(&noise(2, 1000)).await;
    let first = world.publish(&noise(3, 10 * PIECE)).await;
    drop(bytes);
    world.kept(&name).await;
    // One fills, and the other is read all the same.
    let permits = world.below.hold();
    let mut bytes = world.open(&first).await.read(0..10 * PIECE as u64);
    permits.add_permits(6);
    bytes.next().await.unwrap().unwrap();
    world.below.hold().add_permits(1000);
    assert_eq!(world.read(&other).await.unwrap(), noise(2, 1000));
    assert!(world.files_of(&other).is_empty());
    permits.add_permits(1000);
    whole(bytes).await.unwrap();
    world.kept(&first).await;
}

/// The sizes of all files of the folder, at any moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_the_folder_never_exceeds_the_limit() {
    const LIMIT: u64 = 3_000_000;
    let world = Arc::new(World::with(CacheSettings::with_limit(LIMIT)));
    let mut blobs = Vec::new();
    for seed in 0..20 {
        let size = 50_000 + usize::try_from(seed).unwrap() * 40_000;
        let content = noise(seed, size);
        let name = world.publish(&content).await;
        blobs.push((name, content));
    }
    let blobs = Arc::new(blobs);
    let is_done = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (world, is_done) = (world.clone(), is_done.clone());
        std::thread::spawn(move || {
            let mut most = 0;
            while !is_done.load(Ordering::SeqCst) {
                let sizes = world.files().into_iter().map(|path| {
                    // It may be gone already.
                    std::fs::metadata(path).map_or(0, |found| found.len())
                });
                most = most.max(sizes.sum());
                let usage = world.blobs.usage();
                assert!(usage.kept + usage.passing <= LIMIT, "{usage:?}");
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        })
    };
    let readers = (0..16u64).map(|reader| {
        let (world, blobs) = (world.clone(), blobs.clone());
        tokio::spawn(async move {
            for turn in 0..30 {
                let choice = (reader * 7 + turn * 11 + turn * turn) % blobs.len() as u64;
                let (name, content) = &blobs[usize::try_from(choice).unwrap()];
                assert!(world.read(name).await.unwrap() == *content);
            }
        })
    });
    for read in join_all(readers).await {
        read.unwrap();
    }
    is_done.store(true, Ordering::SeqCst);
    let most = watcher.join().unwrap();
    assert!(most > LIMIT / 2 && most <= LIMIT, "{most}");
    world.settled().await;
    let usage = world.blobs.usage();
    assert_eq!(usage.blobs, world.files().len());
}
