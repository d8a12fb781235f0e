use std::fs::{self, File};
use std::time::SystemTime;

use berth_backup::{Backup, BackupError, BackupReport, unmark};
use berth_blob::FilesystemBlobs;
use berth_metadata::{MetadataStore, UploadRecord};
use berth_spec::{Algorithm, SessionId};
use berth_verify::{BlobDamage, Fault};

use crate::world::{
    World, mode, names_in, open_and_verify, overwrite, push_image, repository, tags,
};

fn rehashing() -> Backup {
    Backup { rehash: true }
}

#[tokio::test]
async fn a_backup_has_the_layout_of_a_data_folder_and_can_be_served() {
    let world = World::new();
    world.push_image("a/b", "latest", &[7; 1_000_000]).await;
    let upload = UploadRecord {
        id: SessionId::random(),
        repository: repository("a/b"),
        algorithm: Algorithm::Sha256,
        offset: 0,
        hash_state: Vec::new(),
        revision: 0,
        expires_at: SystemTime::now(),
        holder: None,
    };
    world.metadata.create_upload(&upload).await.unwrap();
    let (report, _) = world.back_up(&Backup::default()).await;
    let expected = BackupReport {
        blobs: 2,
        bytes: 1_000_006,
        ..BackupReport::default()
    };
    assert_eq!(report, expected);
    let backup = world.path("backup");
    let names = ["backup", "blobs", "lock", "metadata.sqlite3", "uploads"];
    assert_eq!(names_in(&backup), names);
    assert_eq!(names_in(&backup.join("uploads")), Vec::<String>::new());

    let served = open_and_verify(&backup).await;
    assert_eq!(tags(&served, "a/b").await, ["latest"]);
    assert_eq!(served.upload(upload.id).await.unwrap(), None);
    let kept = world.metadata.upload(upload.id).await.unwrap();
    assert!(kept.is_some(), "the backup changed the registry");
}

#[tokio::test]
async fn the_next_backup_copies_what_is_new() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    world.back_up(&Backup::default()).await;
    world.push_image("a", "2", b"another").await;
    let (report, _) = world.back_up(&Backup::default()).await;
    let expected = BackupReport {
        blobs: 1,
        bytes: 7,
        kept: 2,
        problems: 0,
    };
    assert_eq!(report, expected);
    assert_eq!(
        report.to_string(),
        "backed up 1 blob (7 B); 2 were there already: no problems"
    );
    let backup = open_and_verify(&world.path("backup")).await;
    assert_eq!(tags(&backup, "a").await, ["1", "2"]);
}

#[tokio::test]
async fn what_is_damaged_is_told_and_the_rest_is_backed_up() {
    let world = World::new();
    let missing = world.push_image("a", "missing", b"missing").await;
    let corrupt = world.push_image("a", "corrupt", b"corrupt").await;
    let cut = world.push_image("a", "cut", b"cut short").await;
    let unreadable = world.push_image("a", "unreadable", b"unreadable").await;
    let sound = world.push_image("a", "sound", b"sound").await;
    fs::remove_file(world.blob_in("data", &missing)).unwrap();
    overwrite(&world.blob_in("data", &corrupt), b"corrup!");
    overwrite(&world.blob_in("data", &cut), b"cut");
    fs::remove_file(world.blob_in("data", &unreadable)).unwrap();
    fs::create_dir(world.blob_in("data", &unreadable)).unwrap();

    let (report, problems) = world.back_up(&Backup::default()).await;
    assert_eq!((report.blobs, report.problems), (2, 4));
    assert!(!report.is_sound());
    for (digest, tag) in [
        (&missing, "missing"),
        (&corrupt, "corrupt"),
        (&cut, "cut"),
        (&unreadable, "unreadable"),
    ] {
        let problem = problems.iter().find(|problem| {
            matches!(&problem.fault, Fault::Blob { digest: found, .. } if found == digest)
        });
        let problem = problem.unwrap();
        let Fault::Blob { damage, .. } = &problem.fault else {
            panic!("{problem}");
        };
        let is_told = match tag {
            "missing" => *damage == BlobDamage::Missing,
            "cut" => *damage == BlobDamage::CutShort { found: 3 },
            "corrupt" => matches!(damage, BlobDamage::Corrupt { .. }),
            _ => matches!(damage, BlobDamage::Unreadable { .. }),
        };
        assert!(is_told, "{problem}");
        assert_eq!(problem.hurts.tags.first[0].tag.as_str(), tag);
        assert!(!world.blob_in("backup", digest).exists());
    }
    assert_eq!(fs::read(world.blob_in("backup", &sound)).unwrap(), b"sound");
    let uploads = world.path("backup").join("uploads");
    assert_eq!(names_in(&uploads), Vec::<String>::new());
}

