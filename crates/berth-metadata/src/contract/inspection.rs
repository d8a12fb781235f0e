use berth_spec::{Digest, RepositoryName};
use bytes::Bytes;

use super::{blob, manifest, put, repository, tag};
use crate::{
    Blob, InspectionStore, Listed, ManifestLimits, ManifestUser, MetadataStore, NewManifest,
    TagUser, Totals,
};

/// A store that can be inspected.
pub trait Inspected: MetadataStore + InspectionStore {}

impl<S: MetadataStore + InspectionStore> Inspected for S {}

/// Runs the suite of [`InspectionStore`]. The store must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn inspection_store(store: &dyn Inspected) {
    // First: these count and list everything.
    everything_is_counted(store).await;
    blobs_come_in_pages_by_digest(store).await;
    manifests_come_in_pages_by_repository_and_digest(store).await;
    manifests_come_in_pages_of_few_bytes(store).await;
    a_blob_is_recorded_whoever_is_linked_to_it(store).await;
    what_a_manifest_refers_to_is_missed_in_its_repository(store).await;
    the_users_of_a_blob_are_found_up_to_the_tags(store).await;
    a_blob_that_was_taken_away_is_not_used(store).await;
    the_users_of_a_manifest_are_those_above_it(store).await;
    assert_eq!(store.damages().await.unwrap(), Vec::<String>::new());
    assert_eq!(store.recount().await.unwrap(), Vec::<String>::new());
}

const MANY: ManifestLimits = ManifestLimits {
    count: u32::MAX,
    bytes: usize::MAX,
};

type Key = (RepositoryName, Digest);

async fn keys(store: &dyn Inspected, after: Option<&Key>, limits: ManifestLimits) -> Vec<Key> {
    let after = after.map(|(repository, digest)| (repository, digest));
    let page = store.manifests(after, limits).await.unwrap();
    page.into_iter()
        .map(|found| (found.repository, found.manifest.digest))
        .collect()
}

async fn everything_is_counted(store: &dyn Inspected) {
    assert_eq!(store.totals().await.unwrap(), Totals::default());
    assert_eq!(store.blobs(None, 10).await.unwrap(), []);
    assert_eq!(keys(store, None, MANY).await, []);
    let layers = ["counted once", "counted too"].map(blob);
    for name in ["counted/here", "counted/there"] {
        for layer in &layers {
            store
                .link_blob(&repository(name), layer, None)
                .await
                .unwrap();
        }
        put(store, &repository(name), &manifest("counted twice")).await;
    }
    let totals = Totals {
        blobs: 2,
        blob_bytes: layers.iter().map(|layer| layer.size).sum(),
        manifests: 2,
    };
    assert_eq!(store.totals().await.unwrap(), totals);
}

async fn blobs_come_in_pages_by_digest(store: &dyn Inspected) {
    let mut sorted: Vec<Blob> = ["counted once", "counted too"].map(blob).to_vec();
    for number in 0..5 {
        let layer = blob(&format!("in a page {number}"));
        store
            .link_blob(&repository("pages/of/blobs"), &layer, None)
            .await
            .unwrap();
        sorted.push(layer);
    }
    sorted.sort_by(|one, other| one.digest.cmp(&other.digest));
    assert_eq!(store.blobs(None, u32::MAX).await.unwrap(), sorted);
    assert_eq!(store.blobs(None, 3).await.unwrap(), sorted[..3]);
    let last = &sorted[2].digest;
    assert_eq!(store.blobs(Some(last), 3).await.unwrap(), sorted[3..6]);
    let last = &sorted[6].digest;
    assert_eq!(store.blobs(Some(last), 3).await.unwrap(), []);
    let never = blob("never stored").digest;
    let after: Vec<Blob> = sorted
        .iter()
        .filter(|blob| blob.digest > never)
        .cloned()
        .collect();
    assert_eq!(store.blobs(Some(&never), 10).await.unwrap(), after);
}

async fn manifests_come_in_pages_by_repository_and_digest(store: &dyn Inspected) {
    let mut sorted = keys(store, None, MANY).await;
    // In byte order: `-` and `.` before `/`.
    for name in ["pages/z", "pages/a", "pages/a/b", "pages/a-b"] {
        for number in 0..3 {
            let image = manifest(&format!("of a page {number}"));
            put(store, &repository(name), &image).await;
            sorted.push((repository(name), image.digest));
        }
    }
    sorted.sort();
    assert_eq!(keys(store, None, MANY).await, sorted);
    for count in 1..=5 {
        let limits = ManifestLimits { count, ..MANY };
        let mut read: Vec<Key> = Vec::new();
        loop {
            let page = keys(store, read.last(), limits).await;
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= count as usize);
            read.extend(page);
        }
        assert_eq!(read, sorted, "in pages of {count}");
    }
    // After what need not be there.
    let gone = (repository("pages/a-c"), blob("no manifest").digest);
    let after: Vec<Key> = sorted.iter().filter(|key| **key > gone).cloned().collect();
    assert_eq!(keys(store, Some(&gone), MANY).await, after);
}

