use std::sync::Arc;
use std::time::Duration;

use berth_progress::Nobody;
use berth_registry::{Authority, Condition, Content, Grace, RegistryError, UploadError};
use berth_spec::Digest;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::delays::milliseconds;
use super::patient::push_in_chunks;
use super::{end, in_memory, on_disk, threads};
use crate::contents::{CONFIG, HERE, LAYER, OTHER, THERE, UNUSED, digest, image, tags};
use crate::folder::Folder;
use crate::manifest;
use crate::process::{Process, later};
use crate::scenario::Outcome;

/// How many do something at the same time, and how often.
const ACTORS: u64 = 6;
const OPERATIONS: usize = 8;

async fn do_anything(process: Arc<Process>, seed: u64) {
    let mut actors = JoinSet::new();
    for actor in 0..ACTORS {
        actors.spawn(act(Arc::clone(&process), seed * ACTORS + actor));
    }
    while let Some(ended) = actors.join_next().await {
        ended.unwrap();
    }
    end(&process).await;
    // Nothing is so broken that it cannot be pushed again.
    process.push(&HERE, &[CONFIG, LAYER]).await;
    let image = image(CONFIG, &[LAYER]);
    process.push_image(&HERE, image, &tags(["latest"])).await;
    end(&process).await;
}

async fn act(process: Arc<Process>, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    for _ in 0..OPERATIONS {
        // Some go away before they have the answer.
        let patience = milliseconds(random.random_range(1..400));
        let operation = timeout(patience, operate(&process, &mut random));
        if let Ok(Err(error)) = operation.await {
            assert_is_allowed(&*error);
        }
    }
}

async fn operate(process: &Process, random: &mut SmallRng) -> Outcome {
    let registry = &process.registry;
    let content = *[CONFIG, LAYER, OTHER, UNUSED].choose(random).unwrap();
    let digest = digest(content);
    let (one, other) = match random.random() {
        true => (&*HERE, &*THERE),
        false => (&*THERE, &*HERE),
    };
    let image = image(CONFIG, &[[LAYER, OTHER].choose(random).unwrap()]);
    match random.random_range(0..12) {
        0..2 => {
            let content = Content::from_bytes(content);
            registry.push_blob(one, &digest, content).await?;
        }
        2..4 => push_in_chunks(process, one, content, random).await?,
        4 => drop(registry.mount_blob(one, Some(other), &digest).await?),
        5 => drop(registry.blob(one, &digest).await?),
        6..8 => {
            let tags = tags(["latest", "other"]);
            manifest::push(process, &HERE, image, &tags).await?;
        }
        8 => {
            let manifest = Digest::sha256(&image).into();
            let always = Condition::default();
            let authority = Authority::Ordinary;
            let deleted = registry.delete_manifest(&HERE, &manifest, &always, authority);
            deleted.await?;
        }
        9 => {
            // The owner of an image could break it: no image is there, and none needs this blob here.
            let (repository, digest) = match random.random() {
                true => (&*THERE, digest),
                false => (&*HERE, crate::contents::digest(UNUSED)),
            };
            let always = Condition::default();
            registry.delete_blob(repository, &digest, &always).await?;
        }
        10 => {
            let (at_once, now) = (Grace(Duration::ZERO), later(1));
            process.collector.collect(at_once, now, &Nobody).await?;
        }
        _ => {
            process.collector.sweep(true, &Nobody).await?;
            registry.expire_uploads(later(2)).await?;
            registry.remove_orphaned_uploads().await?;
        }
    }
    Ok(())
}

/// What a client may be told when others delete what it needs, and end its session.
fn assert_is_allowed(error: &(dyn std::error::Error + 'static)) {
    let error = error.downcast_ref().unwrap_or_else(|| panic!("{error}"));
    let is_allowed = matches!(
        error,
        RegistryError::RepositoryUnknown(_)
            | RegistryError::ManifestUnknown { .. }
            | RegistryError::BlobUnknown { .. }
            | RegistryError::ReferencesUnknown { .. }
            | RegistryError::Upload(UploadError::Unknown(_) | UploadError::Busy(_))
    );
    assert!(is_allowed, "{error}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_broken_whatever_goes_on_in_memory() {
    for seed in 0..400 {
        println!("seed {seed}");
        do_anything(in_memory(seed), seed).await;
    }
}

#[test]
fn nothing_is_broken_whatever_goes_on_on_disk() {
    for seed in 0..8 {
        println!("seed {seed}");
        let folder = Folder::new();
        threads().block_on(async { do_anything(on_disk(&folder, seed), seed).await });
    }
}
