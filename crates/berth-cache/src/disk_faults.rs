//! What becomes of blobs when the disk of the cache fails.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_blob::{BlobStore, MemoryBlobs};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::disk::Disk;
use crate::{CacheSettings, CachedBlobs};

/// A disk that fails where a test says so, and as often.
#[derive(Default)]
struct FailingDisk {
    fault: Mutex<Option<Fault>>,
    /// How many bytes it takes before it is full.
    room: AtomicU64,
    syncs: AtomicUsize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Create,
    Full,
    Write,
    Sync,
    Rename,
    Open,
}

impl FailingDisk {
    fn fails_at(&self, fault: Fault) -> io::Result<()> {
        match *self.fault.lock().unwrap() == Some(fault) {
            true => Err(io::Error::other("the disk is broken")),
            false => Ok(()),
        }
    }

    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }
}

/// The disk as it is, but for the fault.
struct Plain;

impl Disk for Plain {}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.fails_at(Fault::Create)?;
        Plain.create(path)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.fails_at(Fault::Write)?;
        let end = offset + bytes.len() as u64;
        let is_full = *self.fault.lock().unwrap() == Some(Fault::Full);
        if is_full && end > self.room.load(Ordering::SeqCst) {
            // As a disk does it: what there is room for is written.
            Plain.write(file, &bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Plain.write(file, bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.fails_at(Fault::Sync)?;
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Plain.sync(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fails_at(Fault::Rename)?;
        Plain.rename(from, to)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.fails_at(Fault::Open)?;
        Plain.open(path)
    }
}

struct World {
    disk: Arc<FailingDisk>,
    blobs: CachedBlobs,
    folder: tempfile::TempDir,
}

fn world(pause: Duration) -> World {
    let (disk, folder) = (Arc::<FailingDisk>::default(), tempfile::tempdir().unwrap());
    let settings = CacheSettings {
        pause,
        ..CacheSettings::with_limit(100_000_000)
    };
    let below = Arc::new(MemoryBlobs::default());
    let blobs = CachedBlobs::on(disk.clone(), below, folder.path(), settings).unwrap();
    World {
        disk,
        blobs,
        folder,
    }
}

impl World {
    async fn publish(&self, seed: u8, size: usize) -> (BlobName, Vec<u8>) {
        let content: Vec<u8> = (0..size)
            .map(|index| (index / 7).to_le_bytes()[0] ^ seed)
            .collect();
        let (session, digest) = (SessionId::random(), Digest::sha256(&content));
        let mut writer = self.blobs.stage(session, 0).await.unwrap();
        let bytes = Bytes::from(content.clone());
        // In pieces, as they come from a bucket.
        let pieces = bytes.chunks(100_000).map(Bytes::copy_from_slice).collect();
        writer.write(pieces).await.unwrap();
        writer.sync().await.unwrap();
        let name = self.blobs.publish(session, size as u64, &digest).await;
        (name.unwrap(), content)
    }

    async fn read(&self, name: &BlobName) -> Vec<u8> {
        let blob = self.blobs.open(name).await.unwrap().unwrap();
        let size = blob.size();
        let pieces: Vec<Bytes> = blob.read(0..size).try_collect().await.unwrap();
        pieces.concat()
    }

    /// How many files there are when nothing is being filled, but for the lock.
    async fn files(&self) -> usize {
        for _ in 0..2000 {
            if self.blobs.usage().passing == 0 {
                return std::fs::read_dir(self.folder.path()).unwrap().count() - 1;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("a fill does not end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_blobs_are_read_to_their_end() {
    for fault in [
        Fault::Create,
        Fault::Full,
        Fault::Write,
        Fault::Sync,
        Fault::Rename,
    ] {
        for room in [0, 450_000] {
            let world = world(Duration::ZERO);
            let (name, content) = world.publish(1, 1_000_000).await;
            world.disk.room.store(room, Ordering::SeqCst);
            world.disk.set(Some(fault));
            assert!(world.read(&name).await == content, "{fault:?}");
            assert_eq!(world.files().await, 0, "{fault:?}");
            assert_eq!(world.blobs.usage().blobs, 0, "{fault:?}");
            world.disk.set(None);
            assert!(world.read(&name).await == content, "{fault:?}");
            assert_eq!(world.files().await, 1, "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_opened_is_read_from_below() {
    let world = world(Duration::ZERO);
    let (name, content) = world.publish(1, 1_000_000).await;
    world.read(&name).await;
    assert_eq!(world.files().await, 1);
    world.disk.set(Some(Fault::Open));
    assert!(world.read(&name).await == content);
    // It may be for want of file handles: it stays.
    world.disk.set(None);
    assert_eq!(world.files().await, 1);
    assert!(world.read(&name).await == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failure_nothing_is_filled_for_a_while() {
    let world = world(Duration::from_secs(3600));
    let (name, content) = world.publish(1, 1_000_000).await;
    world.disk.set(Some(Fault::Write));
    assert!(world.read(&name).await == content);
    assert_eq!(world.files().await, 0);
    world.disk.set(None);
    assert!(world.read(&name).await == content);
    assert_eq!(world.files().await, 0);
}

/// Or a limit that is more than the disk would keep for ever what came first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_makes_room_for_the_next() {
    let world = world(Duration::ZERO);
    for seed in 0..3 {
        let (name, _) = world.publish(seed, 500_000).await;
        world.read(&name).await;
    }
    assert_eq!(world.files().await, 3);
    world.disk.set(Some(Fault::Full));
    let (name, content) = world.publish(3, 900_000).await;
    assert!(world.read(&name).await == content);
    // Two have gone for it.
    assert_eq!(world.files().await, 1);
    world.disk.set(None);
    assert_eq!(world.blobs.usage().kept, 500_000);
    assert!(world.read(&name).await == content);
    assert_eq!(world.files().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_has_its_name_before_it_was_synced() {
    let world = world(Duration::ZERO);
    let (name, _) = world.publish(1, 1000).await;
    world.read(&name).await;
    assert_eq!(world.files().await, 1);
    assert_eq!(world.disk.syncs.load(Ordering::SeqCst), 1);
}
