//! Backups that do not come to their end.

use std::sync::Arc;

use async_trait::async_trait;
use berth_backup::{Backup, BackupError};
use berth_blob::{
    BlobError, BlobGuards, BlobIdentity, BlobList, BlobReader, BlobStore, ByteStream,
    FilesystemBlobs, Staged, StagedWriter,
};
use berth_metadata::SqliteMetadata;
use berth_spec::{BlobName, Digest, SessionId};
use berth_verify::Nobody;
use tokio::sync::Notify;

use crate::world::{World, names_in, open_and_verify, tags};

/// Blobs of which one is never opened.
struct Stuck {
    stored: FilesystemBlobs,
    digest: Digest,
    reached: Arc<Notify>,
}

#[async_trait]
impl BlobStore for Stuck {
    async fn stage_fenced(
        &self,
        session: SessionId,
        offset: u64,
        fence: u64,
    ) -> Result<Box<dyn StagedWriter>, BlobError> {
        self.stored.stage_fenced(session, offset, fence).await
    }

    async fn read_staged(&self, session: SessionId, length: u64) -> Result<ByteStream, BlobError> {
        self.stored.read_staged(session, length).await
    }

    async fn publish(
        &self,
        session: SessionId,
        length: u64,
        digest: &Digest,
    ) -> Result<BlobName, BlobError> {
        self.stored.publish(session, length, digest).await
    }

    async fn discard(&self, session: SessionId) -> Result<(), BlobError> {
        self.stored.discard(session).await
    }

    async fn staged(&self) -> Result<Vec<Staged>, BlobError> {
        self.stored.staged().await
    }

    async fn open(&self, name: &BlobName) -> Result<Option<Box<dyn BlobReader>>, BlobError> {
        if name.digest == self.digest {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        self.stored.open(name).await
    }

    async fn delete(&self, names: &[BlobName]) -> Result<u64, BlobError> {
        self.stored.delete(names).await
    }

    fn list(&self) -> BlobList {
        self.stored.list()
    }

    async fn quarantine(&self, name: &BlobName, read: &BlobIdentity) -> Result<bool, BlobError> {
        self.stored.quarantine(name, read).await
    }
}

#[tokio::test]
async fn an_interrupted_backup_leaves_the_one_before_whole() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    world.back_up(&Backup::default()).await;
    world.push_image("a", "2", b"two").await;
    let reached = Arc::new(Notify::new());
    let blobs = Stuck {
        stored: FilesystemBlobs::open(&world.path("data")).unwrap(),
        digest: Digest::sha256(b"two"),
        reached: Arc::clone(&reached),
    };
    let kept = BlobGuards::default().keeping_all().await;
    let (how, destination) = (Backup::default(), world.path("backup"));
    let backup = how.run(&world.metadata, &blobs, &kept, &destination, &Nobody);
    tokio::select! {
        ended = backup => panic!("{ended:?}"),
        () = reached.notified() => {}
    }
    let names = names_in(&destination);
    assert!(
        names.iter().any(|name| name.ends_with(".partial")),
        "{names:?}"
    );
    let before = open_and_verify(&destination).await;
    assert_eq!(tags(&before, "a").await, ["1"]);
    drop(before);
    assert!(world.restore("restored").await.0.is_sound());

    let (report, _) = world.back_up(&Backup::default()).await;
    assert_eq!((report.blobs, report.kept), (1, 2));
    let names = ["backup", "blobs", "lock", "metadata.sqlite3", "uploads"];
    assert_eq!(names_in(&destination), names);
    let next = open_and_verify(&destination).await;
    assert_eq!(tags(&next, "a").await, ["1", "2"]);
}

/// What was staged when a backup was killed is taken away by the next.
#[tokio::test]
async fn what_was_half_copied_goes() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    let copies = FilesystemBlobs::open(&world.path("backup")).unwrap();
    let mut writer = copies.stage(SessionId::random(), 0).await.unwrap();
    writer.write(vec!["half".into()]).await.unwrap();
    writer.sync().await.unwrap();
    world.back_up(&Backup::default()).await;
    assert_eq!(copies.staged().await.unwrap(), []);
}

#[tokio::test]
async fn a_backup_that_cannot_be_written_is_an_error() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    let destination = world.path("backup");
    std::fs::create_dir(&destination).unwrap();
    std::fs::write(destination.join("blobs"), b"not a folder").unwrap();
    let kept = BlobGuards::default().keeping_all().await;
    let how = Backup::default();
    let backup = how.run(&world.metadata, &world.blobs, &kept, &destination, &Nobody);
    let failed = backup.await;
    assert!(matches!(failed, Err(BackupError::Blobs(_))), "{failed:?}");
    assert!(SqliteMetadata::open(&world.path("data").join("metadata.sqlite3")).is_ok());
    assert!(!destination.join("metadata.sqlite3").exists());
}
