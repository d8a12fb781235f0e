//! Every implementation keeps the contract.
#![allow(clippy::unwrap_used)]

use berth_blob::{FilesystemBlobs, MemoryBlobs, contract};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filesystem() {
    let folder = tempfile::tempdir().unwrap();
    contract::blob_store(&FilesystemBlobs::open(folder.path()).unwrap()).await;
}

#[tokio::test]
async fn memory() {
    contract::blob_store(&MemoryBlobs::default()).await;
}

#[tokio::test]
async fn memory_with_generations() {
    contract::blob_store(&MemoryBlobs::with_generations()).await;
}

#[tokio::test]
async fn memory_with_fences() {
    let blobs = MemoryBlobs::default();
    contract::fenced_staging(&blobs, &blobs).await;
}