#[tokio::test]
async fn damage_in_the_backup_is_mended_by_one_that_looks() {
    let world = World::new();
    let layer = world.push_image("a", "latest", b"layer").await;
    world.back_up(&Backup::default()).await;
    let copy = world.blob_in("backup", &layer);
    overwrite(&copy, b"lay3r");
    let (report, _) = world.back_up(&Backup::default()).await;
    assert_eq!((report.blobs, report.kept), (0, 2));
    let (report, _) = world.back_up(&rehashing()).await;
    assert_eq!((report.blobs, report.kept, report.problems), (1, 1, 0));
    assert_eq!(fs::read(&copy).unwrap(), b"layer");
    // One of another size is seen without reading it.
    overwrite(&copy, b"lay");
    let (report, _) = world.back_up(&Backup::default()).await;
    assert_eq!((report.blobs, report.kept), (1, 1));
    assert_eq!(fs::read(&copy).unwrap(), b"layer");
}

#[tokio::test]
async fn a_folder_that_somebody_uses_is_not_backed_up_to() {
    let world = World::new();
    world.push_image("a", "latest", b"layer").await;
    let data = world.path("data");
    let lock = File::create(data.join("lock")).unwrap();
    lock.try_lock().unwrap();
    let refused = world.try_back_up("data").await;
    assert!(
        matches!(refused, Err(BackupError::Claimed(_))),
        "{refused:?}"
    );
    let names = names_in(&data);
    assert!(
        !names.iter().any(|name| name.contains("partial")),
        "{names:?}"
    );
}

/// What was pushed to a backup that was served, or to another registry, is nowhere else.
#[tokio::test]
async fn a_folder_that_a_registry_has_opened_is_not_backed_up_to() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    world.back_up(&Backup::default()).await;
    let backup = world.path("backup");
    // Served, which takes the mark away.
    unmark(&backup).unwrap();
    let served = open_and_verify(&backup).await;
    let blobs = FilesystemBlobs::open(&backup).unwrap();
    push_image(&served, &blobs, "a", "pushed-to-the-backup", b"two").await;
    drop(served);

    world.push_image("a", "3", b"three").await;
    let refused = world.try_back_up("backup").await;
    assert!(
        matches!(refused, Err(BackupError::HoldsRegistry(_))),
        "{refused:?}"
    );
    let names = ["blobs", "lock", "metadata.sqlite3", "uploads"];
    assert_eq!(names_in(&backup), names);
    let still = open_and_verify(&backup).await;
    assert_eq!(tags(&still, "a").await, ["1", "pushed-to-the-backup"]);
}

#[tokio::test]
async fn a_folder_that_is_called_as_the_mark_is_none() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    let data = world.path("data");
    fs::create_dir(data.join("backup")).unwrap();
    unmark(&data).unwrap();
    assert!(data.join("backup").exists());
    let refused = world.try_back_up("data").await;
    assert!(
        matches!(refused, Err(BackupError::HoldsRegistry(_))),
        "{refused:?}"
    );
    // So a backup can be there.
    let report = world.try_back_up("data/backup").await.unwrap();
    assert_eq!(report.blobs, 2);
}

/// What is in the log of metadata that was lost must not get into that of the next.
#[tokio::test]
async fn a_log_that_was_left_is_not_taken_for_that_of_the_next() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    world.back_up(&Backup::default()).await;
    let [backup, served, lost] = ["backup", "served", "lost"].map(|name| world.path(name));
    world.restore("served").await;
    let metadata = open_and_verify(&served).await;
    let blobs = FilesystemBlobs::open(&served).unwrap();
    push_image(&metadata, &blobs, "a", "in-the-log", b"two").await;
    // Killed: what was pushed is in the log alone.
    let [database, log] = ["metadata.sqlite3", "metadata.sqlite3-wal"];
    let killed = [database, log].map(|name| fs::read(served.join(name)).unwrap());
    drop(metadata);
    assert!(!killed[1].is_empty());
    fs::write(served.join(database), &killed[0]).unwrap();
    fs::write(served.join(log), &killed[1]).unwrap();
    let refused = world.try_restore("served", "restored").await;
    assert!(
        matches!(refused, Err(BackupError::NotClosed(_))),
        "{refused:?}"
    );

    fs::create_dir(&lost).unwrap();
    fs::write(lost.join(log), &killed[1]).unwrap();
    world.restore("lost").await;
    assert!(!lost.join(log).exists());
    assert_eq!(tags(&open_and_verify(&lost).await, "a").await, ["1"]);

    fs::write(backup.join(log), &killed[1]).unwrap();
    fs::remove_file(backup.join(database)).unwrap();
    world.back_up(&Backup::default()).await;
    assert!(!backup.join(log).exists());
    assert_eq!(tags(&open_and_verify(&backup).await, "a").await, ["1"]);
}

#[tokio::test]
async fn only_its_owner_can_hold_the_lock_of_a_folder() {
    let world = World::new();
    world.push_image("a", "1", b"one").await;
    world.back_up(&Backup::default()).await;
    assert_eq!(mode(&world.path("backup/lock")), 0o600);
}
