use std::thread::sleep;
use std::time::{Duration, SystemTime};

use berth_spec::{Digest, RepositoryName};

use super::{Collected, blob, manifest, put, repository};
use crate::{Blob, NewManifest};

/// Before anything was linked.
const NEVER: SystemTime = SystemTime::UNIX_EPOCH;

/// After everything that was linked.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

/// A manifest that needs one blob.
fn needing(content: &str, layer: &Blob) -> NewManifest {
    NewManifest {
        required_blobs: vec![layer.digest.clone()],
        ..manifest(content)
    }
}

async fn is_unused(store: &dyn Collected, digest: &Digest, unused_since: SystemTime) -> bool {
    let unused = store.unused_blobs(None, unused_since, 10_000).await;
    let mut unused = unused.unwrap().blobs.into_iter();
    unused.any(|blob| blob.digest == *digest)
}

async fn is_condemned(store: &dyn Collected, digest: &Digest, before: SystemTime) -> bool {
    let condemned = store.condemned_blobs(None, before, 10_000).await.unwrap();
    condemned.iter().any(|blob| blob.digest == *digest)
}

/// Links a blob and condemns it.
async fn condemn(store: &dyn Collected, here: &RepositoryName, layer: &Blob) {
    store.link_blob(here, layer, None).await.unwrap();
    let digests = [layer.digest.clone()];
    let condemned = store.condemn_blobs(&digests, later()).await.unwrap();
    assert_eq!(condemned, std::slice::from_ref(layer));
    assert!(is_condemned(store, &layer.digest, later()).await);
}

async fn forget(store: &dyn Collected, layer: &Blob) -> Vec<Blob> {
    let digests = [layer.digest.clone()];
    let forgotten = store.forget_blobs(&digests, later(), later()).await;
    forgotten.unwrap()
}

pub(super) async fn what_a_manifest_or_a_new_link_needs_is_not_unused(store: &dyn Collected) {
    let [here, elsewhere] = ["unused/here", "unused/elsewhere"].map(repository);
    let layer = blob("unused or not");
    store.link_blob(&here, &layer, None).await.unwrap();
    store
        .mount_blob(&elsewhere, None, &layer.digest)
        .await
        .unwrap();
    assert!(!is_unused(store, &layer.digest, NEVER).await);
    assert!(is_unused(store, &layer.digest, later()).await);

    let image = needing("of the unused or not", &layer);
    put(store, &here, &image).await;
    assert!(!is_unused(store, &layer.digest, later()).await);
    let digests = [layer.digest.clone()];
    assert_eq!(store.condemn_blobs(&digests, later()).await.unwrap(), []);
    store.delete_manifest(&here, &image.digest).await.unwrap();
    assert!(is_unused(store, &layer.digest, later()).await);

    store.unlink_blob(&here, &layer.digest).await.unwrap();
    assert!(!is_unused(store, &layer.digest, NEVER).await);
    store.unlink_blob(&elsewhere, &layer.digest).await.unwrap();
    assert!(is_unused(store, &layer.digest, NEVER).await);
}

pub(super) async fn the_condemned_can_be_read_until_forgotten(store: &dyn Collected) {
    let here = repository("condemned/here");
    let layer = blob("condemned");
    condemn(store, &here, &layer).await;
    assert!(!is_unused(store, &layer.digest, later()).await);
    let found = store.blob(&here, &layer.digest).await.unwrap();
    assert_eq!(found, Some(layer.clone()));
    let digests = [layer.digest.clone()];
    assert_eq!(store.condemn_blobs(&digests, later()).await.unwrap(), []);

    assert!(!is_condemned(store, &layer.digest, NEVER).await);
    let too_early = store.forget_blobs(&digests, NEVER, later()).await.unwrap();
    assert_eq!(too_early, []);
    let names = [layer.name()];
    assert!(store.unrecorded(&names).await.unwrap().is_empty());

    assert_eq!(forget(store, &layer).await, std::slice::from_ref(&layer));
    assert_eq!(store.blob(&here, &layer.digest).await.unwrap(), None);
    assert!(!is_condemned(store, &layer.digest, later()).await);
    let unrecorded = store.unrecorded(&names).await.unwrap();
    assert!(unrecorded.contains(&names[0]));
    assert_eq!(forget(store, &layer).await, []);

    // It comes back like any other.
    store.link_blob(&here, &layer, None).await.unwrap();
    let found = store.blob(&here, &layer.digest).await.unwrap();
    assert_eq!(found, Some(layer));
}

