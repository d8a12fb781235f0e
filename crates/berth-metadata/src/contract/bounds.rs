use berth_spec::{Reference, RepositoryName, media_types};

use super::{Collected, blob, by_tag, manifest, media_type, put, repository, tag};
use crate::{
    Blob, Bounds, Condition, Counted, DeleteTag, Expected, MetadataError, MetadataStore,
    NewManifest, PutManifest, Quota, QuotaExceeded, Scope, Usage,
};

/// Tags that begin with `v` are immutable.
fn immutable() -> Bounds {
    Bounds::new(|tag| tag.as_str().starts_with('v'), Vec::new())
}

fn limited(scope: Scope, bytes: Option<u64>, tags: Option<u64>) -> Bounds {
    let quota = Quota { scope, bytes, tags };
    Bounds::new(|_| false, vec![quota])
}

fn tagged(content: &str, tags: &[&str]) -> NewManifest {
    NewManifest {
        tags: tags.iter().map(|name| tag(name)).collect(),
        ..manifest(content)
    }
}

fn assert_immutable<T: std::fmt::Debug>(answer: Result<T, MetadataError>, name: &str) {
    match answer {
        Err(MetadataError::TagImmutable(refused)) => assert_eq!(refused, tag(name)),
        other => panic!("{other:?}"),
    }
}

fn exceeded<T: std::fmt::Debug>(answer: Result<T, MetadataError>) -> QuotaExceeded {
    match answer {
        Err(MetadataError::QuotaExceeded(exceeded)) => exceeded,
        other => panic!("{other:?}"),
    }
}

async fn usage(store: &dyn MetadataStore, scope: &Scope) -> (u64, u64) {
    let Usage { bytes, tags } = store.usage(scope).await.unwrap();
    (bytes, tags)
}

pub(super) async fn an_immutable_tag_is_neither_moved_nor_deleted(store: &dyn MetadataStore) {
    let (here, bounds) = (repository("immutable/tags"), immutable());
    let first = tagged("first of a version", &["v1", "latest"]);
    let second = tagged("second of a version", &["latest", "v1", "new"]);
    let pushed = store.put_manifest_within(&here, &first, &bounds).await;
    assert_eq!(pushed.unwrap(), PutManifest::Stored);
    let again = store.put_manifest_within(&here, &first, &bounds).await;
    assert_eq!(again.unwrap(), PutManifest::Stored);

    // All or nothing: the other tags do not move either, and the manifest is not stored.
    let moved = store.put_manifest_within(&here, &second, &bounds).await;
    assert_immutable(moved, "v1");
    let by_digest = Reference::Digest(second.digest.clone());
    for reference in [by_digest, by_tag("new")] {
        assert_eq!(store.manifest(&here, &reference).await.unwrap(), None);
    }
    let latest = store.manifest(&here, &by_tag("latest")).await.unwrap();
    assert_eq!(latest.unwrap().digest, first.digest);

    let always = Condition::default();
    let (version, latest) = (tag("v1"), tag("latest"));
    let deleted = store.delete_tag_within(&here, &version, &always, &bounds);
    assert_immutable(deleted.await, "v1");
    let deleted = store.delete_manifest_within(&here, &first.digest, &bounds);
    assert_immutable(deleted.await, "v1");
    let tags = store.tags(&here, None, 10).await.unwrap();
    assert_eq!(tags, Some(vec![latest.clone(), version.clone()]));

    // What others may change, and what is not there, is as without bounds.
    let deleted = store.delete_tag_within(&here, &latest, &always, &bounds);
    assert_eq!(deleted.await.unwrap(), DeleteTag::Deleted);
    let unknown = tag("v2");
    let deleted = store.delete_tag_within(&here, &unknown, &always, &bounds);
    assert_eq!(deleted.await.unwrap(), DeleteTag::Unknown);
    let unless_there = Condition {
        only_if: None,
        unless: Some(Expected::Any),
    };
    let deleted = store.delete_tag_within(&here, &version, &unless_there, &bounds);
    assert_eq!(deleted.await.unwrap(), DeleteTag::Refused);
    assert!(!store.delete_manifest(&here, &second.digest).await.unwrap());

    put(store, &here, &second).await;
    let moved = store.manifest(&here, &by_tag("v1")).await.unwrap();
    assert_eq!(moved.unwrap().digest, second.digest);
    assert!(store.delete_manifest(&here, &second.digest).await.unwrap());
}

