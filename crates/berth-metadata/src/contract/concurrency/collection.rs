use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use berth_spec::{Digest, RepositoryName};
use tokio::task::{JoinSet, yield_now};

use super::{of, repositories};
use crate::contract::{Collected, blob, manifest, repository};
use crate::{NewManifest, PutManifest, Scope, Usage};

/// How many blobs everybody pushes.
const BLOBS: usize = 12;

/// How many push, each into one repository.
const PUSHERS: usize = 8;

/// How many manifests each of them pushes.
const PUSHES: usize = 25;

/// Many push manifests of the same few blobs, and delete some of them, while others take away all blobs that nothing needs at that moment,
/// without any grace.
///
/// # Panics
/// When a manifest that is stored has lost a blob, or what is counted in the end is wrong.
pub async fn nothing_that_is_pushed_is_collected(openings: &[Arc<dyn Collected>]) {
    let is_over = Arc::new(AtomicBool::new(false));
    let forgotten = Arc::new(AtomicUsize::new(0));
    let mut collectors = JoinSet::new();
    for number in 0..2 {
        let (store, is_over) = (of(openings, number), Arc::clone(&is_over));
        let forgotten = Arc::clone(&forgotten);
        collectors.spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                let count = collect(&*store).await;
                forgotten.fetch_add(count, Ordering::SeqCst);
                // A store in memory never waits by itself, and pushers should come to something meanwhile.
                for _ in 0..20 {
                    yield_now().await;
                }
            }
        });
    }
    let mut pushers = JoinSet::new();
    for number in 0..PUSHERS {
        let (store, other) = (of(openings, number), of(openings, number + 1));
        pushers.spawn(async move { push_all(&*store, &*other, number).await });
    }
    let stored: usize = pushers.join_all().await.into_iter().sum();
    is_over.store(true, Ordering::SeqCst);
    collectors.join_all().await;
    assert!(stored > 0, "no push has succeeded");
    assert!(
        forgotten.load(Ordering::SeqCst) > 0,
        "nothing was collected: the test proves nothing"
    );
    assert_none_needs_the_condemned(&*openings[0]).await;
    collect(&*openings[0]).await;
    assert_counted(&*openings[0]).await;
}

/// As late as can be: so every link is old.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

/// Takes away what nothing needs. Answers how many blobs.
async fn collect(store: &dyn Collected) -> usize {
    let unused = store.unused_blobs(None, later(), 100).await.unwrap();
    let digests: Vec<Digest> = unused.blobs.into_iter().map(|blob| blob.digest).collect();
    store.condemn_blobs(&digests, later()).await.unwrap();
    let condemned = store.condemned_blobs(None, later(), 100).await.unwrap();
    let digests: Vec<Digest> = condemned.into_iter().map(|blob| blob.digest).collect();
    let forgotten = store.forget_blobs(&digests, later(), later()).await;
    forgotten.unwrap().len()
}

/// Answers how many manifests were stored.
async fn push_all(store: &dyn Collected, other: &dyn Collected, pusher: usize) -> usize {
    let here = &repositories()[pusher % 4];
    let mut stored = 0;
    for push in 0..PUSHES {
        // Which blobs, and how they come: different each time.
        let layers = [pusher + push, pusher + 2 * push + 1];
        let layers = layers.map(|layer| blob(&format!("layer {}", layer % BLOBS)));
        for layer in &layers {
            bring(store, here, &layer.digest, push).await;
            yield_now().await;
            if !push.is_multiple_of(3) {
                store.link_blob(here, layer, None).await.unwrap();
            }
        }
        yield_now().await;
        let image = NewManifest {
            required_blobs: layers.iter().map(|layer| layer.digest.clone()).collect(),
            ..manifest(&format!("image {pusher} {push}"))
        };
        match store.put_manifest(here, &image).await.unwrap() {
            PutManifest::Stored => stored += 1,
            // It was taken away between: that is told.
            PutManifest::Missing(_) => continue,
            PutManifest::Refused => panic!("there was no condition"),
        }
        assert_whole(other, here, &image).await;
        // Only the last is kept, or nothing would ever be unused again.
        if push + 1 < PUSHES {
            let deleted = store.delete_manifest(here, &image.digest).await;
            assert!(deleted.unwrap());
        }
    }
    stored
}

