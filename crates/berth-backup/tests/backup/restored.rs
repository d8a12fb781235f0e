use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_backup::{Backup, BackupError, RestoreReport, restore};
use berth_spec::Digest;
use berth_verify::{BlobDamage, Fault, ManifestDamage, Observer, Problem, Progress, Watcher};

use crate::world::{World, image, mode, names_in, open_and_verify, overwrite, tags};

#[tokio::test]
async fn what_was_backed_up_is_restored() {
    let world = World::new();
    world.push_image("a/b", "1", &[7; 1_000_000]).await;
    world.push_image("a/b", "2", b"another").await;
    world.push_image("c", "latest", b"").await;
    world.back_up(&Backup::default()).await;
    let (report, _) = world.restore("restored").await;
    let expected = RestoreReport {
        blobs: 4,
        bytes: 1_000_013,
        manifests: 3,
        ..RestoreReport::default()
    };
    assert_eq!(report, expected);
    assert_eq!(
        report.to_string(),
        "restored 4 blobs (976.6 KiB), 0 were there already, and verified 3 manifests: no problems"
    );
    let names = ["blobs", "lock", "metadata.sqlite3", "uploads"];
    assert_eq!(names_in(&world.path("restored")), names);
    let restored = open_and_verify(&world.path("restored")).await;
    assert_eq!(tags(&restored, "a/b").await, ["1", "2"]);
    assert_eq!(tags(&restored, "c").await, ["latest"]);
}

#[tokio::test]
async fn the_backup_is_only_read() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    let backup = world.path("backup");
    fs::remove_dir(backup.join("uploads")).unwrap();
    fs::remove_file(backup.join("lock")).unwrap();
    let database = fs::read(backup.join("metadata.sqlite3")).unwrap();
    assert!(world.restore("restored").await.0.is_sound());
    assert_eq!(names_in(&backup), ["backup", "blobs", "metadata.sqlite3"]);
    assert!(fs::read(backup.join("metadata.sqlite3")).unwrap() == database);
}

#[tokio::test]
async fn a_flipped_byte_of_a_blob_is_found_and_the_rest_restored() {
    let world = World::new();
    let damaged = world.push_image("a", "damaged", b"layer").await;
    let sound = world.push_image("a", "sound", b"another layer").await;
    world.back_up(&Backup::default()).await;
    overwrite(&world.blob_in("backup", &damaged), b"lay3r");
    let (report, problems) = world.restore("restored").await;
    assert_eq!((report.blobs, report.problems), (2, 1));
    let Fault::Blob { digest, damage, .. } = &problems[0].fault else {
        panic!("{}", problems[0]);
    };
    assert_eq!(*digest, damaged);
    let found = Digest::sha256(b"lay3r");
    assert_eq!(*damage, BlobDamage::Corrupt { found });
    assert_eq!(problems[0].hurts.tags.first[0].tag.as_str(), "damaged");
    assert!(!world.blob_in("restored", &damaged).exists());
    assert!(world.blob_in("restored", &sound).exists());
    assert!(world.path("restored").join("metadata.sqlite3").exists());
}

#[tokio::test]
async fn a_flipped_byte_of_a_manifest_is_found() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    let database = world.path("backup").join("metadata.sqlite3");
    let mut bytes = fs::read(&database).unwrap();
    let content = image(b"layer", "latest").content;
    let is_content = |window: &[u8]| window == &*content;
    let place = bytes.windows(content.len()).position(is_content).unwrap();
    let media_type = content.windows(8).position(|window| window == b"a/config");
    bytes[place + media_type.unwrap()] = b'b';
    fs::write(&database, bytes).unwrap();
    let (report, problems) = world.restore("restored").await;
    assert_eq!((report.manifests, report.problems), (1, 1));
    let Fault::Manifest { damage, .. } = &problems[0].fault else {
        panic!("{}", problems[0]);
    };
    assert!(matches!(damage, ManifestDamage::Corrupt { .. }));
}

