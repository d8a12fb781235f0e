use std::time::Duration;

use berth_spec::{Digest, SessionId};

use super::uploads::upload;
use crate::{Blob, Bounds, MetadataError, MetadataStore, TakeUpload, UploadLeases, UploadRecord};

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(600);

/// Over while one waits.
const SHORT: Duration = Duration::from_millis(50);

/// Runs the suite of [`UploadLeases`]. The store must have them.
///
/// # Panics
/// When the implementation breaks the contract.
pub async fn upload_leases(store: &dyn MetadataStore) {
    let leases = store.upload_leases().unwrap();
    let missing = leases.take_upload(SessionId::random(), "one", LONG).await;
    assert_eq!(missing.unwrap(), TakeUpload::Missing);
    a_lease_keeps_others_out(store, leases).await;
    a_lease_ends_by_itself(store, leases).await;
    a_change_and_an_end_give_the_lease_back(store, leases).await;
    who_lost_a_lease_changes_nothing(store, leases).await;
    equal_revisions_are_told_apart_by_their_holders(store, leases).await;
    what_is_renewed_does_not_expire(store, leases).await;
}

async fn begin(store: &dyn MetadataStore) -> UploadRecord {
    let created = upload(1_000_000);
    store.create_upload(&created).await.unwrap();
    created
}

async fn take(
    leases: &dyn UploadLeases,
    id: SessionId,
    holder: &str,
    duration: Duration,
) -> UploadRecord {
    match leases.take_upload(id, holder, duration).await.unwrap() {
        TakeUpload::Taken(record) => record,
        other => panic!("{other:?}"),
    }
}

/// A record as it is stored.
fn unheld(record: &UploadRecord) -> UploadRecord {
    UploadRecord {
        holder: None,
        ..record.clone()
    }
}

/// How long somebody else still has the session.
async fn held_for(leases: &dyn UploadLeases, id: SessionId, asking: &str) -> Duration {
    match leases.take_upload(id, asking, LONG).await.unwrap() {
        TakeUpload::Held { left, .. } => left,
        other => panic!("{other:?}"),
    }
}

async fn a_lease_keeps_others_out(store: &dyn MetadataStore, leases: &dyn UploadLeases) {
    let created = begin(store).await;
    let taken = take(leases, created.id, "one", LONG).await;
    assert!(taken.revision > created.revision);
    let raised = UploadRecord {
        revision: taken.revision,
        ..created.clone()
    };
    assert_eq!(taken.holder.as_deref(), Some("one"));
    assert_eq!(unheld(&taken), raised, "more than the revision was changed");
    assert_eq!(store.upload(created.id).await.unwrap(), Some(raised));
    let left = held_for(leases, created.id, "other").await;
    assert!(left <= LONG && left > LONG / 2, "{left:?}");
    // Whoever has it may take it again: the answer may have been lost.
    let again = take(leases, created.id, "one", LONG).await;
    assert!(again.revision > taken.revision);
    leases.give_back_upload(taken.state()).await.unwrap();
    held_for(leases, created.id, "other").await;
    leases.give_back_upload(again.state()).await.unwrap();
    take(leases, created.id, "other", LONG).await;
}

async fn a_lease_ends_by_itself(store: &dyn MetadataStore, leases: &dyn UploadLeases) {
    let id = begin(store).await.id;
    let taken = take(leases, id, "one", SHORT).await;
    tokio::time::sleep(SHORT * 2).await;
    // Nobody has taken it.
    assert!(leases.renew_upload(taken.state(), LONG).await.unwrap());
    held_for(leases, id, "other").await;
    assert!(leases.renew_upload(taken.state(), SHORT).await.unwrap());
    tokio::time::sleep(SHORT * 2).await;
    let other = take(leases, id, "other", LONG).await;
    assert!(other.revision > taken.revision);
    assert!(!leases.renew_upload(taken.state(), LONG).await.unwrap());
    leases.give_back_upload(taken.state()).await.unwrap();
    held_for(leases, id, "one").await;
}