pub(super) async fn what_an_immutable_tag_points_to_stays_what_it_is(store: &dyn MetadataStore) {
    let (here, bounds) = (repository("immutable/contents"), immutable());
    let first = tagged("says not what it is", &["v1", "latest"]);
    put(store, &here, &first).await;
    let by_digest = NewManifest {
        tags: Vec::new(),
        ..first.clone()
    };
    let others = [
        NewManifest {
            media_type: media_type(media_types::OCI_IMAGE_INDEX),
            ..by_digest.clone()
        },
        NewManifest {
            artifact_type: Some("application/x".to_owned()),
            ..by_digest.clone()
        },
        NewManifest {
            subject: Some(manifest("a subject").digest),
            ..by_digest.clone()
        },
        NewManifest {
            media_type: media_type(media_types::OCI_IMAGE_INDEX),
            ..first.clone()
        },
    ];
    let known_as = async || {
        let found = store.manifest(&here, &by_tag("v1")).await.unwrap();
        found.unwrap().media_type
    };
    for other in &others {
        let pushed = store.put_manifest_within(&here, other, &bounds).await;
        assert_immutable(pushed, "v1");
        assert_eq!(known_as().await, first.media_type);
    }
    for same in [&by_digest, &first] {
        let pushed = store.put_manifest_within(&here, same, &bounds).await;
        assert_eq!(pushed.unwrap(), PutManifest::Stored);
    }
    put(store, &here, &others[0]).await;
    assert_eq!(known_as().await, others[0].media_type);
    // Nothing immutable points to it any more.
    let (version, always) = (tag("v1"), Condition::default());
    store.delete_tag(&here, &version, &always).await.unwrap();
    let pushed = store.put_manifest_within(&here, &by_digest, &bounds);
    assert_eq!(pushed.await.unwrap(), PutManifest::Stored);
    let found = store.manifest(&here, &by_tag("latest")).await.unwrap();
    assert_eq!(found.unwrap().media_type, first.media_type);
    assert!(store.delete_manifest(&here, &first.digest).await.unwrap());
}

pub(super) async fn what_is_stored_is_counted(store: &dyn Collected) {
    let [here, below, beside] = ["counted", "counted/below", "counted-beside"].map(repository);
    let scopes = [
        Scope::Repository(here.clone()),
        Scope::Repository(below.clone()),
        Scope::Namespace(here.clone()),
    ];
    let all = async || {
        let mut all = Vec::new();
        for scope in &scopes {
            all.push(usage(store, scope).await);
        }
        all
    };
    assert_eq!(all().await, [(0, 0); 3]);
    let layer = blob("ten bytes!");
    for name in [&here, &here, &below, &beside] {
        store.link_blob(name, &layer, None).await.unwrap();
    }
    assert_eq!(all().await, [(10, 0), (10, 0), (20, 0)]);
    let image = tagged("seven b", &["a", "b", "a"]);
    for name in [&here, &here, &beside] {
        put(store, name, &image).await;
    }
    assert_eq!(all().await, [(17, 2), (10, 0), (27, 2)]);
    let other = tagged("five.", &["b", "c"]);
    put(store, &here, &other).await;
    let mounted = store.mount_blob(&below, Some(&here), &layer.digest).await;
    assert_eq!(mounted.unwrap(), Some(layer.clone()));
    assert_eq!(all().await, [(22, 3), (10, 0), (32, 3)]);

    assert!(store.unlink_blob(&here, &layer.digest).await.unwrap());
    assert_eq!(all().await, [(12, 3), (10, 0), (22, 3)]);
    let always = Condition::default();
    store.delete_tag(&here, &tag("c"), &always).await.unwrap();
    assert_eq!(all().await, [(12, 2), (10, 0), (22, 2)]);
    // It takes its other tag along.
    assert!(store.delete_manifest(&here, &image.digest).await.unwrap());
    assert_eq!(all().await, [(5, 1), (10, 0), (15, 1)]);

    let contents = store.repository_contents(&here).await.unwrap().unwrap();
    let deleted = store.delete_tag_as_seen(&here, &contents.tags[0]).await;
    assert!(deleted.unwrap());
    let used_at = contents.manifests[0].used_at;
    let deleted = store.delete_manifest_if_unused(&here, &other.digest, used_at);
    assert!(deleted.await.unwrap());
    assert_eq!(all().await, [(0, 0), (10, 0), (10, 0)]);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let digests = [layer.digest];
    store.condemn_blobs(&digests, later).await.unwrap();
    let forgotten = store.forget_blobs(&digests, later, later).await;
    assert_eq!(forgotten.unwrap().len(), 1);
    assert_eq!(all().await, [(0, 0); 3]);
}

