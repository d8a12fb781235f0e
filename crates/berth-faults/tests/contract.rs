//! Without a fault, the wrappers keep the contracts of what they wrap.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use berth_blob::{FilesystemBlobs, MemoryBlobs};
use berth_faults::{Faults, FaultyBlobs, FaultyMetadata};
use berth_metadata::{MemoryMetadata, SqliteMetadata};

fn blobs<B>(blobs: B) -> FaultyBlobs<B> {
    FaultyBlobs::new(Arc::new(blobs), Faults::none())
}

fn metadata<M>(metadata: M) -> FaultyMetadata<M> {
    FaultyMetadata::new(Arc::new(metadata), Faults::none())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_keep_their_contract() {
    let folder = tempfile::tempdir().unwrap();
    let files = FilesystemBlobs::open(folder.path()).unwrap();
    berth_blob::contract::blob_store(&blobs(files)).await;
    berth_blob::contract::blob_store(&blobs(MemoryBlobs::default())).await;
}

#[tokio::test]
async fn metadata_keeps_its_contracts() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name| SqliteMetadata::open(&folder.path().join(name)).unwrap();
    let [first, second] = ["first.sqlite3", "second.sqlite3"].map(open);
    berth_metadata::contract::metadata_store(&metadata(first)).await;
    berth_metadata::contract::collected_store(&metadata(second)).await;
    let [first, second] = [MemoryMetadata::default(), MemoryMetadata::default()];
    berth_metadata::contract::metadata_store(&metadata(first)).await;
    berth_metadata::contract::collected_store(&metadata(second)).await;
}