async fn manifests_come_in_pages_of_few_bytes(store: &dyn Inspected) {
    let here = repository("z/large");
    let mut sorted = Vec::new();
    for seed in 0..3u8 {
        let content = Bytes::from(vec![seed; 1000]);
        let large = NewManifest {
            digest: Digest::sha256(&content),
            content,
            ..manifest("")
        };
        put(store, &here, &large).await;
        sorted.push((here.clone(), large.digest));
    }
    sorted.sort();
    let before = (repository("z"), blob("").digest);
    let page = async |after, bytes| -> Vec<Key> {
        keys(store, Some(after), ManifestLimits { bytes, ..MANY }).await
    };
    assert_eq!(page(&before, 2999).await, sorted[..2]);
    assert_eq!(page(&before, 3000).await, sorted);
    assert_eq!(page(&before, 1).await, sorted[..1]);
    assert_eq!(page(&sorted[0], 1).await, sorted[1..2]);
    assert_eq!(page(&sorted[2], 1).await, []);

    let (name, digest) = &sorted[0];
    let found = store.inspected_manifest(name, digest).await.unwrap();
    let found = found.unwrap();
    assert_eq!((&found.repository, &found.manifest.digest), (name, digest));
    assert_eq!(Digest::sha256(&found.manifest.content), *digest);
    let elsewhere = store.inspected_manifest(&before.0, digest).await;
    assert_eq!(elsewhere.unwrap(), None);
}

async fn a_blob_is_recorded_whoever_is_linked_to_it(store: &dyn Inspected) {
    let (here, layer) = (repository("recorded"), blob("recorded without a link"));
    assert_eq!(store.recorded_blob(&layer.digest).await.unwrap(), None);
    store.link_blob(&here, &layer, None).await.unwrap();
    store.unlink_blob(&here, &layer.digest).await.unwrap();
    let recorded = store.recorded_blob(&layer.digest).await.unwrap();
    assert_eq!(recorded, Some(layer));
}

async fn what_a_manifest_refers_to_is_missed_in_its_repository(store: &dyn Inspected) {
    let (here, there) = (repository("missed/here"), repository("missed/there"));
    let [linked, elsewhere, never] = ["linked", "elsewhere", "never"].map(blob);
    store.link_blob(&here, &linked, None).await.unwrap();
    store.link_blob(&there, &elsewhere, None).await.unwrap();
    let [child, parent] = ["a child", "a parent"].map(manifest);
    put(store, &here, &child).await;
    let missing = async |blobs: &[&Blob], manifests: &[&NewManifest]| {
        let blobs: Vec<Digest> = blobs.iter().map(|blob| blob.digest.clone()).collect();
        let manifests: Vec<Digest> = manifests.iter().map(|one| one.digest.clone()).collect();
        store
            .missing_references(&here, &parent.digest, &blobs, &manifests)
            .await
            .unwrap()
    };
    assert_eq!(missing(&[&never], &[]).await, None, "there is no parent");
    put(store, &here, &parent).await;
    assert_eq!(missing(&[&linked], &[&child]).await, Some(Vec::new()));
    let stranger = manifest("a stranger");
    put(store, &there, &stranger).await;
    assert_eq!(
        missing(&[&elsewhere, &linked, &never, &never], &[&stranger, &child]).await,
        Some(vec![elsewhere.digest, never.digest, stranger.digest])
    );
    let nowhere = repository("missed/nowhere");
    let answer = store.missing_references(&nowhere, &parent.digest, &[], &[]);
    assert_eq!(answer.await.unwrap(), None);
}

fn manifest_user(name: &str, manifest: &NewManifest) -> ManifestUser {
    ManifestUser {
        repository: repository(name),
        digest: manifest.digest.clone(),
    }
}

fn tag_user(name: &str, text: &str) -> TagUser {
    TagUser {
        repository: repository(name),
        tag: tag(text),
    }
}

fn listed<T: Ord>(mut entries: Vec<T>) -> Listed<T> {
    entries.sort();
    Listed::of(entries, u32::MAX)
}

