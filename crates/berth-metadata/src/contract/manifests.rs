use berth_spec::{Digest, Reference, media_types};

use super::{blob, by_tag, manifest, media_type, put, repository, tag};
use crate::{
    Condition, DeleteTag, Expected, MetadataStore, NewManifest, PutManifest, StoredManifest,
};

fn stored(manifest: &NewManifest) -> Option<StoredManifest> {
    Some(StoredManifest {
        digest: manifest.digest.clone(),
        media_type: manifest.media_type.clone(),
        content: manifest.content.clone(),
    })
}

fn by_digest(manifest: &NewManifest) -> Reference {
    Reference::Digest(manifest.digest.clone())
}

pub(super) async fn what_is_put_can_be_read_by_digest_and_tag(store: &dyn MetadataStore) {
    let here = repository("put/read");
    let [layer, config] = ["put layer", "put config"].map(blob);
    store.link_blob(&here, &layer, None).await.unwrap();
    store.link_blob(&here, &config, None).await.unwrap();
    let image = NewManifest {
        required_blobs: vec![
            config.digest.clone(),
            layer.digest.clone(),
            layer.digest.clone(),
        ],
        tags: vec![tag("v1"), tag("latest"), tag("v1")],
        ..manifest("{ \"an\" : \"image\" }\n")
    };
    assert_eq!(store.manifest(&here, &by_tag("v1")).await.unwrap(), None);
    put(store, &here, &image).await;
    for reference in [by_digest(&image), by_tag("v1"), by_tag("latest")] {
        assert_eq!(
            store.manifest(&here, &reference).await.unwrap(),
            stored(&image)
        );
    }
    assert_eq!(store.manifest(&here, &by_tag("V1")).await.unwrap(), None);

    let index = NewManifest {
        media_type: media_type(media_types::OCI_IMAGE_INDEX),
        required_manifests: vec![image.digest.clone(), image.digest.clone()],
        tags: vec![tag("v1")],
        ..manifest("an index")
    };
    put(store, &here, &index).await;
    assert_eq!(
        store.manifest(&here, &by_tag("v1")).await.unwrap(),
        stored(&index)
    );
    assert_eq!(
        store.manifest(&here, &by_tag("latest")).await.unwrap(),
        stored(&image)
    );
}

pub(super) async fn putting_again_sets_media_type_and_tags(store: &dyn MetadataStore) {
    let here = repository("put/again");
    let first = NewManifest {
        tags: vec![tag("a")],
        ..manifest("put again")
    };
    put(store, &here, &first).await;
    let again = NewManifest {
        media_type: media_type(media_types::DOCKER_MANIFEST),
        tags: vec![tag("b")],
        ..first.clone()
    };
    put(store, &here, &again).await;
    for reference in [by_digest(&first), by_tag("a"), by_tag("b")] {
        assert_eq!(
            store.manifest(&here, &reference).await.unwrap(),
            stored(&again)
        );
    }
}

pub(super) async fn what_is_missing_is_named_and_nothing_is_stored(store: &dyn MetadataStore) {
    let (here, elsewhere) = (repository("missing/here"), repository("missing/elsewhere"));
    let [layer, config, there] = ["missing layer", "missing config", "there"].map(blob);
    let child = manifest("missing child");
    store.link_blob(&elsewhere, &layer, None).await.unwrap();
    put(store, &elsewhere, &child).await;
    let image = NewManifest {
        required_blobs: [&layer, &there, &config, &layer]
            .map(|blob| blob.digest.clone())
            .to_vec(),
        required_manifests: vec![
            child.digest.clone(),
            child.digest.clone(),
            layer.digest.clone(),
        ],
        tags: vec![tag("v1")],
        ..manifest("needs much")
    };
    let all = [&layer, &there, &config].map(|blob| blob.digest.clone());
    let all = PutManifest::Missing(all.into_iter().chain([child.digest.clone()]).collect());
    assert_eq!(store.put_manifest(&here, &image).await.unwrap(), all);
    assert!(
        !store.has_repository(&here).await.unwrap(),
        "a refused manifest made a repository"
    );

    store.link_blob(&here, &there, None).await.unwrap();
    let missing = vec![
        layer.digest.clone(),
        config.digest.clone(),
        child.digest.clone(),
    ];
    assert_eq!(
        store.put_manifest(&here, &image).await.unwrap(),
        PutManifest::Missing(missing)
    );
    assert_eq!(
        store.manifest(&here, &by_digest(&image)).await.unwrap(),
        None
    );
    assert_eq!(store.tags(&here, None, 10).await.unwrap(), Some(Vec::new()));
}

pub(super) async fn optional_blobs_and_subjects_may_be_missing(store: &dyn MetadataStore) {
    let here = repository("put/optional");
    let image = NewManifest {
        optional_blobs: vec![blob("foreign layer").digest],
        subject: Some(Digest::sha256(b"pushed later, or never")),
        ..manifest("with foreign layers")
    };
    put(store, &here, &image).await;
    assert_eq!(
        store.manifest(&here, &by_digest(&image)).await.unwrap(),
        stored(&image)
    );
}

