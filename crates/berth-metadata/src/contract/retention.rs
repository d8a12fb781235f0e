use std::thread::sleep;
use std::time::{Duration, SystemTime};

use berth_spec::{Digest, RepositoryName};

use super::{Collected, blob, by_tag, manifest, put, repository, tag};
use crate::{Condition, NewManifest, RepositoryContents, TagEntry};

fn tagged(content: &str, tags: &[&str]) -> NewManifest {
    NewManifest {
        tags: tags.iter().map(|name| tag(name)).collect(),
        ..manifest(content)
    }
}

async fn contents(store: &dyn Collected, here: &RepositoryName) -> RepositoryContents {
    store.repository_contents(here).await.unwrap().unwrap()
}

async fn used_at(store: &dyn Collected, here: &RepositoryName, digest: &Digest) -> SystemTime {
    let contents = contents(store, here).await;
    let mut manifests = contents.manifests.into_iter();
    let entry = manifests.find(|entry| entry.digest == *digest).unwrap();
    entry.used_at
}

async fn tag_entry(store: &dyn Collected, here: &RepositoryName, name: &str) -> TagEntry {
    let contents = contents(store, here).await;
    let mut tags = contents.tags.into_iter();
    tags.find(|entry| entry.tag == tag(name)).unwrap()
}

/// So that what comes after this is later by the store's clock, too.
fn wait() {
    sleep(Duration::from_millis(5));
}

pub(super) async fn contents_are_told_without_bytes(store: &dyn Collected) {
    let here = repository("contents/here");
    assert_eq!(store.repository_contents(&here).await.unwrap(), None);
    let before = SystemTime::now() - Duration::from_millis(1);
    let image = tagged("an image", &["v1", "latest"]);
    let index = NewManifest {
        required_manifests: vec![image.digest.clone(), image.digest.clone()],
        ..manifest("an index")
    };
    let signature = NewManifest {
        subject: Some(index.digest.clone()),
        ..manifest("a signature")
    };
    for new in [&image, &index, &signature] {
        put(store, &here, new).await;
    }
    let contents = contents(store, &here).await;
    let tags: Vec<_> = contents.tags.iter().map(|entry| &entry.tag).collect();
    assert_eq!(tags, [&tag("latest"), &tag("v1")]);
    assert!(
        contents
            .tags
            .iter()
            .all(|entry| entry.digest == image.digest)
    );
    assert!(contents.tags.iter().all(|entry| entry.updated_at >= before));
    let mut expected = [&image, &index, &signature];
    expected.sort_by(|a, b| a.digest.cmp(&b.digest));
    assert_eq!(contents.manifests.len(), 3);
    for (entry, new) in contents.manifests.iter().zip(expected) {
        assert_eq!(entry.digest, new.digest);
        assert_eq!(entry.size, new.content.len() as u64);
        assert_eq!(entry.subject, new.subject);
        let mut children = new.required_manifests.clone();
        children.dedup();
        assert_eq!(entry.children, children);
        assert!(entry.used_at >= before);
    }
}

pub(super) async fn a_tag_that_was_set_again_stays(store: &dyn Collected) {
    let here = repository("as-seen/here");
    put(
        store,
        &here,
        &tagged("old", &["moves", "stays", "set-again"]),
    )
    .await;
    let seen = ["moves", "stays", "set-again"];
    let seen = [
        tag_entry(store, &here, seen[0]).await,
        tag_entry(store, &here, seen[1]).await,
        tag_entry(store, &here, seen[2]).await,
    ];
    wait();
    put(store, &here, &tagged("new", &["moves"])).await;
    put(store, &here, &tagged("old", &["set-again"])).await;
    for (entry, is_as_seen) in seen.iter().zip([false, true, false]) {
        let deleted = store.delete_tag_as_seen(&here, entry).await.unwrap();
        assert_eq!(deleted, is_as_seen, "{}", entry.tag);
        let found = store.manifest(&here, &by_tag(entry.tag.as_str())).await;
        assert_eq!(found.unwrap().is_none(), is_as_seen);
    }
    assert!(!store.delete_tag_as_seen(&here, &seen[1]).await.unwrap());
    let elsewhere = repository("as-seen/elsewhere");
    assert!(
        !store
            .delete_tag_as_seen(&elsewhere, &seen[1])
            .await
            .unwrap()
    );
}

