//! Every implementation keeps the contract.
#![allow(clippy::unwrap_used)]

use berth_metadata::{MemoryMetadata, SqliteMetadata, contract};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    contract::metadata_store(&store).await;
}

#[tokio::test]
async fn memory() {
    contract::metadata_store(&MemoryMetadata::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_can_be_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    contract::inspection_store(&store).await;
}

#[tokio::test]
async fn memory_can_be_inspected() {
    contract::inspection_store(&MemoryMetadata::default()).await;
}