pub(super) async fn deleting_takes_the_tags_along(store: &dyn MetadataStore) {
    let here = repository("delete/manifest");
    let layer = blob("of a deleted manifest");
    store.link_blob(&here, &layer, None).await.unwrap();
    let doomed = NewManifest {
        required_blobs: vec![layer.digest.clone()],
        tags: vec![tag("a"), tag("b")],
        ..manifest("doomed")
    };
    let other = NewManifest {
        tags: vec![tag("c")],
        ..manifest("not doomed")
    };
    assert!(!store.delete_manifest(&here, &doomed.digest).await.unwrap());
    put(store, &here, &doomed).await;
    put(store, &here, &other).await;
    assert!(store.delete_manifest(&here, &doomed.digest).await.unwrap());
    assert!(!store.delete_manifest(&here, &doomed.digest).await.unwrap());
    for reference in [by_digest(&doomed), by_tag("a"), by_tag("b")] {
        assert_eq!(store.manifest(&here, &reference).await.unwrap(), None);
    }
    assert_eq!(
        store.tags(&here, None, 10).await.unwrap(),
        Some(vec![tag("c")])
    );
    assert_eq!(store.blob(&here, &layer.digest).await.unwrap(), Some(layer));
    put(store, &here, &doomed).await;
    assert_eq!(
        store.manifest(&here, &by_tag("a")).await.unwrap(),
        stored(&doomed)
    );
}

pub(super) async fn a_tag_can_be_deleted_alone(store: &dyn MetadataStore) {
    let here = repository("delete/tag");
    let delete = async || {
        let always = Condition::default();
        store.delete_tag(&here, &tag("a"), &always).await.unwrap()
    };
    assert_eq!(delete().await, DeleteTag::Unknown);
    let image = NewManifest {
        tags: vec![tag("a"), tag("b")],
        ..manifest("untagged")
    };
    put(store, &here, &image).await;
    assert_eq!(delete().await, DeleteTag::Deleted);
    assert_eq!(delete().await, DeleteTag::Unknown);
    assert_eq!(store.manifest(&here, &by_tag("a")).await.unwrap(), None);
    for reference in [by_digest(&image), by_tag("b")] {
        assert_eq!(
            store.manifest(&here, &reference).await.unwrap(),
            stored(&image)
        );
    }
}

pub(super) async fn repositories_share_no_manifests(store: &dyn MetadataStore) {
    let (first, second) = (repository("share/first"), repository("share/second"));
    let image = NewManifest {
        tags: vec![tag("v1")],
        ..manifest("in the first only")
    };
    put(store, &first, &image).await;
    for reference in [by_digest(&image), by_tag("v1")] {
        assert_eq!(store.manifest(&second, &reference).await.unwrap(), None);
    }
    put(store, &second, &image).await;
    assert!(store.delete_manifest(&second, &image.digest).await.unwrap());
    assert_eq!(
        store.manifest(&first, &by_tag("v1")).await.unwrap(),
        stored(&image)
    );
}

pub(super) async fn what_is_not_as_expected_is_not_changed(store: &dyn MetadataStore) {
    let here = repository("put/conditions");
    let only_if = |digest: &Digest| Condition {
        only_if: Some(Expected::OneOf(vec![digest.clone()])),
        unless: None,
    };
    let is_new = Condition {
        only_if: None,
        unless: Some(Expected::Any),
    };
    let put = async |content: &str, reference: Reference, condition: &Condition| {
        let image = NewManifest {
            tags: vec![tag("a")],
            condition: Some((reference, condition.clone())),
            ..manifest(content)
        };
        store.put_manifest(&here, &image).await.unwrap()
    };
    let [first, second] = ["first", "second"].map(|content| manifest(content).digest);
    for reference in [by_tag("a"), Reference::Digest(first.clone())] {
        let refused = put("first", reference, &only_if(&first)).await;
        assert_eq!(refused, PutManifest::Refused);
    }
    assert!(!store.has_repository(&here).await.unwrap());

    let stored = put("first", by_tag("a"), &is_new).await;
    assert_eq!(stored, PutManifest::Stored);
    for (reference, condition) in [
        (by_tag("a"), &is_new),
        (by_tag("a"), &only_if(&second)),
        (Reference::Digest(first.clone()), &is_new),
        (Reference::Digest(second.clone()), &only_if(&second)),
    ] {
        let refused = put("second", reference, condition).await;
        assert_eq!(refused, PutManifest::Refused);
        let current = store.manifest(&here, &by_tag("a")).await.unwrap();
        assert_eq!(current.unwrap().digest, first);
    }
    let stored = put("second", by_tag("a"), &only_if(&first)).await;
    assert_eq!(stored, PutManifest::Stored);

    let delete = async |condition| {
        store
            .delete_tag(&here, &tag("a"), &condition)
            .await
            .unwrap()
    };
    assert_eq!(delete(only_if(&first)).await, DeleteTag::Refused);
    assert_eq!(delete(only_if(&second)).await, DeleteTag::Deleted);
}
