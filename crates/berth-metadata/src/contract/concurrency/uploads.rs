use std::sync::Arc;
use std::time::SystemTime;

use berth_spec::{Algorithm, SessionId};
use tokio::task::JoinSet;

use super::of;
use crate::contract::repository;
use crate::{MetadataStore, UploadRecord};

/// Many go on with one upload session from the same place.
///
/// # Panics
/// When not exactly one of them succeeds.
pub async fn one_change_of_an_upload_wins(openings: &[Arc<dyn MetadataStore>]) {
    let upload = UploadRecord {
        id: SessionId::random(),
        repository: repository("uploaded"),
        algorithm: Algorithm::Sha256,
        offset: 0,
        hash_state: vec![1, 2, 3],
        revision: 0,
        expires_at: SystemTime::UNIX_EPOCH,
    };
    openings[0].create_upload(&upload).await.unwrap();
    for revision in 1..=5 {
        let mut changes = JoinSet::new();
        for number in 0..20 {
            let store = of(openings, number);
            let changed = UploadRecord {
                offset: number as u64,
                revision,
                ..upload.clone()
            };
            changes.spawn(async move {
                let is_first = store.update_upload(&changed).await.unwrap();
                is_first.then_some(changed)
            });
        }
        let won: Vec<UploadRecord> = changes.join_all().await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        for store in openings {
            let stored = store.upload(upload.id).await.unwrap();
            assert_eq!(stored.as_ref(), won.first());
        }
    }
}