async fn a_change_and_an_end_give_the_lease_back(
    store: &dyn MetadataStore,
    leases: &dyn UploadLeases,
) {
    let id = begin(store).await.id;
    let taken = take(leases, id, "one", LONG).await;
    let changed = UploadRecord {
        offset: 9,
        revision: taken.revision + 1,
        ..taken.clone()
    };
    assert!(store.update_upload(&changed).await.unwrap());
    assert!(!leases.renew_upload(taken.state(), LONG).await.unwrap());
    let other = take(leases, id, "other", LONG).await;
    assert_eq!(other.offset, 9);
    assert!(store.delete_upload(other.state()).await.unwrap());
    let ended = leases.take_upload(id, "one", LONG).await.unwrap();
    assert_eq!(ended, TakeUpload::Missing);
    assert!(!leases.renew_upload(other.state(), LONG).await.unwrap());
}

async fn who_lost_a_lease_changes_nothing(store: &dyn MetadataStore, leases: &dyn UploadLeases) {
    let id = begin(store).await.id;
    let lost = take(leases, id, "one", SHORT).await;
    tokio::time::sleep(SHORT * 2).await;
    let taken = take(leases, id, "other", LONG).await;
    let late = UploadRecord {
        offset: 1,
        revision: lost.revision + 1,
        ..lost.clone()
    };
    assert!(!store.update_upload(&late).await.unwrap());
    assert!(!store.delete_upload(lost.state()).await.unwrap());
    assert_eq!(store.upload(id).await.unwrap(), Some(unheld(&taken)));
}

/// A failover that loses changes may have the next who takes the session get a revision that somebody has.
async fn equal_revisions_are_told_apart_by_their_holders(
    store: &dyn MetadataStore,
    leases: &dyn UploadLeases,
) {
    let id = begin(store).await.id;
    let taken = take(leases, id, "one", LONG).await;
    let other = UploadRecord {
        holder: Some("other".to_owned()),
        ..taken.clone()
    };
    assert!(!leases.renew_upload(other.state(), SHORT).await.unwrap());
    leases.give_back_upload(other.state()).await.unwrap();
    assert!(held_for(leases, id, "other").await > LONG / 2);
    let next = |record: &UploadRecord| UploadRecord {
        offset: 9,
        revision: record.revision + 1,
        ..record.clone()
    };
    assert!(!store.update_upload(&next(&other)).await.unwrap());
    assert!(!store.delete_upload(other.state()).await.unwrap());
    let blob = Blob {
        digest: Digest::sha256(b"of equal revisions"),
        size: 9,
        generation: None,
    };
    let finished = store
        .link_blob_within(
            &taken.repository,
            &blob,
            Some(other.state()),
            &Bounds::default(),
        )
        .await;
    assert!(
        matches!(finished, Err(MetadataError::UploadChanged(changed)) if changed == id),
        "{finished:?}"
    );
    assert_eq!(store.upload(id).await.unwrap(), Some(unheld(&taken)));
    assert!(leases.renew_upload(taken.state(), LONG).await.unwrap());
    assert!(store.update_upload(&next(&taken)).await.unwrap());
}

async fn what_is_renewed_does_not_expire(store: &dyn MetadataStore, leases: &dyn UploadLeases) {
    let created = begin(store).await;
    let taken = take(leases, created.id, "one", LONG).await;
    assert_eq!(taken.expires_at, created.expires_at);
    assert!(leases.renew_upload(taken.state(), LONG).await.unwrap());
    let renewed = store.upload(created.id).await.unwrap().unwrap();
    assert!(renewed.expires_at > std::time::SystemTime::now() + LONG / 2);
    assert!(leases.renew_upload(taken.state(), SHORT).await.unwrap());
    let again = store.upload(created.id).await.unwrap().unwrap();
    assert_eq!(again.expires_at, renewed.expires_at, "it expires earlier");
}
