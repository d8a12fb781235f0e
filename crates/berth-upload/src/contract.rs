//! The contract of [`SessionRecords`], as tests that every implementation runs.

use std::time::{Duration, SystemTime};

use berth_spec::{Algorithm, Hasher, SessionId};

use crate::{SessionRecord, SessionRecords};

/// Runs the whole suite. The records must be empty.
///
/// # Panics
/// When the implementation breaks the contract.
#[allow(clippy::panic, clippy::unwrap_used)]
pub async fn session_records(records: &dyn SessionRecords) {
    what_is_created_can_be_loaded(records).await;
    an_update_needs_the_revision_before_it(records).await;
    what_is_removed_is_gone(records).await;
    the_longest_expired_come_first(records).await;
}

/// A record of a new session, expiring so many seconds after the epoch.
fn record(expires_at: u64) -> SessionRecord {
    #[allow(clippy::unwrap_used)]
    let repository = "library/alpine".parse().unwrap();
    SessionRecord {
        id: SessionId::random(),
        repository,
        algorithm: Algorithm::Sha512,
        offset: 0,
        hash_state: Hasher::new(Algorithm::Sha512).state(),
        revision: 0,
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(expires_at),
    }
}

#[allow(clippy::unwrap_used)]
async fn what_is_created_can_be_loaded(records: &dyn SessionRecords) {
    let stored = record(10_000);
    assert_eq!(records.load(stored.id).await.unwrap(), None);
    records.create(&stored).await.unwrap();
    assert_eq!(records.load(stored.id).await.unwrap(), Some(stored));
}

#[allow(clippy::unwrap_used)]
async fn an_update_needs_the_revision_before_it(records: &dyn SessionRecords) {
    let stored = record(10_000);
    records.create(&stored).await.unwrap();
    let next = SessionRecord {
        offset: 7,
        hash_state: vec![1, 2, 3],
        revision: 1,
        ..stored.clone()
    };
    let skipping = SessionRecord {
        revision: 2,
        ..next.clone()
    };
    assert!(!records.update(&skipping).await.unwrap());
    assert!(!records.update(&stored).await.unwrap());
    assert_eq!(records.load(stored.id).await.unwrap(), Some(stored.clone()));
    assert!(records.update(&next).await.unwrap());
    assert!(
        !records.update(&next).await.unwrap(),
        "the same revision was taken twice"
    );
    assert_eq!(records.load(stored.id).await.unwrap(), Some(next));
    assert!(
        !records
            .update(&SessionRecord {
                revision: 1,
                ..record(1)
            })
            .await
            .unwrap()
    );
}

#[allow(clippy::unwrap_used)]
async fn what_is_removed_is_gone(records: &dyn SessionRecords) {
    let stored = record(10_000);
    records.create(&stored).await.unwrap();
    assert!(records.remove(stored.id).await.unwrap());
    assert!(!records.remove(stored.id).await.unwrap());
    assert_eq!(records.load(stored.id).await.unwrap(), None);
    assert!(
        !records
            .update(&SessionRecord {
                revision: 1,
                ..stored
            })
            .await
            .unwrap()
    );
}

#[allow(clippy::unwrap_used)]
async fn the_longest_expired_come_first(records: &dyn SessionRecords) {
    let [third, first, second, later] = [30, 10, 20, 40].map(record);
    for stored in [&third, &first, &second, &later] {
        records.create(stored).await.unwrap();
    }
    let now = third.expires_at;
    let expired = records.expired(now, 100).await.unwrap();
    assert_eq!(expired, [first.id, second.id, third.id]);
    assert_eq!(
        records.expired(now, 2).await.unwrap(),
        [first.id, second.id]
    );
    let before = SystemTime::UNIX_EPOCH + Duration::from_secs(9);
    assert_eq!(records.expired(before, 100).await.unwrap(), []);
}