pub(super) async fn what_does_not_fit_is_refused(store: &dyn MetadataStore) {
    let [here, there] = ["quota/here", "quota/there"].map(repository);
    let scope = Scope::Repository(here.clone());
    let bounds = limited(scope.clone(), Some(20), Some(2));
    let link = async |blob: &Blob| store.link_blob_within(&here, blob, None, &bounds).await;
    let too_large = blob("more than twenty bytes");
    assert_eq!(exceeded(link(&too_large).await).used, 0);
    assert!(!store.has_repository(&here).await.unwrap());
    let layer = blob("twelve bytes");
    link(&layer).await.unwrap();
    assert_eq!(
        exceeded(link(&blob("nine more")).await),
        QuotaExceeded {
            scope: scope.clone(),
            counted: Counted::Bytes,
            allowed: 20,
            used: 12,
            added: 9,
        }
    );
    let elsewhere = blob("elsewhere");
    store.link_blob(&there, &elsewhere, None).await.unwrap();
    let mounted = store.mount_blob_within(&here, Some(&there), &elsewhere.digest, &bounds);
    assert_eq!(exceeded(mounted.await).added, 9);
    let found = store.blob(&here, &elsewhere.digest).await.unwrap();
    assert_eq!(found, None);

    let put = async |manifest| store.put_manifest_within(&here, &manifest, &bounds).await;
    assert_eq!(exceeded(put(tagged("nine byte", &["a"])).await).added, 9);
    assert_eq!(
        put(tagged("eight by", &["a"])).await.unwrap(),
        PutManifest::Stored
    );
    let tags = exceeded(put(tagged("eight by", &["a", "b", "c", "c"])).await);
    assert_eq!(
        (tags.counted, tags.allowed, tags.used, tags.added),
        (Counted::Tags, 2, 1, 2)
    );
    assert_eq!(
        put(tagged("eight by", &["a", "b"])).await.unwrap(),
        PutManifest::Stored
    );
    assert_eq!(usage(store, &scope).await, (20, 2));

    // Whatever adds nothing passes, even if there is too much already.
    let bounds = limited(scope.clone(), Some(1), Some(0));
    let linked = store.link_blob_within(&here, &layer, None, &bounds).await;
    linked.unwrap();
    let again = tagged("eight by", &["a", "b"]);
    let again = store.put_manifest_within(&here, &again, &bounds).await;
    assert_eq!(again.unwrap(), PutManifest::Stored);
    store.unlink_blob(&here, &layer.digest).await.unwrap();
    let linked = store.link_blob_within(&here, &layer, None, &bounds).await;
    assert_eq!(exceeded(linked).used, 8);
}

pub(super) async fn repositories_of_a_namespace_share_its_quota(store: &dyn MetadataStore) {
    let [team, app, deep, other] =
        ["common", "common/app", "common/app/deep", "commons"].map(repository);
    let scope = Scope::Namespace(team.clone());
    let link = async |name: &RepositoryName, content: &str, bounds: &Bounds| {
        let blob = blob(content);
        store.link_blob_within(name, &blob, None, bounds).await
    };
    // There before anybody counts.
    link(&app, "ten bytes!", &Bounds::NONE).await.unwrap();
    link(&other, "ten bytes!", &Bounds::NONE).await.unwrap();
    let bounds = limited(scope.clone(), Some(30), Some(1));
    link(&team, "ten bytes!", &bounds).await.unwrap();
    link(&deep, "five.", &bounds).await.unwrap();
    let refused = exceeded(link(&deep, "ten bytes!", &bounds).await);
    assert_eq!((refused.used, refused.added), (25, 10));
    assert_eq!(refused.scope, scope);
    let first = tagged("one", &["a"]);
    let pushed = store.put_manifest_within(&app, &first, &bounds).await;
    assert_eq!(pushed.unwrap(), PutManifest::Stored);
    let second = store.put_manifest_within(&deep, &first, &bounds).await;
    assert_eq!(exceeded(second).counted, Counted::Bytes);
    assert_eq!(usage(store, &scope).await, (28, 1));
    let ten = blob("ten bytes!").digest;
    assert!(store.unlink_blob(&team, &ten).await.unwrap());
    let second = store.put_manifest_within(&deep, &first, &bounds).await;
    assert_eq!(exceeded(second).counted, Counted::Tags);
    link(&deep, "ten bytes!", &bounds).await.unwrap();
    assert_eq!(usage(store, &scope).await, (28, 1));
    let outside = Scope::Repository(other);
    assert_eq!(usage(store, &outside).await, (10, 0));
}
