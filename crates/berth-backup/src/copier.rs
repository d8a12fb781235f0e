use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_blob::{BlobError, BlobReader, BlobStore, Staged};
use berth_metadata::{Blob, InspectionStore};
use berth_progress::{Progress, Unit};
use berth_spec::{Digest, Hasher, SessionId};
use berth_verify::{BlobDamage, Fault, Problem, Quarantine, Watcher, examine_blob};
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use crate::BackupError;

/// How many records are read at once.
const PAGE: u32 = 256;

/// How many blobs are copied at once. Most are small: their copies wait for the disk.
const TOGETHER: usize = 4;

/// How many users of each kind are named with a problem.
const USERS_NAMED: u32 = 20;

/// Copies all blobs that metadata records from one store to another.
pub(crate) struct Copier<'a> {
    pub(crate) metadata: &'a dyn InspectionStore,
    /// Which bytes of a blob are meant by now.
    pub(crate) present: &'a dyn InspectionStore,
    pub(crate) from: &'a dyn BlobStore,
    /// Has at most one blob of each digest.
    pub(crate) to: &'a dyn BlobStore,
    /// Whether blobs that are there already are read to see if they are right.
    pub(crate) rehash: bool,
    pub(crate) watcher: &'a dyn Watcher,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Copied {
    pub(crate) blobs: u64,
    pub(crate) bytes: u64,
    pub(crate) kept: u64,
    pub(crate) problems: u64,
}

/// A copy under way.
struct Copying<'a> {
    copier: &'a Copier<'a>,
    copied: Mutex<Copied>,
    progress: Mutex<Progress>,
}

impl Copier<'_> {
    pub(crate) async fn copy_all(&self) -> Result<Copied, BackupError> {
        // Nobody else writes there: what is staged is of a copy that was interrupted.
        for Staged { session, .. } in self.to.staged().await? {
            self.to.discard(session).await?;
        }
        let bytes = self.metadata.totals().await?.blob_bytes;
        let copying = Copying {
            copier: self,
            copied: Mutex::default(),
            progress: Mutex::new(Progress::begin("copying blobs", Unit::Bytes, Some(bytes))),
        };
        let mut last: Option<Digest> = None;
        loop {
            let page = self.metadata.blobs(last.as_ref(), PAGE).await?;
            let Some(end) = page.last().map(|blob| blob.digest.clone()) else {
                return Ok(*copying.copied());
            };
            copying.copy_page(page).await?;
            last = Some(end);
        }
    }
}

impl Copying<'_> {
    fn copied(&self) -> MutexGuard<'_, Copied> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, bytes: u64) {
        let progress = self.progress.lock();
        let mut progress = progress.unwrap_or_else(PoisonError::into_inner);
        progress.advance(bytes, self.copier.watcher);
    }

    async fn copy_page(&self, page: Vec<Blob>) -> Result<(), BackupError> {
        let copying = stream::iter(page).map(|blob| self.copy(blob));
        let mut copying = copying.buffered(TOGETHER);
        while let Some(copied) = copying.next().await {
            copied?;
        }
        Ok(())
    }

    async fn copy(&self, blob: Blob) -> Result<(), BackupError> {
        if self.is_there(&blob).await? {
            self.copied().kept += 1;
            self.advance(blob.size);
            return Ok(());
        }
        let mut damage = self.transfer(&blob).await?;
        if damage.is_some() {
            // A push may have mended it meanwhile.
            let present = self.copier.present.recorded_blob(&blob.digest).await?;
            damage = self.transfer(&present.unwrap_or(blob.clone())).await?;
        }
        let Some(damage) = damage else {
            let mut copied = self.copied();
            copied.blobs += 1;
            copied.bytes += blob.size;
            return Ok(());
        };
        self.copied().problems += 1;
        let users = self.copier.metadata.blob_users(&blob.digest, USERS_NAMED);
        let problem = Problem {
            hurts: users.await?,
            fault: Fault::Blob {
                digest: blob.digest.clone(),
                size: blob.size,
                damage,
                quarantine: Quarantine::Kept,
            },
        };
        self.copier.watcher.found(&problem);
        Ok(())
    }

    async fn is_there(&self, blob: &Blob) -> Result<bool, BackupError> {
        let to = self.copier.to;
        let copied = Blob::new(blob.digest.clone(), blob.size);
        let found = to.open(&copied.name()).await?;
        let is_there = found.is_some_and(|found| found.size() == blob.size);
        if !is_there || !self.copier.rehash {
            return Ok(is_there);
        }
        Ok(examine_blob(to, &copied).await?.is_none())
    }

    /// Copies a blob, in the place of whatever is there. If it is damaged, nothing is copied.
    async fn transfer(&self, blob: &Blob) -> Result<Option<BlobDamage>, BackupError> {
        let reader = match self.copier.from.open(&blob.name()).await {
            Ok(Some(reader)) => reader,
            Ok(None) => return Ok(Some(BlobDamage::Missing)),
            Err(error) => return unreadable(error),
        };
        let (session, to) = (SessionId::random(), self.copier.to);
        let size = reader.size();
        let damage = match self.stage(session, reader, &blob.digest).await? {
            Ok(found) => BlobDamage::of(blob, size, found),
            Err(error) => unreadable(error)?,
        };
        if damage.is_none() {
            to.publish(session, size, &blob.digest).await?;
        }
        to.discard(session).await?;
        Ok(damage)
    }

    /// Copies bytes to a staging area, and answers their digest; or why they cannot be read.
    async fn stage(
        &self,
        session: SessionId,
        reader: Box<dyn BlobReader>,
        digest: &Digest,
    ) -> Result<Result<Digest, BlobError>, BackupError> {
        let mut writer = self.copier.to.stage(session, 0).await?;
        let mut hasher = Hasher::new(digest.algorithm());
        let size = reader.size();
        let mut pieces = reader.read(0..size);
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    writer.close().await?;
                    return Ok(Err(error));
                }
            };
            let (length, hashed) = (piece.len() as u64, piece.clone());
            let hashing = spawn_blocking(move || {
                hasher.update(&hashed);
                hasher
            });
            let (written, done) = tokio::join!(writer.write(vec![piece]), hashing);
            written?;
            hasher = done.map_err(|_| BackupError::Interrupted)?;
            self.advance(length);
        }
        // What it synced in the background may have failed; the rest is synced when it is published.
        writer.close().await?;
        Ok(Ok(hasher.finish()))
    }
}

/// An interruption says nothing of the blob.
fn unreadable(error: BlobError) -> Result<Option<BlobDamage>, BackupError> {
    match error {
        BlobError::Interrupted => Err(BackupError::Interrupted),
        error => Ok(Some(BlobDamage::Unreadable {
            error: error.to_string(),
        })),
    }
}
