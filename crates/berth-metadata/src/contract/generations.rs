use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use berth_spec::{BlobName, RepositoryName};

use super::{Collected, blob, manifest, published, put, repository};
use crate::{Blob, MetadataError, MetadataStore, NewManifest};

/// Before anything was linked.
const NEVER: SystemTime = SystemTime::UNIX_EPOCH;

/// After everything that was linked.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

async fn assert_generation(store: &dyn MetadataStore, here: &RepositoryName, layer: &Blob) {
    let found = store.blob(here, &layer.digest).await.unwrap();
    assert_eq!(found.as_ref(), Some(layer));
    for renew_before in [NEVER, later()] {
        let promise = store.promise_blob(here, &layer.digest, renew_before).await;
        assert_eq!(promise.unwrap().as_ref(), Some(layer));
    }
}

async fn condemn_and_forget(store: &dyn Collected, layer: &Blob) -> Vec<Blob> {
    let digests = [layer.digest.clone()];
    store.condemn_blobs(&digests, later()).await.unwrap();
    let forgotten = store.forget_blobs(&digests, later(), later()).await;
    forgotten.unwrap()
}

async fn unrecorded(store: &dyn MetadataStore, names: &[BlobName]) -> HashSet<BlobName> {
    store.unrecorded(names).await.unwrap()
}

pub(super) async fn a_blob_has_the_generation_it_was_linked_with(store: &dyn MetadataStore) {
    let [here, elsewhere] = ["generation/here", "generation/elsewhere"].map(repository);
    let layer = published(&blob("of a generation"));
    store.link_blob(&here, &layer, None).await.unwrap();
    assert_generation(store, &here, &layer).await;
    for from in [Some(&here), None] {
        let mountable = store.mountable_blob(from, &layer.digest).await;
        assert_eq!(mountable.unwrap(), Some(layer.clone()));
        let mounted = store.mount_blob(&elsewhere, from, &layer.digest).await;
        assert_eq!(mounted.unwrap(), Some(layer.clone()));
    }
    assert_generation(store, &elsewhere, &layer).await;
    let other = published(&layer).name();
    let plain = BlobName::from(&layer.digest);
    let names = [plain.clone(), layer.name(), other.clone(), layer.name()];
    let expected = HashSet::from([plain, other]);
    assert_eq!(unrecorded(store, &names).await, expected);
    assert_eq!(unrecorded(store, &[]).await, HashSet::new());
}

pub(super) async fn the_bytes_that_were_linked_last_are_meant(store: &dyn MetadataStore) {
    let [here, elsewhere] = ["replaced/here", "replaced/elsewhere"].map(repository);
    let plain = blob("published again");
    let (first, second) = (published(&plain), published(&plain));
    store.link_blob(&here, &plain, None).await.unwrap();
    for newer in [&first, &second, &plain, &first] {
        store.link_blob(&elsewhere, newer, None).await.unwrap();
        for repository in [&here, &elsewhere] {
            assert_generation(store, repository, newer).await;
        }
        let names = [&plain, &first, &second].map(Blob::name);
        let mut others = HashSet::from(names.clone());
        others.remove(&newer.name());
        assert_eq!(unrecorded(store, &names).await, others);
    }
    let larger = Blob {
        size: plain.size + 1,
        ..second
    };
    let refused = store.link_blob(&here, &larger, None).await;
    assert!(matches!(refused, Err(MetadataError::SizeConflict { .. })));
    assert_generation(store, &here, &first).await;
}

pub(super) async fn what_is_forgotten_has_the_generation_of_its_record(store: &dyn Collected) {
    let here = repository("forgotten/here");
    let first = published(&blob("forgotten with its generation"));
    let second = published(&first);
    for layer in [&first, &second] {
        store.link_blob(&here, layer, None).await.unwrap();
    }
    let unused = store.unused_blobs(None, later(), 10_000).await.unwrap();
    assert!(unused.blobs.contains(&second));
    let digests = [second.digest.clone()];
    let condemned = store.condemn_blobs(&digests, later()).await.unwrap();
    assert_eq!(condemned, std::slice::from_ref(&second));
    let condemned = store.condemned_blobs(None, later(), 10_000).await.unwrap();
    assert!(condemned.contains(&second));
    assert_eq!(condemn_and_forget(store, &first).await, [second]);
}