pub(super) async fn only_the_condemned_are_forgotten(store: &dyn Collected) {
    let here = repository("condemned/never");
    let layer = blob("never condemned");
    store.link_blob(&here, &layer, None).await.unwrap();
    assert_eq!(forget(store, &layer).await, []);
    assert!(store.blob(&here, &layer.digest).await.unwrap().is_some());
}

pub(super) async fn whoever_needs_a_condemned_blob_takes_it_back(store: &dyn Collected) {
    let [here, elsewhere] = ["back/here", "back/elsewhere"].map(repository);
    let linked = blob("back by a link");
    condemn(store, &here, &linked).await;
    store.link_blob(&elsewhere, &linked, None).await.unwrap();

    let mounted = blob("back by a mount");
    condemn(store, &here, &mounted).await;
    let mount = store.mount_blob(&elsewhere, Some(&here), &mounted.digest);
    assert_eq!(mount.await.unwrap(), Some(mounted.clone()));

    let promised = blob("back by a promise");
    condemn(store, &here, &promised).await;
    let promise = store.promise_blob(&here, &promised.digest, NEVER).await;
    assert_eq!(promise.unwrap(), Some(promised.clone()));

    let referred_to = blob("back by a manifest");
    condemn(store, &here, &referred_to).await;
    put(store, &here, &needing("needs it", &referred_to)).await;

    let optional = blob("back by a manifest that may lack it");
    condemn(store, &here, &optional).await;
    let image = NewManifest {
        optional_blobs: vec![optional.digest.clone()],
        ..manifest("may lack it")
    };
    put(store, &here, &image).await;

    for layer in [linked, mounted, promised, referred_to, optional] {
        assert!(!is_condemned(store, &layer.digest, later()).await);
        assert_eq!(forget(store, &layer).await, []);
        let found = store.blob(&here, &layer.digest).await.unwrap();
        assert_eq!(found, Some(layer));
    }
}

pub(super) async fn a_promise_renews_an_old_link_only(store: &dyn Collected) {
    let [here, elsewhere] = ["promise/here", "promise/elsewhere"].map(repository);
    let layer = blob("promised");
    let promise = store.promise_blob(&here, &layer.digest, later()).await;
    assert_eq!(promise.unwrap(), None);
    assert!(!store.has_repository(&here).await.unwrap());

    store.link_blob(&here, &layer, None).await.unwrap();
    let linked = SystemTime::now();
    // So that a link made after this is newer by the store's clock, too.
    sleep(Duration::from_millis(5));
    let promise = store.promise_blob(&here, &layer.digest, NEVER).await;
    assert_eq!(promise.unwrap(), Some(layer.clone()));
    assert!(is_unused(store, &layer.digest, linked).await);
    let promise = store.promise_blob(&elsewhere, &layer.digest, later()).await;
    assert_eq!(promise.unwrap(), None);
    assert!(is_unused(store, &layer.digest, linked).await);
    let promise = store.promise_blob(&here, &layer.digest, later()).await;
    assert_eq!(promise.unwrap(), Some(layer.clone()));
    assert!(!is_unused(store, &layer.digest, linked).await);
}

pub(super) async fn unused_and_condemned_come_in_pages(store: &dyn Collected) {
    let here = repository("pages/here");
    let mut layers = [1, 2, 3, 4, 5].map(|number| blob(&format!("in pages {number}")));
    layers.sort_by(|a, b| a.digest.cmp(&b.digest));
    for layer in &layers {
        store.link_blob(&here, layer, None).await.unwrap();
    }
    put(store, &here, &needing("of one in pages", &layers[2])).await;
    let is_ours = |blob: &Blob| layers.contains(blob);
    let (mut unused, mut last) = (Vec::new(), None);
    loop {
        let page = store.unused_blobs(last.as_ref(), later(), 2).await.unwrap();
        assert!(page.blobs.len() <= 2);
        unused.extend(page.blobs.into_iter().filter(is_ours));
        last = page.last;
        if last.is_none() {
            break;
        }
    }
    let expected = [0, 1, 3, 4].map(|number| layers[number].clone());
    assert_eq!(unused, expected);

    let digests = layers.clone().map(|blob| blob.digest);
    let condemned = store.condemn_blobs(&digests, later()).await.unwrap();
    assert_eq!(condemned, expected);
    let after = Some(&layers[0].digest);
    let page = store.condemned_blobs(after, later(), 10_000).await.unwrap();
    let page: Vec<Blob> = page.into_iter().filter(is_ours).collect();
    assert_eq!(page, expected[1..]);
    let page = store.condemned_blobs(None, later(), 1).await.unwrap();
    assert_eq!(page.len(), 1);
}
