//! A cache over a store that counts what is asked of it, and goes wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod below;
mod contract;
mod faults_below;
mod folder;
mod hits;
mod limits;
mod readers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use below::{Below, Counted};
use berth_blob::{BlobError, BlobReader, BlobStore, ByteStream};
use berth_cache::{CacheSettings, CachedBlobs};
use berth_spec::{BlobName, Digest, SessionId};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use tempfile::TempDir;

const ROOM: u64 = 100_000_000;

/// A cache in a folder of its own.
pub(crate) struct World {
    pub(crate) below: Arc<Below>,
    pub(crate) blobs: CachedBlobs,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(CacheSettings::with_limit(ROOM))
    }

    pub(crate) fn with(settings: CacheSettings) -> Self {
        let (below, folder) = (Arc::<Below>::default(), tempfile::tempdir().unwrap());
        let blobs = open(&below, folder.path(), settings).unwrap();
        Self {
            below,
            blobs,
            folder,
        }
    }

    /// As if the process had ended, and `meanwhile` had been done to the folder.
    pub(crate) fn restart(self, settings: CacheSettings, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self {
            below,
            blobs,
            folder,
        } = self;
        drop(blobs);
        meanwhile(folder.path());
        let blobs = open(&below, folder.path(), settings).unwrap();
        Self {
            below,
            blobs,
            folder,
        }
    }

    /// Publishes content in the store below.
    pub(crate) async fn publish(&self, content: &[u8]) -> BlobName {
        self.publish_as(&Digest::sha256(content), content).await
    }

    /// Publishes content under a digest that it may not have.
    pub(crate) async fn publish_as(&self, digest: &Digest, content: &[u8]) -> BlobName {
        let session = SessionId::random();
        let mut writer = self.blobs.stage(session, 0).await.unwrap();
        let content = Bytes::copy_from_slice(content);
        let length = content.len() as u64;
        writer.write(vec![content]).await.unwrap();
        writer.sync().await.unwrap();
        let published = self.blobs.publish(session, length, digest).await;
        self.blobs.discard(session).await.unwrap();
        published.unwrap()
    }

    pub(crate) async fn open(&self, name: &BlobName) -> Box<dyn BlobReader> {
        self.blobs.open(name).await.unwrap().unwrap()
    }

    /// All of a blob.
    pub(crate) async fn read(&self, name: &BlobName) -> Result<Vec<u8>, BlobError> {
        let blob = self.open(name).await;
        let size = blob.size();
        whole(blob.read(0..size)).await
    }

    /// Waits until a blob is kept.
    pub(crate) async fn kept(&self, name: &BlobName) {
        until(|| !self.files_of(name).is_empty()).await;
        self.settled().await;
    }

    /// Waits until nothing is being filled.
    pub(crate) async fn settled(&self) {
        settled(&self.blobs).await;
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files(self.folder.path())
    }

    pub(crate) fn files_of(&self, name: &BlobName) -> Vec<PathBuf> {
        let hex = name.digest.hex();
        let is_of = |path: &PathBuf| path.to_str().unwrap().contains(hex);
        self.files().into_iter().filter(is_of).collect()
    }
}

pub(crate) fn open(
    below: &Arc<Below>,
    folder: &Path,
    settings: CacheSettings,
) -> Result<CachedBlobs, berth_cache::CacheError> {
    CachedBlobs::open(Arc::new(Counted(Arc::clone(below))), folder, settings)
}

/// The files of a cache, but for its lock.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("lock")).collect()
}

pub(crate) async fn whole(stream: ByteStream) -> Result<Vec<u8>, BlobError> {
    Ok(stream.try_collect::<Vec<Bytes>>().await?.concat())
}

/// Waits until nothing is being filled, and no file that was removed is still read.
pub(crate) async fn settled(blobs: &CachedBlobs) {
    until(|| blobs.usage().passing == 0).await;
}

/// What comes before an error, and the error.
pub(crate) async fn until_error(mut stream: ByteStream) -> (Vec<u8>, BlobError) {
    let mut read = Vec::new();
    loop {
        match stream.next().await.expect("it ended well") {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => return (read, error),
        }
    }
}

/// Waits for something that another task does.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not come to pass");
}

/// Bytes that differ for each seed, and do not repeat.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}
