//! Who may work on a session, and when.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use berth_blob::BlobStore;
use berth_spec::{Digest, SessionId};
use berth_upload::{BodyError, Content, UploadError};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::replica::Replica;
use crate::{LIFETIME, Stores, append, appending, begin, finish, repository, status};

/// How long a lease lasts.
const LEASE: Duration = Duration::from_secs(15);

type Sender = mpsc::Sender<Result<Bytes, BodyError>>;

/// An append of which the end does not come until the sender is dropped.
async fn slow(replica: &Replica, id: SessionId) -> (Sender, JoinHandle<Result<u64, UploadError>>) {
    let (mut sender, receiver) = mpsc::channel(0);
    let content = Content {
        range: None,
        length: None,
        body: receiver.boxed(),
    };
    let append = appending(replica, id, content);
    sender.send(Ok(Bytes::from("slow "))).await.unwrap();
    sender.send(Ok(Bytes::from("bytes"))).await.unwrap();
    (sender, append)
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_from_replica_to_replica_without_a_wait() {
    let stores = Stores::new();
    let replicas = [(); 3].map(|()| stores.replica());
    let id = begin(&replicas[0]).await;
    let begun = Instant::now();
    let mut whole = String::new();
    for number in 0..9 {
        whole.push_str("piece ");
        let offset = append(&replicas[number % 3], id, "piece ").await.unwrap();
        assert_eq!(offset, whole.len() as u64);
        assert_eq!(status(&replicas[(number + 1) % 3], id).await, offset);
    }
    let wrong = Digest::sha256(b"something else");
    let (uploads, here) = (&replicas[1].uploads, repository());
    let refused = uploads.finish(&here, id, &wrong, Content::empty());
    assert!(matches!(
        refused.await,
        Err(UploadError::DigestMismatch { .. })
    ));
    finish(&replicas[2], id, &whole).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_replica_that_lives_is_busy() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    let (sender, append_slowly) = slow(&holder, id).await;
    for _ in 0..3 {
        let begun = Instant::now();
        let refused = append(&other, id, "other").await;
        assert!(matches!(refused, Err(UploadError::Busy(busy)) if busy == id));
        assert!(begun.elapsed() < LEASE / 2, "{:?}", begun.elapsed());
    }
    let refused = other.uploads.cancel(&repository(), id).await;
    assert!(matches!(refused, Err(UploadError::Busy(_))));
    // For many leases.
    tokio::time::sleep(LEASE * 10).await;
    // Who waits when it ends goes on.
    let waiting = appending(&other, id, Content::from_bytes("!"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(sender);
    assert_eq!(append_slowly.await.unwrap().unwrap(), 10);
    assert_eq!(waiting.await.unwrap().unwrap(), 11);
    finish(&holder, id, "slow bytes!").await;
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_renew_stops_when_it_learns_that_another_has_begun() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    append(&holder, id, "kept").await.unwrap();
    let (_sender, append_slowly) = slow(&holder, id).await;
    tokio::time::sleep(LEASE).await;
    holder.trouble.is_away.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    // The first look finds a lease that was renewed before, and no later one finds another.
    assert_eq!(append(&other, id, ", and more").await.unwrap(), 14);
    assert!(begun.elapsed() <= LEASE + Duration::from_secs(1));
    // Nothing comes of its client, so nothing tells it.
    assert!(!append_slowly.is_finished());
    holder.trouble.is_away.store(false, Ordering::SeqCst);
    let begun = Instant::now();
    let lost = append_slowly.await.unwrap();
    assert!(matches!(lost, Err(UploadError::Lost(_))), "{lost:?}");
    assert!(begun.elapsed() <= Duration::from_secs(2));
    finish(&other, id, "kept, and more").await;
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_renew_and_ends_late_changes_nothing() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    append(&holder, id, "kept").await.unwrap();
    let (mut sender, append_slowly) = slow(&holder, id).await;
    holder.trouble.is_away.store(true, Ordering::SeqCst);
    assert_eq!(append(&other, id, ", and more").await.unwrap(), 14);
    // What it still writes nobody counts.
    let _refused = sender.send(Ok(Bytes::from("and lost"))).await;
    drop(sender);
    assert!(append_slowly.await.unwrap().is_err());
    holder.trouble.is_away.store(false, Ordering::SeqCst);
    assert_eq!(status(&holder, id).await, 14);
    finish(&holder, id, "kept, and more").await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_for_many_leases_stops_nobody() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    let (mut sender, append_slowly) = slow(&holder, id).await;
    for replica in [&holder, &other] {
        replica.trouble.is_away.store(true, Ordering::SeqCst);
    }
    tokio::time::sleep(LEASE * 10).await;
    sender.send(Ok(Bytes::from(" go on"))).await.unwrap();
    for replica in [&holder, &other] {
        replica.trouble.is_away.store(false, Ordering::SeqCst);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = append(&other, id, "other").await;
    assert!(matches!(refused, Err(UploadError::Busy(_))), "{refused:?}");
    drop(sender);
    assert_eq!(append_slowly.await.unwrap().unwrap(), 16);
    finish(&other, id, "slow bytes go on").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_does_not_wait_for_a_lease_that_cannot_be_given_back() {
    let stores = Stores::new();
    let holder = stores.replica();
    let id = begin(&holder).await;
    holder.trouble.stop_at("give_back");
    let begun = Instant::now();
    let wrong = Content {
        range: Some(5..6),
        ..Content::from_bytes("?")
    };
    let refused = holder.uploads.append(&repository(), id, wrong).await;
    assert!(
        matches!(refused, Err(UploadError::OutOfOrder { .. })),
        "{refused:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(2));
    holder.trouble.has_stopped().await;
    holder.trouble.go_on();
    append(&holder, id, "all").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_for_a_moment_stops_nobody() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    let (sender, append_slowly) = slow(&holder, id).await;
    for _ in 0..5 {
        holder.trouble.is_away.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(8)).await;
        holder.trouble.is_away.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let refused = append(&other, id, "other").await;
    assert!(matches!(refused, Err(UploadError::Busy(_))));
    drop(sender);
    assert_eq!(append_slowly.await.unwrap().unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_keeps_only_others_waiting() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    holder.trouble.loses_answer.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    assert!(append(&holder, id, "lost").await.is_err());
    assert_eq!(append(&holder, id, "again").await.unwrap(), 5);
    assert!(begun.elapsed() < Duration::from_secs(1));
    holder.trouble.loses_answer.store(true, Ordering::SeqCst);
    assert!(append(&holder, id, "lost").await.is_err());
    assert_eq!(append(&other, id, "!").await.unwrap(), 6);
    assert!(begun.elapsed() <= LEASE + Duration::from_secs(1));
    finish(&holder, id, "again!").await;
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_works_on_does_not_expire() {
    let stores = Stores::new();
    let [holder, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&holder).await;
    let (sender, append_slowly) = slow(&holder, id).await;
    let later = SystemTime::now() + 2 * LIFETIME;
    assert_eq!(other.uploads.expire(later).await.unwrap(), 0);
    drop(sender);
    assert_eq!(append_slowly.await.unwrap().unwrap(), 10);
    let before = SystemTime::now();
    assert_eq!(other.uploads.expire(before).await.unwrap(), 0);
    assert_eq!(other.uploads.expire(later).await.unwrap(), 1);
    assert_eq!(stores.blobs.staged().await.unwrap(), []);
    assert!(append(&holder, id, "late").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn bytes_of_no_session_are_removed_when_they_are_old() {
    let stores = Stores::new();
    let [here, there] = [(); 2].map(|()| stores.replica());
    let digest = Digest::sha256(b"whole");
    // Another replica may be pushing it.
    let pushing = there
        .uploads
        .push_whole(&digest, Content::from_bytes("whole"))
        .await
        .unwrap();
    let ages = [None, Some(Duration::ZERO), Some(LIFETIME / 2)];
    for age in ages {
        let touched_at = age.map(|age| SystemTime::now() - age);
        *here.trouble.touched_at.lock().unwrap() = touched_at;
        assert_eq!(here.uploads.remove_orphans().await.unwrap(), 0, "{age:?}");
    }
    drop(pushing);
    *here.trouble.touched_at.lock().unwrap() = Some(SystemTime::now() - 2 * LIFETIME);
    let id = begin(&there).await;
    append(&there, id, "has a record").await.unwrap();
    assert_eq!(here.uploads.remove_orphans().await.unwrap(), 1);
    finish(&here, id, "has a record").await;
}
