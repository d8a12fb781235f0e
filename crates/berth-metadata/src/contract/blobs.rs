use std::time::SystemTime;

use berth_spec::{Algorithm, Digest, SessionId};

use super::{blob, repository};
use crate::{Blob, MetadataError, MetadataStore, UploadRecord};

pub(super) async fn a_blob_is_seen_only_through_its_repositories(store: &dyn MetadataStore) {
    let (here, elsewhere) = (repository("blobs/here"), repository("blobs/elsewhere"));
    let layer = blob("seen through its repository");
    assert!(!store.has_repository(&here).await.unwrap());
    assert_eq!(store.blob(&here, &layer.digest).await.unwrap(), None);
    store.link_blob(&here, &layer, None).await.unwrap();
    assert!(store.has_repository(&here).await.unwrap());
    assert_eq!(
        store.blob(&here, &layer.digest).await.unwrap(),
        Some(layer.clone())
    );
    assert_eq!(store.blob(&elsewhere, &layer.digest).await.unwrap(), None);
    assert!(!store.has_repository(&elsewhere).await.unwrap());

    let long = Blob::new(Digest::of(Algorithm::Sha512, b""), 0);
    store.link_blob(&here, &long, None).await.unwrap();
    assert_eq!(store.blob(&here, &long.digest).await.unwrap(), Some(long));
}

pub(super) async fn linking_again_is_no_error_but_another_size_is(store: &dyn MetadataStore) {
    let (first, second) = (repository("again/first"), repository("again/second"));
    let layer = blob("linked again");
    store.link_blob(&first, &layer, None).await.unwrap();
    store.link_blob(&first, &layer, None).await.unwrap();
    let larger = Blob {
        size: layer.size + 1,
        ..layer.clone()
    };
    let error = store.link_blob(&second, &larger, None).await.unwrap_err();
    assert!(
        matches!(&error, MetadataError::SizeConflict { recorded, given, .. } if (*recorded, *given) == (layer.size, larger.size)),
        "{error:?}"
    );
    assert!(
        !store.has_repository(&second).await.unwrap(),
        "a failed link made a repository"
    );
    assert_eq!(
        store.blob(&first, &layer.digest).await.unwrap(),
        Some(layer)
    );
}

pub(super) async fn linking_ends_the_upload(store: &dyn MetadataStore) {
    let here = repository("ends/the-upload");
    let upload = UploadRecord {
        id: SessionId::random(),
        repository: here.clone(),
        algorithm: Algorithm::Sha256,
        offset: 0,
        hash_state: Vec::new(),
        revision: 0,
        expires_at: SystemTime::UNIX_EPOCH,
        holder: None,
    };
    store.create_upload(&upload).await.unwrap();
    assert!(
        !store.has_repository(&here).await.unwrap(),
        "an upload made a repository"
    );
    let layer = blob("ends the upload");
    let larger = Blob {
        size: layer.size + 1,
        ..layer.clone()
    };
    store
        .link_blob(&repository("ends/before"), &layer, None)
        .await
        .unwrap();
    store
        .link_blob(&here, &larger, Some(upload.state()))
        .await
        .unwrap_err();
    let changed = UploadRecord {
        revision: 1,
        ..upload.clone()
    };
    assert!(store.update_upload(&changed).await.unwrap());
    let stale = store.link_blob(&here, &layer, Some(upload.state())).await;
    assert!(matches!(stale, Err(MetadataError::UploadChanged(id)) if id == upload.id));
    assert!(
        store.upload(upload.id).await.unwrap().is_some(),
        "a failed link ended the upload"
    );
    assert_eq!(store.blob(&here, &layer.digest).await.unwrap(), None);
    store
        .link_blob(&here, &layer, Some(changed.state()))
        .await
        .unwrap();
    assert_eq!(store.upload(upload.id).await.unwrap(), None);
    let ended = store.link_blob(&here, &layer, Some(changed.state())).await;
    assert!(matches!(ended, Err(MetadataError::UploadChanged(_))));
}

pub(super) async fn a_mount_needs_a_repository_that_has_it(store: &dyn MetadataStore) {
    let [from, to, other] = ["mount/from", "mount/to", "mount/other"].map(repository);
    let layer = blob("to be mounted");
    store
        .link_blob(&other, &blob("something else"), None)
        .await
        .unwrap();
    for source in [Some(&from), Some(&other), None] {
        let mountable = store.mountable_blob(source, &layer.digest).await;
        assert_eq!(mountable.unwrap(), None);
        assert_eq!(
            store.mount_blob(&to, source, &layer.digest).await.unwrap(),
            None
        );
    }
    assert!(
        !store.has_repository(&to).await.unwrap(),
        "a failed mount made a repository"
    );

    store.link_blob(&from, &layer, None).await.unwrap();
    for (source, expected) in [(Some(&from), true), (Some(&other), false), (None, true)] {
        let mountable = store.mountable_blob(source, &layer.digest).await;
        assert_eq!(mountable.unwrap(), expected.then(|| layer.clone()));
    }
    assert!(!store.has_repository(&to).await.unwrap());
    assert_eq!(
        store
            .mount_blob(&to, Some(&other), &layer.digest)
            .await
            .unwrap(),
        None
    );
    let mounted = store
        .mount_blob(&to, Some(&from), &layer.digest)
        .await
        .unwrap();
    assert_eq!(mounted, Some(layer.clone()));
    assert_eq!(
        store.blob(&to, &layer.digest).await.unwrap(),
        Some(layer.clone())
    );
    for source in [Some(&to), Some(&from), None] {
        let again = store.mount_blob(&to, source, &layer.digest).await.unwrap();
        assert_eq!(again, Some(layer.clone()));
    }
    let anywhere = store
        .mount_blob(&repository("mount/any"), None, &layer.digest)
        .await
        .unwrap();
    assert_eq!(anywhere, Some(layer));
}

pub(super) async fn unlinking_takes_one_repository_only(store: &dyn MetadataStore) {
    let (first, second) = (repository("unlink/first"), repository("unlink/second"));
    let layer = blob("in two repositories");
    assert!(!store.unlink_blob(&first, &layer.digest).await.unwrap());
    store.link_blob(&first, &layer, None).await.unwrap();
    store.link_blob(&second, &layer, None).await.unwrap();
    assert!(store.unlink_blob(&first, &layer.digest).await.unwrap());
    assert!(!store.unlink_blob(&first, &layer.digest).await.unwrap());
    assert_eq!(store.blob(&first, &layer.digest).await.unwrap(), None);
    assert_eq!(
        store.blob(&second, &layer.digest).await.unwrap(),
        Some(layer.clone())
    );
    assert!(store.has_repository(&first).await.unwrap());

    // Nobody has it: it cannot be mounted, but it can be pushed again.
    assert!(store.unlink_blob(&second, &layer.digest).await.unwrap());
    assert_eq!(
        store.mount_blob(&first, None, &layer.digest).await.unwrap(),
        None
    );
    store.link_blob(&first, &layer, None).await.unwrap();
    assert_eq!(
        store.blob(&first, &layer.digest).await.unwrap(),
        Some(layer)
    );
}
