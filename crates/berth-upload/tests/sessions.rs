//! What the model does not reach: two requests at once, time, crashes, and the records' contract.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use berth_blob::{BlobStore, MemoryBlobs};
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId};
use berth_upload::{
    BodyError, Content, MemorySessionRecords, RecordsError, SessionRecord, SessionRecords,
    UploadError, Uploads, contract,
};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::{FutureExt, SinkExt, StreamExt};

const LIFETIME: Duration = Duration::from_secs(3600);

struct World {
    blobs: Arc<MemoryBlobs>,
    records: Arc<MemorySessionRecords>,
    uploads: Uploads,
    repository: RepositoryName,
}

fn world() -> World {
    let blobs = Arc::new(MemoryBlobs::default());
    let records = Arc::new(MemorySessionRecords::default());
    World {
        uploads: Uploads::new(blobs.clone(), records.clone(), LIFETIME),
        blobs,
        records,
        repository: "library/alpine".parse().unwrap(),
    }
}

type Sender = mpsc::Sender<Result<Bytes, BodyError>>;

/// A body that goes on as long as the sender says.
fn open_body() -> (Sender, Content) {
    let (sender, receiver) = mpsc::channel(0);
    let content = Content {
        range: None,
        length: None,
        body: receiver.boxed(),
    };
    (sender, content)
}

impl World {
    async fn begin(&self) -> SessionId {
        self.uploads
            .begin(&self.repository, Algorithm::Sha256)
            .await
            .unwrap()
    }

    /// Starts an append that does not end before its sender is dropped.
    async fn appending(
        &self,
        id: SessionId,
    ) -> (Sender, tokio::task::JoinHandle<Result<u64, UploadError>>) {
        let (mut sender, content) = open_body();
        let (uploads, repository) = (self.uploads.clone(), self.repository.clone());
        let append = tokio::spawn(async move { uploads.append(&repository, id, content).await });
        // The channel has room for one: when the second is taken, the machine has the first.
        sender.send(Ok(Bytes::from("first "))).await.unwrap();
        sender.send(Ok(Bytes::from("second "))).await.unwrap();
        (sender, append)
    }
}

#[tokio::test]
async fn memory_records_keep_the_contract() {
    contract::session_records(&MemorySessionRecords::default()).await;
}

#[tokio::test]
async fn of_two_writers_one_wins_and_the_other_is_told() {
    let world = world();
    let id = world.begin().await;
    let (sender, append) = world.appending(id).await;
    let second = world
        .uploads
        .append(&world.repository, id, Content::from_bytes("other"))
        .await;
    assert!(matches!(second, Err(UploadError::Busy(busy)) if busy == id));
    let digest = Digest::sha256(b"");
    let finish = world
        .uploads
        .finish(&world.repository, id, &digest, Content::empty())
        .await;
    assert!(matches!(finish, Err(UploadError::Busy(_))));
    let cancel = world.uploads.cancel(&world.repository, id).await;
    assert!(matches!(cancel, Err(UploadError::Busy(_))));
    assert_eq!(
        world.uploads.status(&world.repository, id).await.unwrap(),
        0
    );
    drop(sender);
    assert_eq!(append.await.unwrap().unwrap(), 13);
    let digest = Digest::sha256(b"first second ");
    let finished = world
        .uploads
        .finish(&world.repository, id, &digest, Content::empty())
        .await;
    assert_eq!(finished.unwrap().size(), 13);
}

#[tokio::test]
async fn an_append_goes_on_when_its_caller_stops_waiting() {
    let world = world();
    let id = world.begin().await;
    let (mut sender, append) = world.appending(id).await;
    append.abort();
    assert!(append.await.unwrap_err().is_cancelled());
    let during = world
        .uploads
        .append(&world.repository, id, Content::from_bytes("other"))
        .await;
    assert!(matches!(during, Err(UploadError::Busy(_))));
    sender
        .send(Err("the connection broke".into()))
        .await
        .unwrap();
    drop(sender);
    while world
        .uploads
        .append(&world.repository, id, Content::empty())
        .await
        .is_err()
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        world.uploads.status(&world.repository, id).await.unwrap(),
        13
    );
}