async fn the_users_of_a_blob_are_found_up_to_the_tags(store: &dyn Inspected) {
    let (layer, other) = (blob("used by many"), blob("used by others"));
    let [here, there, merely] = ["used/here", "used/there", "used/merely"].map(repository);
    for name in [&there, &here, &merely] {
        store.link_blob(name, &layer, None).await.unwrap();
        store.link_blob(name, &other, None).await.unwrap();
    }
    let image = NewManifest {
        required_blobs: vec![layer.digest.clone(), other.digest.clone()],
        tags: vec![tag("image")],
        ..manifest("an image")
    };
    let unrelated = NewManifest {
        required_blobs: vec![other.digest.clone()],
        tags: vec![tag("unrelated")],
        ..manifest("an unrelated image")
    };
    let foreign = NewManifest {
        optional_blobs: vec![layer.digest.clone()],
        ..manifest("an image with a foreign layer")
    };
    let index = NewManifest {
        required_manifests: vec![image.digest.clone(), unrelated.digest.clone()],
        tags: vec![tag("2"), tag("1")],
        ..manifest("an index")
    };
    let outer = NewManifest {
        required_manifests: vec![index.digest.clone()],
        tags: vec![tag("outer")],
        ..manifest("an index of an index")
    };
    for manifest in [&image, &unrelated, &foreign, &index, &outer] {
        put(store, &here, manifest).await;
    }
    // The same index, of an image that does not need the layer here.
    let untagged = NewManifest {
        tags: Vec::new(),
        ..image.clone()
    };
    put(store, &there, &untagged).await;

    let users = store.blob_users(&layer.digest, 100).await.unwrap();
    let repositories = vec![here.clone(), there.clone(), merely.clone()];
    assert_eq!(users.repositories, listed(repositories));
    let mut manifests: Vec<ManifestUser> = [&image, &foreign, &index, &outer]
        .map(|manifest| manifest_user("used/here", manifest))
        .to_vec();
    manifests.push(manifest_user("used/there", &image));
    assert_eq!(users.manifests, listed(manifests));
    let tags = ["image", "1", "2", "outer"].map(|text| tag_user("used/here", text));
    assert_eq!(users.tags, listed(tags.to_vec()));

    let few = store.blob_users(&layer.digest, 2).await.unwrap();
    assert_eq!(few.repositories.first, users.repositories.first[..2]);
    assert_eq!(few.manifests.first, users.manifests.first[..2]);
    assert_eq!(few.tags.first, users.tags.first[..2]);
    let more = (few.repositories.more, few.manifests.more, few.tags.more);
    assert_eq!(more, (1, 3, 2));
    let none = store.blob_users(&layer.digest, 0).await.unwrap();
    assert_eq!((none.tags.first.len(), none.tags.count()), (0, 4));

    let nobody = store.blob_users(&blob("unused").digest, 10).await.unwrap();
    assert_eq!(nobody, Default::default());
}

async fn a_blob_that_was_taken_away_is_not_used(store: &dyn Inspected) {
    let (here, layer) = (repository("taken/away"), blob("taken away"));
    store.link_blob(&here, &layer, None).await.unwrap();
    let image = NewManifest {
        required_blobs: vec![layer.digest.clone()],
        tags: vec![tag("image")],
        ..manifest("an image that lost a layer")
    };
    put(store, &here, &image).await;
    store.unlink_blob(&here, &layer.digest).await.unwrap();
    let users = store.blob_users(&layer.digest, 10).await.unwrap();
    assert_eq!(users, Default::default());
    store.link_blob(&here, &layer, None).await.unwrap();
    let users = store.blob_users(&layer.digest, 10).await.unwrap();
    assert_eq!(users.tags.first, [tag_user("taken/away", "image")]);
}

async fn the_users_of_a_manifest_are_those_above_it(store: &dyn Inspected) {
    let (here, there) = (repository("above/here"), repository("above/there"));
    let child = NewManifest {
        tags: vec![tag("child")],
        ..manifest("a child with parents")
    };
    let sibling = NewManifest {
        tags: vec![tag("sibling")],
        ..manifest("a sibling")
    };
    let index = NewManifest {
        required_manifests: vec![child.digest.clone(), sibling.digest.clone()],
        tags: vec![tag("index")],
        ..manifest("an index above")
    };
    for name in [&here, &there] {
        for manifest in [&child, &sibling, &index] {
            put(store, name, manifest).await;
        }
    }
    let users = store
        .manifest_users(&here, &child.digest, 10)
        .await
        .unwrap();
    assert_eq!(users.repositories.first, std::slice::from_ref(&here));
    let above = [&child, &index].map(|manifest| manifest_user("above/here", manifest));
    assert_eq!(users.manifests, listed(above.to_vec()));
    let tags = ["child", "index"].map(|text| tag_user("above/here", text));
    assert_eq!(users.tags, listed(tags.to_vec()));

    let unknown = blob("no manifest at all").digest;
    let nobody = store.manifest_users(&here, &unknown, 10).await.unwrap();
    assert_eq!(nobody, Default::default());
}
