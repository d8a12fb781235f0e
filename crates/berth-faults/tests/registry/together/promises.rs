use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use berth_progress::Nobody;
use berth_registry::{Authority, Condition, Content, Grace, RegistryError};
use berth_spec::Digest;
use futures_util::TryStreamExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::{end, in_memory, on_disk, threads};
use crate::contents::{CONFIG, HERE, LAYER, OTHER, THERE, digest, image_by};
use crate::folder::Folder;
use crate::manifest;
use crate::process::{Process, later};

const GRACE: Grace = Grace(Duration::from_secs(3600));

/// Between what was there before and what clients do: longer than any collection takes here, because its
/// time goes on while it works.
const PAUSE: Duration = Duration::from_secs(2);

/// Makes blobs that nothing needs, in all the states that a collection may find them in.
async fn prepare(process: &Process, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    for content in [CONFIG, LAYER, OTHER] {
        let digest = digest(content);
        let state = random.random_range(0..6);
        let repository = match state {
            0 => continue,
            1 | 2 => &*HERE,
            _ => &*THERE,
        };
        process.push(repository, &[content]).await;
        let metadata = &process.stored.metadata;
        if state > 3 {
            let unlinked = metadata.unlink_blob(repository, &digest).await;
            assert!(unlinked.unwrap());
        }
        if state > 1 {
            process.condemn(&[content]).await;
        }
        if state == 5 {
            let digests = [digest];
            let forgotten = metadata.forget_blobs(&digests, later(1), later(1)).await;
            assert_eq!(forgotten.unwrap().len(), 1);
        }
    }
}

/// The time at which all that was linked and condemned until now may be deleted, and nothing that is
/// linked a pause later.
fn when_that_is_old() -> SystemTime {
    let all_of_the_past = SystemTime::now();
    let age = all_of_the_past.duration_since(GRACE.unused_since(all_of_the_past));
    all_of_the_past + age.unwrap()
}

async fn push_and_collect(process: Arc<Process>, seed: u64, now: SystemTime) {
    let mut collectors = JoinSet::new();
    for _ in 0..2 {
        collectors.spawn(collect(Arc::clone(&process), now));
    }
    let mut clients = JoinSet::new();
    for client in 0..4 {
        clients.spawn(push_images(Arc::clone(&process), seed * 4 + client));
    }
    let mut acknowledged = BTreeSet::new();
    while let Some(images) = clients.join_next().await {
        acknowledged.extend(images.unwrap());
    }
    while let Some(ended) = collectors.join_next().await {
        ended.unwrap();
    }
    assert_eq!(end(&process).await[&*HERE].manifests, acknowledged);
}

async fn collect(process: Arc<Process>, now: SystemTime) {
    for _ in 0..3 {
        let collected = process.collector.collect(GRACE, now, &Nobody).await;
        collected.unwrap();
        process.collector.sweep(true, &Nobody).await.unwrap();
    }
}

/// Pushes images as clients do, and deletes some. Answers those that stay.
async fn push_images(process: Arc<Process>, seed: u64) -> BTreeSet<Digest> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut pushed = BTreeSet::new();
    for _ in 0..2 {
        let layer = *[LAYER, OTHER].choose(&mut random).unwrap();
        for content in [CONFIG, layer] {
            obtain(&process, content).await;
        }
        let image = image_by(&seed.to_string(), CONFIG, &[layer]);
        let digest = Digest::sha256(&image);
        // What the registry said is there must be there.
        manifest::push(&process, &HERE, image, &[]).await.unwrap();
        for content in [CONFIG, layer] {
            assert_is_served(&process, content).await;
        }
        pushed.insert(digest.clone());
        if random.random() {
            let (registry, always) = (&process.registry, Condition::default());
            let reference = digest.clone().into();
            let deleted = registry.delete_manifest(&HERE, &reference, &always, Authority::Ordinary);
            deleted.await.unwrap();
            pushed.remove(&digest);
        }
    }
    pushed
}

/// Has the registry say that a blob is here: it may be here already, or elsewhere, or is pushed.
async fn obtain(process: &Process, content: &'static str) {
    let (registry, digest) = (&process.registry, digest(content));
    match registry.blob(&HERE, &digest).await {
        Ok(_) => return,
        Err(RegistryError::BlobUnknown { .. } | RegistryError::RepositoryUnknown(_)) => {}
        Err(error) => panic!("{error}"),
    }
    let mounted = registry.mount_blob(&HERE, None, &digest).await.unwrap();
    if mounted.is_none() {
        let content = Content::from_bytes(content);
        registry.push_blob(&HERE, &digest, content).await.unwrap();
    }
}

async fn assert_is_served(process: &Process, content: &str) {
    let opened = process.registry.open_blob(&HERE, &digest(content)).await;
    let reader = opened.unwrap();
    let size = reader.size();
    let pieces: Vec<_> = reader.read(0..size).try_collect().await.unwrap();
    assert_eq!(pieces.concat(), content.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_said_is_there_stays_in_memory() {
    let mut prepared = Vec::new();
    for seed in 0..400 {
        let process = in_memory(seed);
        prepare(&process, seed).await;
        prepared.push((seed, process));
    }
    let now = when_that_is_old();
    sleep(PAUSE);
    for (seed, process) in prepared {
        println!("seed {seed}");
        push_and_collect(process, seed, now).await;
    }
}

#[test]
fn what_the_registry_said_is_there_stays_on_disk() {
    let threads = threads();
    threads.block_on(async {
        let mut prepared = Vec::new();
        for seed in 0..8 {
            let folder = Folder::new();
            let process = on_disk(&folder, seed);
            prepare(&process, seed).await;
            prepared.push((seed, folder, process));
        }
        let now = when_that_is_old();
        tokio::time::sleep(PAUSE).await;
        for (seed, _folder, process) in prepared {
            println!("seed {seed}");
            push_and_collect(process, seed, now).await;
        }
    });
}
