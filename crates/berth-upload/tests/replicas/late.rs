//! A replica stops in the middle of something, for longer than its lease, and wakes when another one goes on.

use std::time::Duration;

use berth_spec::Digest;
use berth_upload::{Content, UploadError};

use crate::{Stores, append, appending, begin, finish, repository, status};

const KEPT: &str = "kept";
const LOST: &str = "what the sleeper has";
const MORE: &str = ", and more";

#[tokio::test(start_paused = true)]
async fn an_append_that_wakes_late_changes_nothing() {
    for step in ["stage", "write", "sync", "update"] {
        let stores = Stores::new();
        let [sleeper, other] = [(); 2].map(|()| stores.replica());
        let id = begin(&sleeper).await;
        append(&sleeper, id, KEPT).await.unwrap();
        sleeper.trouble.stop_at(step);
        let late = appending(&sleeper, id, Content::from_bytes(LOST));
        sleeper.trouble.has_stopped().await;
        // As soon as the lease has ended.
        assert_eq!(append(&other, id, MORE).await.unwrap(), 14, "{step}");
        sleeper.trouble.go_on();
        let late = late.await.unwrap();
        assert!(
            matches!(late, Err(UploadError::Lost(lost)) if lost == id),
            "{step}: {late:?}"
        );
        assert_eq!(status(&other, id).await, 14);
        // Through the one that slept, too: nothing is left in it of what it lost.
        append(&sleeper, id, "!").await.unwrap();
        finish(&other, id, "kept, and more!").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_sleeper_wakes_while_the_other_writes() {
    for step in ["stage", "write", "sync", "update"] {
        let stores = Stores::new();
        let [sleeper, other] = [(); 2].map(|()| stores.replica());
        let id = begin(&sleeper).await;
        append(&sleeper, id, KEPT).await.unwrap();
        sleeper.trouble.stop_at(step);
        let late = appending(&sleeper, id, Content::from_bytes(LOST));
        sleeper.trouble.has_stopped().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        other.trouble.stop_at("sync");
        let meanwhile = appending(&other, id, Content::from_bytes(MORE));
        other.trouble.has_stopped().await;
        sleeper.trouble.go_on();
        assert!(late.await.unwrap().is_err(), "{step}");
        other.trouble.go_on();
        assert_eq!(meanwhile.await.unwrap().unwrap(), 14, "{step}");
        finish(&other, id, "kept, and more").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_that_wakes_late_ends_no_session() {
    for step in ["stage", "write", "close", "published"] {
        let stores = Stores::new();
        let [sleeper, other] = [(); 2].map(|()| stores.replica());
        let id = begin(&sleeper).await;
        append(&sleeper, id, KEPT).await.unwrap();
        sleeper.trouble.stop_at(step);
        let digest = Digest::sha256(format!("{KEPT}{LOST}").as_bytes());
        let uploads = sleeper.uploads.clone();
        let late = tokio::spawn(async move {
            let last = Content::from_bytes(LOST);
            uploads.finish(&repository(), id, &digest, last).await
        });
        sleeper.trouble.has_stopped().await;
        assert_eq!(append(&other, id, MORE).await.unwrap(), 14, "{step}");
        sleeper.trouble.go_on();
        match late.await.unwrap() {
            // Its bytes are what it says, but whoever makes it known learns that the session goes on.
            Ok(finished) => {
                assert_eq!(step, "published");
                let whole = [KEPT, LOST].concat();
                assert_eq!(sleeper.read(finished.name()).await, whole.as_bytes());
                assert!(!sleeper.remove(&finished).await);
                sleeper.uploads.take_back(finished).await;
            }
            Err(error) => assert!(matches!(error, UploadError::Lost(_)), "{step}: {error}"),
        }
        finish(&other, id, "kept, and more").await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_cancels_late_cancels_nothing() {
    let stores = Stores::new();
    let [sleeper, other] = [(); 2].map(|()| stores.replica());
    let id = begin(&sleeper).await;
    append(&sleeper, id, KEPT).await.unwrap();
    sleeper.trouble.stop_at("remove");
    let uploads = sleeper.uploads.clone();
    let late = tokio::spawn(async move { uploads.cancel(&repository(), id).await });
    sleeper.trouble.has_stopped().await;
    append(&other, id, MORE).await.unwrap();
    sleeper.trouble.go_on();
    assert!(matches!(late.await.unwrap(), Err(UploadError::Lost(_))));
    finish(&other, id, "kept, and more").await;
}
