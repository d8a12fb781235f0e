use std::collections::BTreeMap;

use berth_spec::{Digest, RepositoryName, Tag};

use super::{blob, manifest, put, repository, tag};
use crate::{Condition, MetadataStore, NewManifest, Referrer, ReferrerLimits};

pub(super) async fn repositories_come_in_pages_in_byte_order(store: &dyn MetadataStore) {
    assert_eq!(store.repositories(None, 10).await.unwrap(), []);
    // In byte order: `-` and `.` before `/`, digits before letters, `_` between.
    let sorted = ["a", "a-b", "a.b", "a/b", "a0", "a_b", "aa", "b"].map(repository);
    let layer = blob("in every repository");
    for name in sorted.iter().rev() {
        store.link_blob(name, &layer, None).await.unwrap();
    }
    let page = async |last, limit| -> Vec<RepositoryName> {
        store.repositories(last, limit).await.unwrap()
    };
    assert_eq!(page(None, u32::MAX).await, sorted);
    assert_eq!(page(None, 3).await, sorted[..3]);
    assert_eq!(page(Some("a.b"), 3).await, sorted[3..6]);
    assert_eq!(page(Some("a.bb"), 2).await, sorted[3..5]);
    assert_eq!(page(Some("A\0 not a name"), 1).await, sorted[..1]);
    assert_eq!(page(Some("b"), 3).await, []);
    assert_eq!(page(None, 0).await, []);
    for name in &sorted {
        store.unlink_blob(name, &layer.digest).await.unwrap();
    }
    assert_eq!(
        page(None, 10).await,
        sorted,
        "a repository went when it became empty"
    );
}

pub(super) async fn tags_come_in_pages_in_byte_order(store: &dyn MetadataStore) {
    let here = repository("lists/tags");
    assert_eq!(store.tags(&here, None, 10).await.unwrap(), None);
    let sorted = ["0", "1.0", "1.0-rc", "10", "Z", "_", "a", "b"].map(tag);
    let image = NewManifest {
        tags: sorted.iter().rev().cloned().collect(),
        ..manifest("much tagged")
    };
    put(store, &here, &image).await;
    put(store, &repository("lists/tags/below"), &image).await;
    let page =
        async |last, limit| -> Vec<Tag> { store.tags(&here, last, limit).await.unwrap().unwrap() };
    assert_eq!(page(None, u32::MAX).await, sorted);
    assert_eq!(page(None, 2).await, sorted[..2]);
    assert_eq!(page(Some("1.0"), 2).await, sorted[2..4]);
    let always = Condition::default();
    store.delete_tag(&here, &sorted[3], &always).await.unwrap();
    assert_eq!(
        page(Some("10"), 2).await,
        sorted[4..6],
        "after a tag that is gone"
    );
    assert_eq!(page(Some("zz"), 2).await, []);
    assert_eq!(page(None, 0).await, []);
}

pub(super) async fn referrers_come_in_pages_by_digest(store: &dyn MetadataStore) {
    let here = repository("lists/referrers");
    let subject = manifest("the subject");
    let of_type = |content: &str, artifact_type: Option<&str>| NewManifest {
        artifact_type: artifact_type.map(str::to_owned),
        subject: Some(subject.digest.clone()),
        annotations: BTreeMap::from([("note".to_owned(), content.to_owned())]),
        ..manifest(content)
    };
    let mut all = vec![
        of_type("first signature", Some("a/signature")),
        of_type("second signature", Some("a/signature")),
        of_type("bill of materials", Some("a/sbom")),
        of_type("of no type", None),
    ];
    let within = async |artifact_type, last: Option<&Digest>, limits| -> Vec<Referrer> {
        store
            .referrers(&here, &subject.digest, artifact_type, last, limits)
            .await
            .unwrap()
    };
    let list = async |artifact_type, last, count| {
        let bytes = 1_000_000;
        let limits = ReferrerLimits { count, bytes };
        within(artifact_type, last, limits).await
    };
    assert_eq!(list(None, None, 10).await, []);
    for referrer in &all {
        put(store, &here, referrer).await;
    }
    // The subject may come after what refers to it.
    put(store, &here, &subject).await;
    let other = Digest::sha256(b"another subject");
    put(
        store,
        &here,
        &NewManifest {
            subject: Some(other),
            ..manifest("not of it")
        },
    )
    .await;
    put(
        store,
        &repository("lists/elsewhere"),
        &of_type("elsewhere", None),
    )
    .await;

    all.sort_by_key(|manifest| manifest.digest.as_str().to_owned());
    let expected: Vec<Referrer> = all.iter().map(referrer).collect();
    assert_eq!(list(None, None, 10).await, expected);
    assert_eq!(list(None, None, 2).await, expected[..2]);
    // One always fits, whatever its size.
    let few_bytes = ReferrerLimits {
        count: 10,
        bytes: 1,
    };
    assert_eq!(within(None, None, few_bytes).await, expected[..1]);
    assert_eq!(
        list(None, Some(&expected[1].digest), 10).await,
        expected[2..]
    );
    assert_eq!(list(None, None, 0).await, []);
    let is_signature =
        |referrer: &&Referrer| referrer.artifact_type.as_deref() == Some("a/signature");
    let signatures: Vec<Referrer> = expected.iter().filter(is_signature).cloned().collect();
    assert_eq!(list(Some("a/signature"), None, 10).await, signatures);
    assert_eq!(
        list(Some("a/signature"), Some(&signatures[0].digest), 10).await,
        signatures[1..]
    );
    assert_eq!(list(Some("a/none"), None, 10).await, []);

    assert!(
        store
            .delete_manifest(&here, &expected[0].digest)
            .await
            .unwrap()
    );
    assert!(store.delete_manifest(&here, &subject.digest).await.unwrap());
    assert_eq!(list(None, None, 10).await, expected[1..]);
}

fn referrer(manifest: &NewManifest) -> Referrer {
    Referrer {
        digest: manifest.digest.clone(),
        media_type: manifest.media_type.clone(),
        size: manifest.content.len() as u64,
        artifact_type: manifest.artifact_type.clone(),
        annotations: manifest.annotations.clone(),
    }
}
