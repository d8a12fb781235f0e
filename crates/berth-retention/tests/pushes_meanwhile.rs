//! Pushes go on while retention deletes.
#![allow(clippy::unwrap_used, clippy::panic)]

mod store;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use berth_metadata::{MemoryMetadata, NewManifest, PutManifest};
use berth_progress::Nobody;
use berth_retention::{Mode, Retention};
use berth_spec::{Digest, media_types};
use store::{Store, image, repository, sqlite};

const PUSHERS: usize = 3;
const PUSHES: usize = 200;
const ROUNDS: usize = 50;
const TAGS: usize = 40;
// Few, so that what is pushed is often there already, and about to go.
const IMAGES: usize = 6;

/// The `number`th index, of two images that other indexes have too.
fn index(number: usize) -> NewManifest {
    let children = [number, number + 1].map(|child| image(&format!("image {}", child % IMAGES)));
    NewManifest {
        media_type: media_types::OCI_IMAGE_INDEX.parse().unwrap(),
        required_manifests: children.map(|child| child.digest).into(),
        ..image(&format!("index {number}"))
    }
}

/// Pushes an index as a client does: its images first, and again if one is said to be missing.
async fn push(metadata: &dyn Store, number: usize, tag: usize) {
    let repository = repository("team/app");
    let tagged = NewManifest {
        tags: vec![format!("t{tag}").parse().unwrap()],
        ..index(number % IMAGES)
    };
    loop {
        for child in [number, number + 1] {
            let child = image(&format!("image {}", child % IMAGES));
            store::put(metadata, &repository, &child).await;
        }
        tokio::task::yield_now().await;
        match metadata.put_manifest(&repository, &tagged).await.unwrap() {
            PutManifest::Stored => return,
            PutManifest::Missing(_) => {}
            PutManifest::Refused => panic!("there is no condition"),
        }
    }
}

async fn what_is_tagged_is_whole(metadata: &dyn Store) {
    let contents = metadata.repository_contents(&repository("team/app")).await;
    let contents = contents.unwrap().unwrap();
    let present: BTreeSet<&Digest> = contents
        .manifests
        .iter()
        .map(|entry| &entry.digest)
        .collect();
    assert!(
        contents
            .tags
            .iter()
            .all(|entry| present.contains(&entry.digest))
    );
    for manifest in &contents.manifests {
        assert!(
            manifest
                .children
                .iter()
                .all(|child| present.contains(child))
        );
    }
}

async fn tags_stay_whole(metadata: Arc<dyn Store>) {
    let rule = "tags = [\"*\"]\nkeep_newest = 1\nuntagged_after = \"1s\"";
    let rules = vec![toml::from_str(rule).unwrap()];
    let retention = Retention::new(rules, Duration::ZERO).unwrap();
    push(&*metadata, 0, 0).await;
    let pushed = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|pusher| {
            let (metadata, pushed) = (Arc::clone(&metadata), Arc::clone(&pushed));
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    push(&*metadata, number + pusher, (number + pusher) % TAGS).await;
                    pushed.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let (mut tags, mut manifests, mut rounds) = (0, 0, 0);
    while rounds < ROUNDS || pushed.load(Ordering::SeqCst) < PUSHES {
        rounds += 1;
        // By then, nothing has been used lately.
        let later = SystemTime::now() + Duration::from_secs(60);
        let run = retention.run(&*metadata, &Nobody, &|_| {}, Mode::Apply, later);
        let report = run.await.unwrap();
        tags += report.tags;
        manifests += report.manifests;
        what_is_tagged_is_whole(&*metadata).await;
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::SeqCst);
    for pusher in pushers {
        pusher.await.unwrap();
    }
    what_is_tagged_is_whole(&*metadata).await;
    assert!(tags > 0 && manifests > 0, "nothing went meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tags_stay_whole_in_sqlite() {
    let (sqlite, _folder) = sqlite();
    tags_stay_whole(Arc::new(sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tags_stay_whole_in_memory() {
    tags_stay_whole(Arc::new(MemoryMetadata::default())).await;
}