#[tokio::test]
async fn metadata_is_never_replaced_and_a_folder_without_is_no_backup() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    let refused = world.try_restore("backup", "data").await;
    assert!(
        matches!(refused, Err(BackupError::HasMetadata(_))),
        "{refused:?}"
    );
    let refused = world.try_restore("nothing", "restored").await;
    assert!(
        matches!(refused, Err(BackupError::NoBackup(_))),
        "{refused:?}"
    );
    assert!(!world.path("restored").exists());
    let metadata = world.path("backup").join("metadata.sqlite3");
    fs::write(metadata, b"this is not a database").unwrap();
    let refused = world.try_restore("backup", "restored").await;
    assert!(
        matches!(refused, Err(BackupError::Metadata(_))),
        "{refused:?}"
    );
    assert!(!world.path("restored").join("metadata.sqlite3").exists());
}

/// A restoration that was interrupted has left blobs, and perhaps half a copy of the metadata. And blobs
/// may be all that is left of a data folder.
#[tokio::test]
async fn blobs_that_are_there_count_if_they_are_right() {
    let world = World::new();
    let damaged = world.push_image("a", "damaged", b"layer").await;
    world.push_image("a", "sound", b"another layer").await;
    world.back_up(&Backup::default()).await;
    world.restore("restored").await;
    let restored = world.path("restored");
    let metadata = restored.join("metadata.sqlite3");
    fs::rename(&metadata, restored.join("metadata.sqlite3.1.partial")).unwrap();
    overwrite(&world.blob_in("restored", &damaged), b"lay3r");
    let (report, _) = world.restore("restored").await;
    assert_eq!((report.blobs, report.kept, report.problems), (1, 2, 0));
    let names = ["blobs", "lock", "metadata.sqlite3", "uploads"];
    assert_eq!(names_in(&restored), names);
    open_and_verify(&restored).await;
}

#[tokio::test]
async fn what_is_restored_can_be_written_to_and_is_no_backup() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    let protected = Permissions::from_mode(0o444);
    fs::set_permissions(world.path("backup/metadata.sqlite3"), protected).unwrap();
    let restored = world.path("restored");
    // A backup was begun there once.
    fs::create_dir(&restored).unwrap();
    fs::write(restored.join("backup"), b"").unwrap();
    world.restore("restored").await;
    assert_eq!(mode(&restored.join("metadata.sqlite3")) & 0o600, 0o600);
    let refused = world.try_back_up("restored").await;
    assert!(
        matches!(refused, Err(BackupError::HoldsRegistry(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_folder_that_somebody_uses_is_not_restored_and_one_that_is_restored_not_used() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    let lock = File::open(world.path("backup/lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = world.try_restore("backup", "restored").await;
    assert!(
        matches!(refused, Err(BackupError::Claimed(_))),
        "{refused:?}"
    );
    assert!(!world.path("restored").exists());
    lock.unlock().unwrap();

    let claiming = Claiming::new(&lock);
    let restored = world.path("restored");
    let report = restore(&world.path("backup"), &restored, &claiming).await;
    assert!(report.unwrap().is_sound());
    assert!(claiming.is_refused.into_inner());
    lock.try_lock().unwrap();
}

/// Without a file to lock, nothing keeps others away.
#[tokio::test]
async fn a_backup_that_is_opened_while_its_metadata_is_copied_is_not_restored() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    fs::remove_file(world.path("backup/lock")).unwrap();
    let writing = Writing(world.path("backup/metadata.sqlite3-wal"));
    let refused = restore(&world.path("backup"), &world.path("restored"), &writing).await;
    assert!(
        matches!(refused, Err(BackupError::NotClosed(_))),
        "{refused:?}"
    );
    assert!(!world.path("restored/metadata.sqlite3").exists());
}

/// Writes to a log when the copy begins.
struct Writing(PathBuf);

impl Observer for Writing {
    fn tell(&self, _: &Progress) {
        fs::write(&self.0, b"news").unwrap();
    }
}

impl Watcher for Writing {
    fn found(&self, _: &Problem) {}
}

/// Tries to claim the backup while it is restored.
struct Claiming<'a> {
    lock: &'a File,
    is_refused: AtomicBool,
}

impl<'a> Claiming<'a> {
    fn new(lock: &'a File) -> Self {
        Self {
            lock,
            is_refused: AtomicBool::new(false),
        }
    }
}

impl Observer for Claiming<'_> {
    fn tell(&self, _: &Progress) {
        let is_refused = self.lock.try_lock().is_err();
        self.is_refused.fetch_or(is_refused, Ordering::Relaxed);
    }
}

impl Watcher for Claiming<'_> {
    fn found(&self, _: &Problem) {}
}
