use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use berth_cache::{CacheError, CacheSettings};
use berth_spec::Digest;

use crate::{ROOM, World, files, noise, open, until_error};

fn settings() -> CacheSettings {
    CacheSettings::with_limit(ROOM)
}

/// A world that has kept one blob of so many bytes.
async fn with_blob(size: usize) -> (World, berth_spec::BlobName, Vec<u8>) {
    let world = World::new();
    let content = noise(1, size);
    let name = world.publish(&content).await;
    assert!(world.read(&name).await.unwrap() == content);
    world.kept(&name).await;
    (world, name, content)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_survives_a_restart() {
    let (world, name, content) = with_blob(1_000_000).await;
    let world = world.restart(settings(), |_| {});
    assert_eq!(world.blobs.usage().kept, 1_000_000);
    assert!(world.read(&name).await.unwrap() == content);
    assert_eq!(world.below.reads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_unfinished_is_removed() {
    let (world, name, content) = with_blob(1000).await;
    let world = world.restart(settings(), |folder| {
        let unfinished = format!("{}.part", "0123456789abcdef".repeat(2));
        fs::write(folder.join(unfinished), &content[..500]).unwrap();
        assert_eq!(files(folder).len(), 2);
    });
    assert_eq!(world.files(), world.files_of(&name));
    assert_eq!(world.files().len(), 1);
}

/// As by a file system that has lost the end of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_size_is_not_used() {
    for size in [0, 999_999, 1_000_001] {
        let damage = |folder: &std::path::Path| {
            let path = files(folder).remove(0);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(size)
                .unwrap();
        };
        let (world, name, content) = with_blob(1_000_000).await;
        let world = world.restart(settings(), damage);
        assert!(world.files().is_empty());
        assert!(world.read(&name).await.unwrap() == content);
        world.kept(&name).await;
        // And while it is in use.
        damage(world.folder.path());
        assert!(world.read(&name).await.unwrap() == content);
        world.kept(&name).await;
        assert_eq!(world.below.reads(), 3);
        assert!(world.read(&name).await.unwrap() == content);
        assert_eq!(world.below.reads(), 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_gone_is_filled_again() {
    let (world, name, content) = with_blob(1_000_000).await;
    fs::remove_file(world.files().remove(0)).unwrap();
    assert!(world.read(&name).await.unwrap() == content);
    world.kept(&name).await;
    assert_eq!(world.below.reads(), 2);
}

/// Whoever pulls it compares it with its digest. The documentation says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_of_the_same_size_is_not_detected_until_the_file_is_removed() {
    let (world, name, content) = with_blob(1000).await;
    let world = world.restart(settings(), |folder| {
        let mut flipped = noise(1, 1000);
        flipped[500] ^= 1;
        fs::write(files(folder).remove(0), flipped).unwrap();
    });
    assert!(world.read(&name).await.unwrap() != content);
    let world = world.restart(settings(), |folder| {
        fs::remove_file(files(folder).remove(0)).unwrap();
    });
    assert!(world.read(&name).await.unwrap() == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_under_its_name_only_when_it_is_right() {
    let world = World::new();
    let digest = Digest::sha256(b"right");
    let name = world.publish_as(&digest, b"wrong").await;
    until_error(world.open(&name).await.read(0..5)).await;
    world.settled().await;
    let world = world.restart(settings(), |_| {});
    assert_eq!(world.blobs.usage().blobs, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lower_limit_evicts_what_was_not_used_for_longest() {
    let world = World::new();
    let mut names = Vec::new();
    for seed in 0..4 {
        let name = world.publish(&noise(seed, 1_000_000)).await;
        world.read(&name).await.unwrap();
        world.kept(&name).await;
        let long_ago = SystemTime::now() - Duration::from_secs(1000 - seed);
        let file = File::open(world.files_of(&name).remove(0)).unwrap();
        file.set_modified(long_ago).unwrap();
        names.push(name);
    }
    // Its use is remembered.
    world.read(&names[0]).await.unwrap();
    let world = world.restart(CacheSettings::with_limit(2_500_000), |_| {});
    let kept: Vec<bool> = names
        .iter()
        .map(|name| !world.files_of(name).is_empty())
        .collect();
    assert_eq!(kept, [true, false, false, true]);
    assert_eq!(world.blobs.usage().kept, 2_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_of_a_cache_stays() {
    let (world, _, content) = with_blob(1000).await;
    let digest = Digest::sha256(&content);
    let others = [
        "notes.txt".to_owned(),
        format!("sha256-{}.01000", digest.hex()),
        "report.part".to_owned(),
    ];
    let world = world.restart(settings(), |folder| {
        for other in &others {
            fs::write(folder.join(other), b"mine").unwrap();
        }
        fs::create_dir(folder.join("folder")).unwrap();
    });
    assert_eq!(world.files().len(), 5);
    assert_eq!(world.blobs.usage().blobs, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_one_user_and_is_for_its_owner_alone() {
    let world = World::new();
    let folder = world.folder.path().join("deep").join("cache");
    let one = open(&world.below, &folder, settings()).unwrap();
    let other = open(&world.below, &folder, settings());
    assert!(matches!(other, Err(CacheError::InUse(_))), "{other:?}");
    drop(one);
    open(&world.below, &folder, settings()).unwrap();
    let mode = fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let refused = open(&Arc::default(), &file, settings());
    assert!(matches!(refused, Err(CacheError::Io { .. })), "{refused:?}");
}
