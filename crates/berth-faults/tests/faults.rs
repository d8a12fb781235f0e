//! What each fault does to the store and to whoever uses it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use berth_blob::{BlobError, BlobStore, MemoryBlobs};
use berth_faults::{Fault, Faults, FaultyBlobs, FaultyMetadata, When};
use berth_metadata::{Blob, MemoryMetadata, MetadataStore};
use berth_spec::{BlobName, Digest, RepositoryName, SessionId};
use futures_util::FutureExt;

fn blob() -> Blob {
    Blob::new(Digest::sha256(b"layer"), 5)
}

/// Links a blob with this fault; what was answered, and whether it was done.
async fn link(faults: &Faults) -> (bool, bool) {
    let stored = Arc::new(MemoryMetadata::default());
    let metadata = FaultyMetadata::new(Arc::clone(&stored), faults.clone());
    let here: RepositoryName = "here".parse().unwrap();
    let answered = metadata.link_blob(&here, &blob(), None).await;
    (
        answered.is_ok(),
        stored.has_repository(&here).await.unwrap(),
    )
}

#[tokio::test]
async fn the_effect_and_the_answer_are_as_planned() {
    use When::{After, Before, Halfway};
    for (fault, expected) in [
        (Fault::Full, (false, false)),
        (Fault::Error(Before), (false, false)),
        (Fault::Error(Halfway), (false, false)),
        (Fault::Error(After), (false, true)),
        (Fault::Crash(Before), (false, false)),
        (Fault::Crash(Halfway), (false, false)),
        (Fault::Crash(After), (false, true)),
        (Fault::Yield(3), (true, true)),
        (Fault::Sleep(Duration::ZERO), (true, true)),
        (Fault::Linger(Duration::ZERO), (true, true)),
        (Fault::Late(Duration::ZERO), (true, true)),
    ] {
        assert_eq!(link(&Faults::at(1, fault)).await, expected, "{fault:?}");
    }
}

#[tokio::test]
async fn other_steps_are_unharmed_unless_it_crashed() {
    let faults = Faults::at(1, Fault::Error(When::Before));
    assert_eq!(link(&faults).await, (false, false));
    assert_eq!(link(&faults).await, (true, true));
    let faults = Faults::at(1, Fault::Crash(When::After));
    assert_eq!(link(&faults).await, (false, true));
    assert_eq!(link(&faults).await, (false, false));
    assert!(faults.has_crashed());
    assert_eq!(faults.steps(), ["link_blob"]);
}

#[tokio::test]
async fn nothing_goes_wrong_after_the_faults_have_ceased() {
    let faults = Faults::planned(|_, _| Some(Fault::Full));
    assert_eq!(link(&faults).await, (false, false));
    faults.cease();
    assert_eq!(link(&faults).await, (true, true));
}

#[tokio::test]
async fn nobody_hears_of_what_was_under_way_when_it_crashed() {
    let plan = |step, _: &str| match step {
        1 => Some(Fault::Yield(1)),
        _ => Some(Fault::Crash(When::Before)),
    };
    let faults = Faults::planned(plan);
    let mut slow = std::pin::pin!(link(&faults));
    assert!(slow.as_mut().now_or_never().is_none());
    assert_eq!(link(&faults).await, (false, false));
    assert_eq!(slow.await, (false, false));
}

#[tokio::test(start_paused = true)]
async fn what_is_late_is_done_also_if_nobody_waits() {
    let stored = Arc::new(MemoryBlobs::default());
    let faults = Faults::at(1, Fault::Late(Duration::from_millis(5)));
    let blobs = FaultyBlobs::new(Arc::clone(&stored), faults.clone());
    let digest = Digest::sha256(b"");
    let publish = blobs.publish(SessionId::random(), 0, &digest);
    assert!(publish.now_or_never().is_none());
    assert_eq!(faults.moments(), 1);
    assert!(stored.open(&digest.clone().into()).await.unwrap().is_none());
    tokio::time::sleep(Duration::from_millis(6)).await;
    assert!(stored.open(&digest.clone().into()).await.unwrap().is_some());
}

#[tokio::test]
async fn half_of_what_is_to_be_deleted_is() {
    let stored = Arc::new(MemoryBlobs::default());
    let contents: [&[u8]; 2] = [b"one", b"two"];
    for content in contents {
        let session = SessionId::random();
        let mut writer = stored.stage(session, 0).await.unwrap();
        writer.write(vec![content.into()]).await.unwrap();
        let digest = Digest::sha256(content);
        stored.publish(session, 3, &digest).await.unwrap();
    }
    let names = contents.map(|content| BlobName::from(Digest::sha256(content)));
    let faults = Faults::at(1, Fault::Error(When::Halfway));
    let blobs = FaultyBlobs::new(Arc::clone(&stored), faults);
    assert!(matches!(blobs.delete(&names).await, Err(BlobError::Io(_))));
    assert!(stored.open(&names[0]).await.unwrap().is_none());
    assert!(stored.open(&names[1]).await.unwrap().is_some());
}
