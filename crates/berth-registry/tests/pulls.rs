//! Through which store clients pull blobs.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use berth_registry::{BlobStore, Content, MemoryBlobs, MemoryMetadata, Registry, Settings};
use berth_spec::{BlobName, Digest, RepositoryName};

/// Whoever asks whether something is there is answered from where it is stored.
#[tokio::test]
async fn only_bytes_are_pulled_through_another_store() {
    let store = Arc::new(MemoryBlobs::default());
    let metadata = Arc::new(MemoryMetadata::default());
    let registry = Registry::new(metadata, store.clone(), Settings::default());
    let repository: RepositoryName = "team/app".parse().unwrap();
    let digest = Digest::sha256(b"cached");
    let pushed = registry.push_blob(&repository, &digest, Content::from_bytes("cached"));
    pushed.await.unwrap();
    let cache = Arc::new(MemoryBlobs::default());
    let registry = registry.pulling_through(cache.clone());
    // It is not in the other one, and a pull is.
    assert_eq!(registry.blob(&repository, &digest).await.unwrap().size, 6);
    assert!(registry.pull_blob(&repository, &digest).await.is_err());
    let elsewhere: RepositoryName = "team/other".parse().unwrap();
    let mounted = registry.mount_blob(&elsewhere, Some(&repository), &digest);
    assert!(mounted.await.unwrap().is_some());
    // Bytes that only the other one has are pulled, and are not there for anything else.
    let copy = Registry::new(
        Arc::new(MemoryMetadata::default()),
        cache,
        Settings::default(),
    );
    let pushed = copy.push_blob(&repository, &digest, Content::from_bytes("cached"));
    pushed.await.unwrap();
    store.delete(&[BlobName::from(&digest)]).await.unwrap();
    assert!(registry.pull_blob(&repository, &digest).await.is_ok());
    assert!(registry.blob(&repository, &digest).await.is_err());
}
