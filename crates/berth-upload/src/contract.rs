//! The contract of [`SessionRecords`] and [`SessionLeases`], as tests that every implementation runs.

use std::time::{Duration, SystemTime};

use berth_spec::{Algorithm, Hasher, SessionId};

use crate::{HeldRevision, SessionLeases, SessionRecord, SessionRecords, Take};

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
        holder: None,
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
    let other = SessionRecord {
        revision: 1,
        ..stored.clone()
    };
    assert!(!records.remove(&other).await.unwrap());
    assert!(records.remove(&stored).await.unwrap());
    assert!(!records.remove(&stored).await.unwrap());
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

/// Runs the suite of [`SessionLeases`]. The records must have them.
///
/// # Panics
/// When the implementation breaks the contract.
#[allow(clippy::panic, clippy::unwrap_used)]
pub async fn session_leases(records: &dyn SessionRecords) {
    let leases = records.leases().unwrap();
    let missing = leases.take(SessionId::random(), "one", LONG).await.unwrap();
    assert_eq!(missing, Take::Missing);
    a_lease_keeps_others_out_until_it_ends(records, leases).await;
    a_change_and_an_end_give_the_lease_back(records, leases).await;
    equal_revisions_are_told_apart_by_their_holders(records, leases).await;
}

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(600);

/// Over while one waits.
const SHORT: Duration = Duration::from_millis(50);

#[allow(clippy::panic, clippy::unwrap_used)]
async fn taken(
    leases: &dyn SessionLeases,
    id: SessionId,
    holder: &str,
    duration: Duration,
) -> SessionRecord {
    match leases.take(id, holder, duration).await.unwrap() {
        Take::Taken(record) => record,
        other => panic!("{other:?}"),
    }
}

#[allow(clippy::unwrap_used)]
fn held(record: &SessionRecord) -> HeldRevision {
    HeldRevision {
        id: record.id,
        revision: record.revision,
        holder: record.holder.clone().unwrap(),
    }
}

#[allow(clippy::unwrap_used)]
async fn is_held(leases: &dyn SessionLeases, id: SessionId, asking: &str) -> bool {
    let take = leases.take(id, asking, LONG).await.unwrap();
    matches!(take, Take::Held { left, .. } if left <= LONG && !left.is_zero())
}

#[allow(clippy::unwrap_used)]
async fn a_lease_keeps_others_out_until_it_ends(
    records: &dyn SessionRecords,
    leases: &dyn SessionLeases,
) {
    let stored = record(10_000);
    let id = stored.id;
    records.create(&stored).await.unwrap();
    let first = taken(leases, id, "one", LONG).await;
    let raised = SessionRecord {
        revision: first.revision,
        holder: Some("one".to_owned()),
        ..stored.clone()
    };
    assert!(first.revision > stored.revision);
    assert_eq!(first, raised, "more than the revision was changed");
    assert!(is_held(leases, id, "other").await);
    let again = taken(leases, id, "one", LONG).await;
    leases.give_back(&held(&first)).await.unwrap();
    assert!(is_held(leases, id, "other").await);
    leases.give_back(&held(&again)).await.unwrap();
    let other = taken(leases, id, "other", SHORT).await;
    assert!(leases.renew(&held(&other), LONG).await.unwrap());
    assert!(!leases.renew(&held(&again), LONG).await.unwrap());
    let renewed = records.load(id).await.unwrap().unwrap();
    assert!(renewed.expires_at > SystemTime::now() + LONG / 2);
    tokio::time::sleep(SHORT * 2).await;
    assert!(is_held(leases, id, "one").await);
    assert!(leases.renew(&held(&other), SHORT).await.unwrap());
    tokio::time::sleep(SHORT * 2).await;
    let last = taken(leases, id, "one", LONG).await;
    assert!(last.revision > other.revision);
    let late = SessionRecord {
        revision: other.revision + 1,
        ..other.clone()
    };
    assert!(!records.update(&late).await.unwrap());
    assert!(!records.remove(&other).await.unwrap());
}

#[allow(clippy::unwrap_used)]
async fn a_change_and_an_end_give_the_lease_back(
    records: &dyn SessionRecords,
    leases: &dyn SessionLeases,
) {
    let stored = record(10_000);
    let id = stored.id;
    records.create(&stored).await.unwrap();
    let first = taken(leases, id, "one", LONG).await;
    let changed = SessionRecord {
        offset: 9,
        revision: first.revision + 1,
        ..first.clone()
    };
    assert!(records.update(&changed).await.unwrap());
    assert!(!leases.renew(&held(&first), LONG).await.unwrap());
    let other = taken(leases, id, "other", LONG).await;
    assert_eq!(other.offset, 9);
    assert!(records.remove(&other).await.unwrap());
    let ended = leases.take(id, "one", LONG).await.unwrap();
    assert_eq!(ended, Take::Missing);
}

/// Records that lost what was changed last, as by a failover, may give one revision to two.
#[allow(clippy::unwrap_used)]
async fn equal_revisions_are_told_apart_by_their_holders(
    records: &dyn SessionRecords,
    leases: &dyn SessionLeases,
) {
    let stored = record(10_000);
    let id = stored.id;
    records.create(&stored).await.unwrap();
    let first = taken(leases, id, "one", LONG).await;
    let other = SessionRecord {
        holder: Some("other".to_owned()),
        ..first.clone()
    };
    assert!(!leases.renew(&held(&other), SHORT).await.unwrap());
    leases.give_back(&held(&other)).await.unwrap();
    assert!(is_held(leases, id, "other").await);
    let next = |record: &SessionRecord| SessionRecord {
        offset: 9,
        revision: record.revision + 1,
        ..record.clone()
    };
    assert!(!records.update(&next(&other)).await.unwrap());
    assert!(!records.remove(&other).await.unwrap());
    assert_eq!(records.load(id).await.unwrap().unwrap().offset, 0);
    assert!(leases.renew(&held(&first), LONG).await.unwrap());
    assert!(records.update(&next(&first)).await.unwrap());
}