pub(super) async fn a_new_generation_takes_a_condemned_blob_back(store: &dyn Collected) {
    let here = repository("renewed/here");
    let first = published(&blob("condemned, and published again"));
    store.link_blob(&here, &first, None).await.unwrap();
    let digests = [first.digest.clone()];
    store.condemn_blobs(&digests, later()).await.unwrap();
    let second = published(&first);
    store.link_blob(&here, &second, None).await.unwrap();
    let forgotten = store.forget_blobs(&digests, later(), later()).await;
    assert_eq!(forgotten.unwrap(), []);
    assert_generation(store, &here, &second).await;
    let image = NewManifest {
        required_blobs: digests.to_vec(),
        ..manifest("needs what was published again")
    };
    put(store, &here, &image).await;
    let linked = store.manifest_blobs(&here, &image.digest).await.unwrap();
    assert_eq!(linked, [second]);
}

pub(super) async fn what_is_forsaken_is_never_linked(store: &dyn Collected) {
    let [here, elsewhere] = ["forsaken/here", "forsaken/elsewhere"].map(repository);
    let layer = published(&blob("forsaken"));
    let names = [layer.name()];
    for _ in 0..2 {
        assert_eq!(store.forsake(&names, later()).await.unwrap(), names);
        let refused = store.link_blob(&here, &layer, None).await.unwrap_err();
        assert!(matches!(&refused, MetadataError::Forsaken(name) if *name == names[0]));
        assert!(refused.is_refusal());
    }
    assert!(!store.has_repository(&here).await.unwrap());

    // Others of the same content are not forsaken with it.
    let other = published(&layer);
    store.link_blob(&here, &other, None).await.unwrap();
    let refused = store.link_blob(&elsewhere, &layer, None).await.unwrap_err();
    assert!(matches!(refused, MetadataError::Forsaken(_)), "{refused}");
    assert_generation(store, &here, &other).await;
    let refused = store.link_blob(&here, &layer, None).await.unwrap_err();
    assert!(matches!(refused, MetadataError::Forsaken(_)), "{refused}");
    assert_generation(store, &here, &other).await;
    let plain = Blob::new(layer.digest.clone(), layer.size);
    store.link_blob(&elsewhere, &plain, None).await.unwrap();
    assert_generation(store, &here, &plain).await;
}

pub(super) async fn only_what_no_record_knows_is_forsaken(store: &dyn Collected) {
    let here = repository("recorded/here");
    let older = published(&blob("recorded and replaced"));
    let newer = published(&older);
    let nowhere = published(&blob("recorded nowhere"));
    for layer in [&older, &newer] {
        store.link_blob(&here, layer, None).await.unwrap();
    }
    let plain = BlobName::from(&newer.digest);
    let names = [&newer, &older, &nowhere, &older].map(Blob::name);
    let names = [&names[..], &[plain]].concat();
    let mut expected = vec![older.name(), nowhere.name()];
    expected.sort();
    assert_eq!(store.forsake(&names, later()).await.unwrap(), expected);
    assert_generation(store, &here, &newer).await;
    let again = store.link_blob(&here, &newer, None).await;
    assert!(again.is_ok(), "what is recorded was forsaken");

    let forgotten = condemn_and_forget(store, &newer).await;
    assert_eq!(forgotten, std::slice::from_ref(&newer));
    let names = [newer.name()];
    assert_eq!(store.forsake(&names, later()).await.unwrap(), names);
    let refused = store.link_blob(&here, &newer, None).await;
    assert!(matches!(refused, Err(MetadataError::Forsaken(_))));
    assert_eq!(store.forsake(&[], later()).await.unwrap(), []);
}

async fn replaced(store: &dyn Collected, of: &Blob, replaced_before: SystemTime) -> Vec<BlobName> {
    let all = store.replaced_blobs(None, replaced_before, 10_000).await;
    let mut names = all.unwrap();
    assert!(names.is_sorted());
    names.retain(|name| name.digest == of.digest);
    names
}

