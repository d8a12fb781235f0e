//! Backups while others push and delete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_backup::Backup;
use berth_blob::{BlobGuards, BlobStore};
use berth_metadata::{CollectionStore, MetadataStore};
use berth_spec::Digest;
use berth_verify::Nobody;

use crate::world::{World, image, open_and_verify, push_image, repository, tags};

/// Pushes images and deletes older ones, with all that they alone need, as a registry with garbage
/// collection does: records go before bytes, and only what nobody keeps.
async fn push_and_delete(world: &World, guards: &BlobGuards, stopped: &AtomicBool) -> u32 {
    let name = repository("busy");
    let mut number = 0;
    while !stopped.load(Ordering::Relaxed) {
        let layer = format!("layer {number}").into_bytes();
        let tag = format!("tag-{number}");
        {
            let _publishing = guards.publishing(&Digest::sha256(&layer)).await;
            push_image(&world.metadata, &world.blobs, "busy", &tag, &layer).await;
        }
        if number >= 3 {
            let layer = format!("layer {}", number - 3).into_bytes();
            let old = image(&layer, "unused");
            let deleted = world.metadata.delete_manifest(&name, &old.digest).await;
            assert!(deleted.unwrap());
            delete_blob(world, guards, &Digest::sha256(&layer)).await;
        }
        number += 1;
    }
    number
}

async fn delete_blob(world: &World, guards: &BlobGuards, digest: &Digest) {
    let Some(_removing) = guards.removing(digest) else {
        return;
    };
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let digests = std::slice::from_ref(digest);
    let metadata = &world.metadata;
    let condemned = metadata.condemn_blobs(digests, later).await.unwrap();
    assert_eq!(condemned.len(), 1);
    let forgotten = metadata.forget_blobs(digests, later, later).await.unwrap();
    assert_eq!(forgotten.len(), 1);
    let names = [digest.into()];
    assert_eq!(world.blobs.delete(&names).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_of_one_moment_whatever_is_pushed_and_deleted() {
    let world = Arc::new(World::new());
    let (guards, stopped) = (BlobGuards::default(), Arc::new(AtomicBool::new(false)));
    let writing = {
        let (world, guards) = (Arc::clone(&world), guards.clone());
        let stopped = Arc::clone(&stopped);
        tokio::spawn(async move { push_and_delete(&world, &guards, &stopped).await })
    };
    let mut seen = Vec::new();
    for number in 0..5 {
        while tags(&world.metadata, "busy").await.is_empty() {
            tokio::task::yield_now().await;
        }
        // Some into the folder of the one before, others into a new one.
        let backup = world.path(&format!("backup-{}", number / 2));
        let kept = guards.keeping_all().await;
        let how = Backup::default();
        let backing_up = how.run(&world.metadata, &world.blobs, &kept, &backup, &Nobody);
        let report = backing_up.await.unwrap();
        drop(kept);
        assert!(report.is_sound(), "{report}");

        let restored = format!("restored-{number}");
        let report = world
            .try_restore(&format!("backup-{}", number / 2), &restored)
            .await;
        let report = report.unwrap();
        assert!(report.is_sound(), "{report}");
        let metadata = open_and_verify(&world.path(&restored)).await;
        let tags = tags(&metadata, "busy").await;
        assert_eq!(tags.len() as u64, report.manifests);
        assert!((1..=4).contains(&tags.len()), "{tags:?}");
        seen.push(tags);
    }
    stopped.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 3);
    seen.dedup();
    assert!(seen.len() > 1, "nothing changed meanwhile");
}
