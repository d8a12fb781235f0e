use std::sync::Arc;

use berth_blob::contract::{OpenBlobs, a_damaged_blob_is_not_read_to_its_end, all_but_damage};
use berth_blob::{FilesystemBlobs, MemoryBlobs};
use berth_cache::{CacheSettings, CachedBlobs};

use crate::{ROOM, settled};

async fn contract(blobs: &CachedBlobs) {
    all_but_damage(blobs, OpenBlobs::Kept).await;
    // While what is being filled takes all of the room, other blobs are read from below, where nobody checks them.
    settled(blobs).await;
    a_damaged_blob_is_not_read_to_its_end(blobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_memory() {
    let folder = tempfile::tempdir().unwrap();
    let below = Arc::new(MemoryBlobs::default());
    let settings = CacheSettings::with_limit(ROOM);
    let blobs = CachedBlobs::open(below, folder.path(), settings).unwrap();
    contract(&blobs).await;
}

/// Each publication has a name of its own there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_memory_with_generations() {
    let folder = tempfile::tempdir().unwrap();
    let below = Arc::new(MemoryBlobs::with_generations());
    let settings = CacheSettings::with_limit(ROOM);
    let blobs = CachedBlobs::open(below, folder.path(), settings).unwrap();
    contract(&blobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_folder() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let below = Arc::new(FilesystemBlobs::open(folder.path()).unwrap());
    let settings = CacheSettings::with_limit(ROOM);
    let blobs = CachedBlobs::open(below, cache.path(), settings).unwrap();
    contract(&blobs).await;
}

/// With room for less than most blobs of the suite.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_small_folder() {
    let folder = tempfile::tempdir().unwrap();
    let below = Arc::new(MemoryBlobs::default());
    let settings = CacheSettings::with_limit(300_000);
    let blobs = CachedBlobs::open(below, folder.path(), settings).unwrap();
    contract(&blobs).await;
    assert!(blobs.usage().kept <= 300_000);
}
