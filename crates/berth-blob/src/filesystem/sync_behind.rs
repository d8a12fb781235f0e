use std::fs::File;
use std::io;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::BlobError;

/// Syncs a large file piece by piece while it grows, so that the disk is not idle until the end and
/// then everybody waits for it. It is only a head start: the file is synced at its end all the same.
#[derive(Debug, Default)]
pub(super) struct SyncBehind {
    unsynced: usize,
    running: Option<JoinHandle<io::Result<()>>>,
    /// The kernel tells of an error once. After that, a sync that succeeds means nothing.
    failed: bool,
}

impl SyncBehind {
    /// So many bytes are written before their sync begins.
    pub(super) const STRIDE: usize = 4 * 1024 * 1024;

    /// So many are written at most while a sync is under way.
    const LIMIT: usize = 4 * Self::STRIDE;

    /// Notes that so many bytes were written, and begins to sync them when they are many. A disk
    /// that is slow to sync is asked less often, for more at once; but whoever writes waits for it
    /// before memory holds more than twice the limit that is not on the disk.
    pub(super) async fn written(&mut self, file: &File, length: usize) -> Result<(), BlobError> {
        self.unsynced += length;
        let is_busy = self
            .running
            .as_ref()
            .is_some_and(|sync| !sync.is_finished());
        let enough = if is_busy { Self::LIMIT } else { Self::STRIDE };
        if self.unsynced < enough {
            return Ok(());
        }
        self.finish().await?;
        self.unsynced = 0;
        let file = file.try_clone()?;
        self.running = Some(spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    /// Waits for the sync that is under way.
    ///
    /// # Errors
    /// If that, or any one before it, has failed.
    pub(super) async fn finish(&mut self) -> Result<(), BlobError> {
        if self.failed {
            return Err(io::Error::other("an earlier sync of this file failed").into());
        }
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        // Also if this waiting is given up.
        self.failed = true;
        running.await.map_err(|_| BlobError::Interrupted)??;
        self.failed = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    const STRIDE: usize = SyncBehind::STRIDE;

    /// A pipe cannot be synced.
    fn unsyncable() -> File {
        let (_, writer) = io::pipe().unwrap();
        File::from(OwnedFd::from(writer))
    }

    #[tokio::test]
    async fn little_is_left_to_the_sync_at_the_end() {
        let mut syncing = SyncBehind::default();
        syncing.written(&unsyncable(), STRIDE - 1).await.unwrap();
        assert!(syncing.running.is_none());
        syncing.finish().await.unwrap();
    }

    #[tokio::test]
    async fn an_error_is_told_and_not_forgotten() {
        let mut syncing = SyncBehind::default();
        let file = unsyncable();
        syncing.written(&file, STRIDE).await.unwrap();
        assert!(syncing.written(&file, SyncBehind::LIMIT).await.is_err());
        assert!(syncing.finish().await.is_err());
        assert!(syncing.written(&file, STRIDE).await.is_err());
    }

    #[tokio::test]
    async fn each_stride_is_synced() {
        let file = tempfile::tempfile().unwrap();
        let mut syncing = SyncBehind::default();
        for _ in 0..3 {
            syncing.written(&file, SyncBehind::LIMIT).await.unwrap();
            assert!(syncing.running.is_some());
            assert_eq!(syncing.unsynced, 0);
        }
        syncing.finish().await.unwrap();
        assert!(syncing.running.is_none());
    }
}