pub(super) async fn what_was_replaced_is_told_until_it_is_forsaken(store: &dyn Collected) {
    let here = repository("replacing/here");
    let plain = blob("replaced again and again");
    let [first, second, third] = [(); 3].map(|()| published(&plain));
    for layer in [&plain, &first, &first, &second, &third] {
        store.link_blob(&here, layer, None).await.unwrap();
    }
    let mut older = [first.name(), second.name()];
    older.sort();
    assert_eq!(replaced(store, &plain, later()).await, older);
    assert_eq!(replaced(store, &plain, NEVER).await, []);
    let mut last = None;
    let mut pages = Vec::new();
    loop {
        let page = store.replaced_blobs(last.as_ref(), later(), 1).await;
        let page = page.unwrap();
        assert!(page.len() <= 1);
        let Some(name) = page.into_iter().next() else {
            break;
        };
        pages.push(name.clone());
        last = Some(name);
    }
    let all = store.replaced_blobs(None, later(), 10_000).await.unwrap();
    assert_eq!(pages, all);

    // What was replaced just now may still be read.
    let names = [first.name(), second.name(), third.name()];
    assert_eq!(store.forsake(&names, NEVER).await.unwrap(), []);
    assert_eq!(replaced(store, &plain, later()).await, older);
    assert_eq!(
        store.forsake(&names[..1], later()).await.unwrap(),
        names[..1]
    );
    assert_eq!(replaced(store, &plain, later()).await, names[1..2]);

    // It is meant once more: then it is not removed, and is no more among those that will be.
    store.link_blob(&here, &second, None).await.unwrap();
    assert_eq!(replaced(store, &plain, later()).await, names[2..]);
    let forsaken = store.forsake(&names, later()).await.unwrap();
    let mut expected = vec![first.name(), third.name()];
    expected.sort();
    assert_eq!(forsaken, expected);
    assert_eq!(replaced(store, &plain, later()).await, []);
    assert_generation(store, &here, &second).await;

    let fourth = published(&plain);
    store.link_blob(&here, &fourth, None).await.unwrap();
    condemn_and_forget(store, &fourth).await;
    let names = [second.name()];
    assert_eq!(replaced(store, &plain, later()).await, names);
    assert_eq!(store.forsake(&names, later()).await.unwrap(), names);
    assert_eq!(replaced(store, &plain, later()).await, []);
}

pub(super) async fn what_is_found_takes_the_place_of_what_is_lost(store: &dyn Collected) {
    let here = repository("adopting/here");
    let lost = published(&blob("lost, and found elsewhere"));
    let [found, forsaken] = [(); 2].map(|()| published(&lost));
    let other = published(&blob("of another digest"));
    let names = [forsaken.name()];
    assert_eq!(store.forsake(&names, later()).await.unwrap(), names);
    let adopt = async |lost: &Blob, found: &Blob| {
        let (lost, found) = (lost.name(), found.name());
        store.adopt_blob(&lost, &found).await.unwrap()
    };
    assert!(!adopt(&lost, &found).await, "nothing is recorded");
    store.link_blob(&here, &lost, None).await.unwrap();
    for refused in [&forsaken, &other] {
        assert!(!adopt(&lost, refused).await);
    }
    assert!(!adopt(&found, &forsaken).await, "another one is recorded");
    assert_generation(store, &here, &lost).await;
    assert!(adopt(&lost, &lost).await);
    assert_eq!(replaced(store, &lost, later()).await, []);

    let digests = [lost.digest.clone()];
    store.condemn_blobs(&digests, later()).await.unwrap();
    assert!(adopt(&lost, &found).await);
    let condemned = store.condemned_blobs(None, later(), 10_000).await.unwrap();
    assert!(condemned.contains(&found), "whoever adopts needs nothing");
    assert_eq!(replaced(store, &lost, later()).await, [lost.name()]);
    assert!(!adopt(&lost, &found).await, "it is not recorded any more");
    let plain = Blob::new(lost.digest.clone(), lost.size);
    assert!(adopt(&found, &plain).await);
    assert!(adopt(&plain, &found).await);
    assert_generation(store, &here, &found).await;
}
