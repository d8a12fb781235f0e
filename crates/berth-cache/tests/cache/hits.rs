use std::io::Read;

use berth_spec::{BlobName, Digest, Generation};

use crate::{World, noise, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_is_read_from_below_once() {
    let world = World::new();
    let content = noise(1, 1_000_000);
    let name = world.publish(&content).await;
    assert!(world.read(&name).await.unwrap() == content);
    world.kept(&name).await;
    for _ in 0..3 {
        assert!(world.read(&name).await.unwrap() == content);
    }
    // A hit asks nothing below, not even whether it is there.
    assert_eq!((world.below.opens(), world.below.reads()), (1, 1));
    assert_eq!(world.blobs.usage().kept, 1_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hit_has_a_file_and_a_miss_has_none() {
    let world = World::new();
    let content = noise(1, 500_000);
    let name = world.publish(&content).await;
    assert!(world.open(&name).await.file().is_none());
    world.read(&name).await.unwrap();
    world.kept(&name).await;
    let file = world.open(&name).await.file().unwrap();
    let mut bytes = Vec::new();
    (&*file).read_to_end(&mut bytes).unwrap();
    assert!(bytes == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_comes_from_below_until_the_blob_is_kept() {
    let world = World::new();
    let content = noise(2, 1_000_000);
    let name = world.publish(&content).await;
    let part = world.open(&name).await.read(300_000..700_000);
    assert!(whole(part).await.unwrap() == content[300_000..700_000]);
    world.settled().await;
    assert!(world.files().is_empty());
    world.read(&name).await.unwrap();
    world.kept(&name).await;
    let reads = world.below.reads();
    for range in [0..0, 0..1, 999_999..1_000_000, 262_143..786_433] {
        let part = world.open(&name).await.read(range.clone());
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert!(whole(part).await.unwrap() == content[range]);
    }
    assert_eq!(world.below.reads(), reads);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_empty_blob_is_cached_too() {
    let world = World::new();
    let name = world.publish(b"").await;
    assert_eq!(world.read(&name).await.unwrap(), b"");
    world.kept(&name).await;
    assert_eq!(world.read(&name).await.unwrap(), b"");
    assert_eq!(world.below.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_digest_is_cached_once_whatever_its_generations() {
    let world = World::new();
    let content = noise(3, 1000);
    let name = world.publish(&content).await;
    world.read(&name).await.unwrap();
    world.kept(&name).await;
    let other = BlobName {
        generation: Some(Generation::random()),
        ..name
    };
    assert!(world.read(&other).await.unwrap() == content);
    assert_eq!(world.below.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_not_cached() {
    use berth_blob::BlobStore;

    let world = World::new();
    let nowhere = BlobName::from(Digest::sha256(b"nowhere"));
    assert!(world.blobs.open(&nowhere).await.unwrap().is_none());
    let name = world.publish(b"nowhere").await;
    assert_eq!(name, nowhere);
    assert_eq!(world.read(&name).await.unwrap(), b"nowhere");
}
