//! Registries whose blobs have names that are used once, as in a bucket.

use berth_backup::Backup;
use berth_blob::{BlobGuards, BlobStore, MemoryBlobs};
use berth_metadata::{InspectionStore, SqliteMetadata};
use berth_spec::Digest;

use crate::world::{Problems, World, open_and_verify, publish, push_image, tags};

#[tokio::test]
async fn a_backup_has_the_bytes_that_are_meant_under_plain_names() {
    let world = World::new();
    let blobs = MemoryBlobs::with_generations();
    for (tag, layer) in [("1", b"one"), ("2", b"two")] {
        push_image(&world.metadata, &blobs, "a", tag, layer).await;
        // Bytes that nothing means must not come into the backup.
        publish(&blobs, &Digest::sha256(layer), b"other bytes").await;
        let (problems, kept) = (
            Problems::default(),
            BlobGuards::default().keeping_all().await,
        );
        let (how, destination) = (Backup::default(), world.path("backup"));
        let backup = how.run(&world.metadata, &blobs, &kept, &destination, &problems);
        assert_eq!(backup.await.unwrap().problems, 0);
    }
    let recorded = world.metadata.blobs(None, 10).await.unwrap();
    assert!(recorded.iter().all(|blob| blob.generation.is_some()));
    let copied = SqliteMetadata::open(&world.path("backup/metadata.sqlite3")).unwrap();
    let copied_blobs = copied.blobs(None, 10).await.unwrap();
    assert_eq!(copied_blobs.len(), recorded.len());
    assert!(copied_blobs.iter().all(|blob| blob.generation.is_none()));
    drop(copied);
    assert!(world.restore("restored").await.0.is_sound());
    let restored = open_and_verify(&world.path("restored")).await;
    assert_eq!(tags(&restored, "a").await, ["1", "2"]);
    for blob in &recorded {
        assert!(blobs.open(&blob.name()).await.unwrap().is_some());
    }
}
