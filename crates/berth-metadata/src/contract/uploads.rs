use std::time::{Duration, SystemTime};

use berth_spec::{Algorithm, SessionId};

use super::repository;
use crate::{MetadataStore, UploadRecord};

/// A record of a new session, expiring so many milliseconds after the epoch.
pub(super) fn upload(expires_at: u64) -> UploadRecord {
    UploadRecord {
        id: SessionId::random(),
        repository: repository("library/alpine"),
        algorithm: Algorithm::Sha512,
        offset: 0,
        hash_state: vec![0, 1, 255],
        revision: 0,
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_millis(expires_at),
        holder: None,
    }
}

pub(super) async fn what_is_created_is_found_until_deleted(store: &dyn MetadataStore) {
    let created = upload(1_000_000);
    assert_eq!(store.upload(created.id).await.unwrap(), None);
    store.create_upload(&created).await.unwrap();
    assert_eq!(
        store.upload(created.id).await.unwrap(),
        Some(created.clone())
    );
    assert!(store.delete_upload(created.state()).await.unwrap());
    assert!(!store.delete_upload(created.state()).await.unwrap());
    assert_eq!(store.upload(created.id).await.unwrap(), None);

    let between = Duration::from_nanos(123_456);
    let created = UploadRecord {
        expires_at: created.expires_at + between,
        ..upload(1)
    };
    store.create_upload(&created).await.unwrap();
    let kept = store.upload(created.id).await.unwrap().unwrap().expires_at;
    assert_eq!(
        kept,
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_000_000)
    );
    assert!(store.delete_upload(created.state()).await.unwrap());
}

pub(super) async fn an_update_needs_the_revision_before_it(store: &dyn MetadataStore) {
    let created = upload(1_000_000);
    let updated = UploadRecord {
        algorithm: Algorithm::Sha256,
        offset: 1 << 40,
        hash_state: vec![9],
        revision: 1,
        expires_at: created.expires_at + Duration::from_millis(1),
        ..created.clone()
    };
    assert!(
        !store.update_upload(&updated).await.unwrap(),
        "there is no such session"
    );
    store.create_upload(&created).await.unwrap();
    for revision in [0, 2] {
        let stale = UploadRecord {
            revision,
            ..updated.clone()
        };
        assert!(!store.update_upload(&stale).await.unwrap());
        assert_eq!(
            store.upload(created.id).await.unwrap(),
            Some(created.clone())
        );
    }
    assert!(store.update_upload(&updated).await.unwrap());
    assert!(!store.update_upload(&updated).await.unwrap());
    assert!(!store.delete_upload(created.state()).await.unwrap());
    assert_eq!(
        store.upload(created.id).await.unwrap(),
        Some(updated.clone())
    );
    assert!(store.delete_upload(updated.state()).await.unwrap());
}

pub(super) async fn the_longest_expired_come_first(store: &dyn MetadataStore) {
    let [third, first, second, later] = [30, 10, 20, 40].map(upload);
    for record in [&third, &first, &second, &later] {
        store.create_upload(record).await.unwrap();
    }
    let expired = async |now: &UploadRecord, limit| -> Vec<SessionId> {
        store.expired_uploads(now.expires_at, limit).await.unwrap()
    };
    assert_eq!(expired(&third, 10).await, [first.id, second.id, third.id]);
    assert_eq!(expired(&third, 2).await, [first.id, second.id]);
    assert_eq!(expired(&upload(9), 10).await, []);
}