/// What clients do before they upload: they ask for the blob, or mount it.
async fn bring(store: &dyn Collected, here: &RepositoryName, digest: &Digest, push: usize) {
    match push % 2 {
        0 => drop(store.promise_blob(here, digest, later()).await.unwrap()),
        _ => drop(store.mount_blob(here, None, digest).await.unwrap()),
    }
}

async fn assert_whole(store: &dyn Collected, here: &RepositoryName, image: &NewManifest) {
    let linked = store.manifest_blobs(here, &image.digest).await.unwrap();
    let mut linked: Vec<Digest> = linked.into_iter().map(|blob| blob.digest).collect();
    let mut required = image.required_blobs.clone();
    for digests in [&mut linked, &mut required] {
        digests.sort();
        digests.dedup();
    }
    assert_eq!(linked, required);
    for digest in &required {
        assert!(store.blob(here, digest).await.unwrap().is_some());
    }
}

async fn assert_none_needs_the_condemned(store: &dyn Collected) {
    for condemned in store.condemned_blobs(None, later(), 100).await.unwrap() {
        let references = store.blob_references(&condemned.digest).await;
        assert_eq!(references.unwrap(), 0, "{}", condemned.digest);
    }
}

/// Every manifest that is left is whole, and what each repository holds is what it is recorded with.
async fn assert_counted(store: &dyn Collected) {
    let mut team = Usage::default();
    for here in repositories() {
        let contents = store.repository_contents(&here).await.unwrap();
        let contents = contents.unwrap_or_default();
        let mut bytes = 0;
        for entry in &contents.manifests {
            let linked = store.manifest_blobs(&here, &entry.digest).await.unwrap();
            assert!(!linked.is_empty(), "{} has lost its blobs", entry.digest);
            bytes += entry.size;
        }
        for layer in (0..BLOBS).map(|number| blob(&format!("layer {number}"))) {
            let linked = store.blob(&here, &layer.digest).await.unwrap();
            bytes += linked.map_or(0, |layer| layer.size);
        }
        let usage = Usage {
            bytes,
            tags: contents.tags.len() as u64,
        };
        let scope = Scope::Repository(here.clone());
        assert_eq!(store.usage(&scope).await.unwrap(), usage, "{here}");
        if Scope::Namespace(repository("team")).contains(&here) {
            team.bytes += usage.bytes;
            team.tags += usage.tags;
        }
    }
    let scope = Scope::Namespace(repository("team"));
    assert_eq!(store.usage(&scope).await.unwrap(), team);
}

/// Many push into repositories of nested namespaces, which are counted for the first time meanwhile.
///
/// # Panics
/// When what is counted is wrong in the end.
pub async fn what_is_counted_is_true(openings: &[Arc<dyn Collected>]) {
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let store = of(openings, number);
        tasks.spawn(async move {
            let here = &repositories()[number % 4];
            let layer = blob(&format!("layer {}", number % BLOBS));
            store.link_blob(here, &layer, None).await.unwrap();
            let image = NewManifest {
                tags: vec![crate::contract::tag(&format!("t{number}"))],
                required_blobs: vec![layer.digest],
                ..manifest(&format!("image {number}"))
            };
            let put = store.put_manifest(here, &image).await.unwrap();
            assert_eq!(put, PutManifest::Stored);
            if number % 4 == 1 {
                let namespace = Scope::Namespace(here.clone());
                store.usage(&namespace).await.unwrap();
                let deleted = store.delete_manifest(here, &image.digest).await;
                assert!(deleted.unwrap());
            }
            if number % 8 == 0 {
                let namespace = Scope::Namespace(repository("team"));
                store.usage(&namespace).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    for store in openings {
        assert_counted(&**store).await;
    }
}