#[tokio::test]
async fn a_body_longer_than_its_range_is_refused_before_its_end() {
    let world = world();
    let id = world.begin().await;
    let (mut sender, content) = open_body();
    let content = content.at(0..3);
    let endless =
        tokio::spawn(async move { while sender.send(Ok(Bytes::from("more"))).await.is_ok() {} });
    let appended = world.uploads.append(&world.repository, id, content).await;
    assert!(matches!(
        appended,
        Err(UploadError::LengthMismatch { announced: 3, .. })
    ));
    endless.await.unwrap();
    assert_eq!(
        world.uploads.status(&world.repository, id).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn a_session_belongs_to_its_repository() {
    let world = world();
    let id = world.begin().await;
    let other: RepositoryName = "library/debian".parse().unwrap();
    assert!(matches!(
        world.uploads.status(&other, id).await,
        Err(UploadError::Unknown(_))
    ));
    assert!(matches!(
        world.uploads.cancel(&other, id).await,
        Err(UploadError::Unknown(_))
    ));
    let append = world.uploads.append(&other, id, Content::empty()).await;
    assert!(matches!(append, Err(UploadError::Unknown(_))));
}

#[tokio::test]
async fn idle_sessions_expire_and_orphans_go() {
    let world = world();
    let id = world.begin().await;
    world
        .uploads
        .append(&world.repository, id, Content::from_bytes("bytes"))
        .await
        .unwrap();
    let orphan = SessionId::random();
    world.blobs.stage(orphan, 0).await.unwrap();
    let now = SystemTime::now();
    assert_eq!(world.uploads.expire(now).await.unwrap(), 0);
    assert_eq!(world.uploads.remove_orphans().await.unwrap(), 1);
    assert_eq!(world.uploads.remove_orphans().await.unwrap(), 0);
    assert_eq!(
        world.uploads.status(&world.repository, id).await.unwrap(),
        5
    );
    let later = now + 2 * LIFETIME;
    assert_eq!(world.uploads.expire(later).await.unwrap(), 1);
    assert!(matches!(
        world.uploads.status(&world.repository, id).await,
        Err(UploadError::Unknown(_))
    ));
    assert_eq!(world.blobs.staged().await.unwrap(), []);
}

#[tokio::test]
async fn a_session_in_use_does_not_expire() {
    let world = world();
    let id = world.begin().await;
    let (sender, append) = world.appending(id).await;
    let expired = world
        .uploads
        .expire(SystemTime::now() + 2 * LIFETIME)
        .await
        .unwrap();
    assert_eq!(expired, 0);
    drop(sender);
    append.await.unwrap().unwrap();
    assert_eq!(
        world.uploads.status(&world.repository, id).await.unwrap(),
        13
    );
}

#[tokio::test]
async fn a_session_past_its_time_is_unknown_before_it_is_removed() {
    let world = world();
    let uploads = Uploads::new(world.blobs.clone(), world.records.clone(), Duration::ZERO);
    let id = uploads
        .begin(&world.repository, Algorithm::Sha256)
        .await
        .unwrap();
    assert!(world.records.load(id).await.unwrap().is_some());
    assert!(matches!(
        uploads.status(&world.repository, id).await,
        Err(UploadError::Unknown(_))
    ));
}

#[tokio::test]
async fn a_finish_whose_blob_was_not_made_known_can_be_done_again() {
    let world = world();
    let id = world.begin().await;
    world
        .uploads
        .append(&world.repository, id, Content::from_bytes("hello "))
        .await
        .unwrap();
    let digest = Digest::sha256(b"hello world");
    for _ in 0..2 {
        let last = Content::from_bytes("world").at(6..11);
        let finished = world
            .uploads
            .finish(&world.repository, id, &digest, last)
            .await
            .unwrap();
        assert_eq!(finished.session(), id);
        drop(finished);
    }
}

#[tokio::test]
async fn bytes_left_by_an_unacknowledged_request_do_not_get_into_the_blob() {
    let world = world();
    let id = world.begin().await;
    world
        .uploads
        .append(&world.repository, id, Content::from_bytes("kept"))
        .await
        .unwrap();
    let mut writer = world.blobs.stage(id, 4).await.unwrap();
    writer
        .write(vec![Bytes::from("written before a crash")])
        .await
        .unwrap();
    drop(writer);
    let digest = Digest::sha256(b"kept");
    let finished = world
        .uploads
        .finish(&world.repository, id, &digest, Content::empty())
        .await;
    assert_eq!(finished.unwrap().size(), 4);
}

#[tokio::test]
async fn a_whole_blob_leaves_nothing_behind_when_it_fails() {
    let world = world();
    let digest = Digest::sha256(b"whole");
    let wrong = world
        .uploads
        .push_whole(&digest, Content::from_bytes("half"))
        .await;
    assert!(matches!(wrong, Err(UploadError::DigestMismatch { .. })));
    assert_eq!(world.blobs.staged().await.unwrap(), []);
    let finished = world
        .uploads
        .push_whole(&digest, Content::from_bytes("whole"))
        .await
        .unwrap();
    world.uploads.release(finished).await;
    assert_eq!(world.blobs.staged().await.unwrap(), []);
    assert_eq!(
        world
            .blobs
            .open(&digest.into())
            .await
            .unwrap()
            .unwrap()
            .size(),
        5
    );
}

/// Records of which some cannot be removed.
#[derive(Default)]
struct SomeStay {
    records: MemorySessionRecords,
    stay: Mutex<HashSet<SessionId>>,
    /// The sessions that were to be removed, and how many were found expired.
    removals: Mutex<Vec<SessionId>>,
    found: AtomicUsize,
}

impl SomeStay {
    /// Begins so many sessions, of which the first `stay` cannot be removed.
    async fn begin(&self, uploads: &Uploads, sessions: usize, stay: usize) {
        let repository: RepositoryName = "library/alpine".parse().unwrap();
        for _ in 0..sessions {
            let id = uploads.begin(&repository, Algorithm::Sha256).await.unwrap();
            let bytes = Content::from_bytes("bytes");
            uploads.append(&repository, id, bytes).await.unwrap();
        }
        let later = SystemTime::now() + 2 * LIFETIME;
        let first = self.records.expired(later, u32::try_from(stay).unwrap());
        let first = first.await.unwrap();
        self.stay.lock().unwrap().extend(first);
    }
}

#[async_trait]
impl SessionRecords for SomeStay {
    async fn create(&self, record: &SessionRecord) -> Result<(), RecordsError> {
        self.records.create(record).await
    }

    async fn load(&self, id: SessionId) -> Result<Option<SessionRecord>, RecordsError> {
        self.records.load(id).await
    }

    async fn update(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        self.records.update(record).await
    }

    async fn remove(&self, record: &SessionRecord) -> Result<bool, RecordsError> {
        self.removals.lock().unwrap().push(record.id);
        let stays = self.stay.lock().unwrap().contains(&record.id);
        match stays {
            true => Err(RecordsError::StorageFull),
            false => self.records.remove(record).await,
        }
    }

    async fn expired(&self, now: SystemTime, limit: u32) -> Result<Vec<SessionId>, RecordsError> {
        let expired = self.records.expired(now, limit).await?;
        self.found.fetch_add(expired.len(), Ordering::SeqCst);
        Ok(expired)
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_removed_holds_up_no_other() {
    let (records, blobs) = (
        Arc::new(SomeStay::default()),
        Arc::new(MemoryBlobs::default()),
    );
    let uploads = Uploads::new(blobs.clone(), records.clone(), LIFETIME);
    records.begin(&uploads, 3, 1).await;
    let later = SystemTime::now() + 2 * LIFETIME;
    assert_eq!(uploads.expire(later).await.unwrap(), 2);
    // On a full disk, the room is what counts.
    assert_eq!(blobs.staged().await.unwrap(), []);
}

#[tokio::test]
async fn sessions_that_cannot_be_removed_are_tried_once_each_time() {
    const SESSIONS: usize = 3000;
    const STAY: usize = 1000;
    let records = Arc::new(SomeStay::default());
    let blobs = Arc::new(MemoryBlobs::default());
    let uploads = Uploads::new(blobs, records.clone(), LIFETIME);
    records.begin(&uploads, SESSIONS, STAY).await;
    let later = SystemTime::now() + 2 * LIFETIME;
    for (removed, sessions) in [(SESSIONS - STAY, SESSIONS), (0, STAY)] {
        assert_eq!(uploads.expire(later).await.unwrap(), removed as u64);
        let removals = std::mem::take(&mut *records.removals.lock().unwrap());
        // On a full disk, a record is tried before and after its bytes go.
        assert_eq!(removals.len(), removed + 2 * STAY);
        assert_eq!(HashSet::<_>::from_iter(removals).len(), sessions);
        let found = records.found.swap(0, Ordering::SeqCst);
        assert!(found < 4 * sessions, "{found} were looked up");
    }
}

#[tokio::test]
async fn a_session_in_use_is_known_past_its_time() {
    let world = world();
    let lifetime = Duration::from_millis(200);
    let uploads = Uploads::new(world.blobs.clone(), world.records.clone(), lifetime);
    let short_lived = World { uploads, ..world };
    let id = short_lived.begin().await;
    let (sender, append) = short_lived.appending(id).await;
    tokio::time::sleep(2 * lifetime).await;
    let (uploads, repository) = (&short_lived.uploads, &short_lived.repository);
    assert_eq!(uploads.status(repository, id).await.unwrap(), 0);
    let second = uploads.append(repository, id, Content::empty()).await;
    assert!(matches!(second, Err(UploadError::Busy(_))));
    drop(sender);
    assert_eq!(append.await.unwrap().unwrap(), 13);
}

#[tokio::test]
async fn a_session_given_up_by_a_caller_that_went_away_is_gone_as_a_whole() {
    let world = world();
    let id = world.begin().await;
    let bytes = Content::from_bytes("bytes");
    world
        .uploads
        .append(&world.repository, id, bytes)
        .await
        .unwrap();
    let mut cancel = Box::pin(world.uploads.cancel(&world.repository, id));
    assert!((&mut cancel).now_or_never().is_none(), "it was too quick");
    drop(cancel);
    while world.uploads.status(&world.repository, id).await.is_ok() {
        tokio::task::yield_now().await;
    }
    while !world.blobs.staged().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn bytes_of_another_digest_give_their_room_back() {
    let world = world();
    let id = world.begin().await;
    let (uploads, repository) = (&world.uploads, &world.repository);
    let kept = Content::from_bytes("kept");
    uploads.append(repository, id, kept).await.unwrap();
    let wrong = Digest::sha256(b"something else");
    let more = Content::from_bytes(", and much more");
    let finished = uploads.finish(repository, id, &wrong, more).await;
    assert!(matches!(finished, Err(UploadError::DigestMismatch { .. })));
    assert!(world.blobs.read_staged(id, 4).await.is_ok());
    assert!(world.blobs.read_staged(id, 5).await.is_err());
}
