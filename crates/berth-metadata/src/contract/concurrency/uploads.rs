use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_spec::{Algorithm, SessionId};
use tokio::task::JoinSet;

use super::of;
use crate::contract::repository;
use crate::{MetadataStore, TakeUpload, UploadRecord};

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
        holder: None,
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

/// Many take one upload session again and again, and each counts what it finds there and adds one.
///
/// # Panics
/// When two have it at once, or a count is lost.
pub async fn one_has_an_upload_at_a_time(openings: &[Arc<dyn MetadataStore>]) {
    const HOLDERS: u64 = 6;
    const TIMES: u64 = 8;
    let upload = UploadRecord {
        id: SessionId::random(),
        repository: repository("leased"),
        algorithm: Algorithm::Sha256,
        offset: 0,
        hash_state: vec![1, 2, 3],
        revision: 0,
        expires_at: SystemTime::UNIX_EPOCH,
        holder: None,
    };
    openings[0].create_upload(&upload).await.unwrap();
    let mut holders = JoinSet::new();
    for number in 0..HOLDERS {
        let store = of(openings, usize::try_from(number).unwrap());
        holders.spawn(async move {
            for _ in 0..TIMES {
                count_one(&*store, upload.id, &number.to_string()).await;
            }
        });
    }
    holders.join_all().await;
    let counted = openings[0].upload(upload.id).await.unwrap().unwrap();
    assert_eq!(counted.offset, HOLDERS * TIMES);
}

async fn count_one(store: &dyn MetadataStore, id: SessionId, holder: &str) {
    let leases = store.upload_leases().unwrap();
    let taken = loop {
        let taken = leases.take_upload(id, holder, Duration::from_secs(600));
        match taken.await.unwrap() {
            TakeUpload::Taken(record) => break record,
            TakeUpload::Held { .. } => tokio::time::sleep(Duration::from_millis(2)).await,
            TakeUpload::Missing => panic!("the session is gone"),
        }
    };
    let counted = UploadRecord {
        offset: taken.offset + 1,
        revision: taken.revision + 1,
        ..taken
    };
    let is_alone = store.update_upload(&counted).await.unwrap();
    assert!(is_alone, "somebody else had it");
}