pub(super) async fn a_manifest_that_is_used_stays(store: &dyn Collected) {
    let here = repository("unused-manifest/here");
    let (subject, child) = (manifest("a subject"), manifest("a child"));
    let parent = NewManifest {
        required_manifests: vec![child.digest.clone()],
        ..manifest("a parent")
    };
    let referrer = NewManifest {
        subject: Some(subject.digest.clone()),
        ..manifest("a referrer")
    };
    let tagged = tagged("tagged", &["v1"]);
    for new in [&subject, &child, &parent, &referrer, &tagged] {
        put(store, &here, new).await;
    }
    let seen = contents(store, &here).await.manifests;
    let delete = async |digest: &Digest| {
        let seen = seen.iter().find(|entry| entry.digest == *digest);
        let used_at = seen.map_or(SystemTime::UNIX_EPOCH, |entry| entry.used_at);
        let deleted = store.delete_manifest_if_unused(&here, digest, used_at);
        deleted.await.unwrap()
    };
    // Read, so that it is kept in memory where a store does that.
    let by_digest = subject.digest.clone().into();
    assert!(store.manifest(&here, &by_digest).await.unwrap().is_some());

    assert!(!delete(&child.digest).await);
    assert!(!delete(&referrer.digest).await);
    assert!(!delete(&tagged.digest).await);
    assert!(!delete(&manifest("never pushed").digest).await);
    assert_eq!(contents(store, &here).await.manifests.len(), 5);

    assert!(delete(&parent.digest).await);
    assert!(delete(&child.digest).await);
    assert!(delete(&subject.digest).await);
    assert!(delete(&referrer.digest).await);
    assert!(!delete(&referrer.digest).await);
    assert_eq!(store.manifest(&here, &by_digest).await.unwrap(), None);
    assert_eq!(contents(store, &here).await.manifests.len(), 1);
}

/// The clock may have gone back in the meantime: any other time is another use.
pub(super) async fn a_manifest_that_was_used_since_stays(store: &dyn Collected) {
    let here = repository("used-since/here");
    let image = manifest("an image");
    put(store, &here, &image).await;
    let used_at = used_at(store, &here, &image.digest).await;
    let moment = Duration::from_millis(1);
    for (seen, is_unused) in [
        (used_at - moment, false),
        (used_at + moment, false),
        (used_at, true),
    ] {
        let deleted = store.delete_manifest_if_unused(&here, &image.digest, seen);
        assert_eq!(deleted.await.unwrap(), is_unused);
    }
}

/// A client deletes what holds it.
pub(super) async fn losing_a_holder_is_a_use(store: &dyn Collected) {
    let [here, elsewhere] = ["holder/here", "holder/elsewhere"].map(repository);
    let (child, other) = (manifest("a child"), manifest("another"));
    let index = NewManifest {
        required_manifests: vec![child.digest.clone()],
        ..manifest("an index")
    };
    let referrer = NewManifest {
        subject: Some(index.digest.clone()),
        ..manifest("a referrer")
    };
    for name in [&here, &elsewhere] {
        for new in [&child, &other, &index, &referrer] {
            put(store, name, new).await;
        }
    }
    let times = async |name: &RepositoryName| {
        [
            used_at(store, name, &child.digest).await,
            used_at(store, name, &referrer.digest).await,
            used_at(store, name, &other.digest).await,
        ]
    };
    let (before, far) = (times(&here).await, times(&elsewhere).await);
    wait();
    store.delete_manifest(&here, &index.digest).await.unwrap();
    let after = times(&here).await;
    assert!(after[0] > before[0], "the child");
    assert!(after[1] > before[1], "the referrer");
    assert_eq!(after[2], before[2], "a manifest that it did not hold");
    assert_eq!(times(&elsewhere).await, far);
}

pub(super) async fn losing_a_tag_is_a_use(store: &dyn Collected) {
    let here = repository("used-at/here");
    let (old, new) = (tagged("old", &["moves", "goes"]), tagged("new", &["moves"]));
    put(store, &here, &old).await;
    let pushed = used_at(store, &here, &old.digest).await;
    wait();
    put(store, &here, &new).await;
    let moved = used_at(store, &here, &old.digest).await;
    assert!(moved > pushed);
    wait();
    let (goes, always) = (tag("goes"), Condition::default());
    store.delete_tag(&here, &goes, &always).await.unwrap();
    let untagged = used_at(store, &here, &old.digest).await;
    assert!(untagged > moved);
    wait();
    put(store, &here, &manifest("old")).await;
    assert!(used_at(store, &here, &old.digest).await > untagged);
}

pub(super) async fn references_to_blobs_are_counted(store: &dyn Collected) {
    let [here, elsewhere] = ["references/here", "references/elsewhere"].map(repository);
    let (shared, own, absent) = (blob("shared"), blob("own"), blob("absent"));
    for layer in [&shared, &own] {
        store.link_blob(&here, layer, None).await.unwrap();
    }
    store.link_blob(&elsewhere, &shared, None).await.unwrap();
    let image = NewManifest {
        required_blobs: [&own, &shared, &own].map(|blob| blob.digest.clone()).into(),
        optional_blobs: vec![absent.digest.clone()],
        ..manifest("of an own blob")
    };
    let other = NewManifest {
        required_blobs: vec![shared.digest.clone()],
        ..manifest("of a shared blob")
    };
    put(store, &here, &image).await;
    put(store, &elsewhere, &other).await;
    let mut found = store.manifest_blobs(&here, &image.digest).await.unwrap();
    let mut expected = [&own, &shared].map(Clone::clone);
    found.sort_by(|a, b| a.digest.cmp(&b.digest));
    expected.sort_by(|a, b| a.digest.cmp(&b.digest));
    assert_eq!(found, expected);
    let nothing = store.manifest_blobs(&elsewhere, &image.digest).await;
    assert_eq!(nothing.unwrap(), []);
    for (blob, manifests) in [(own, 1), (shared, 2), (absent, 0)] {
        let references = store.blob_references(&blob.digest).await;
        assert_eq!(references.unwrap(), manifests, "{}", blob.digest);
    }
}
