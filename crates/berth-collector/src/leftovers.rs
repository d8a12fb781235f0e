use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use berth_blob::{BlobReader, Removing};
use berth_metadata::Blob;
use berth_spec::{BlobName, Digest, Hasher};
use futures_util::TryStreamExt;
use tokio::task::spawn_blocking;
use tracing::{error, warn};

use crate::collector::to_its_end;
use crate::{Amount, CollectError, Collector};

/// What became of names that no record means.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leftovers {
    pub(crate) removed: Amount,
    pub(crate) adopted: Amount,
    pub(crate) corrupt: Amount,
}

impl Leftovers {
    pub(crate) fn include(&mut self, others: &Self) {
        self.removed.include(others.removed);
        self.adopted.include(others.adopted);
        self.corrupt.include(others.corrupt);
    }
}

/// What a name that was found is to the metadata.
enum Leftover {
    /// No record has its digest, or one means other bytes, which are there.
    Needless,
    /// It took the place of the bytes that its record meant, which are lost.
    Adopted(Blob),
    /// It might have, but is not what its digest says.
    Corrupt(u64),
    /// It is meant by now, or gone.
    Settled,
}

impl Collector {
    /// Removes those of these names that no record knows, were not replaced since `replaced_before`, and that nobody
    /// works on, if they are to be `removed` at all. One that may be the only copy left, since the bytes that its record
    /// means are lost, becomes what the record means.
    pub(crate) async fn settle(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
        removed: bool,
    ) -> Result<Leftovers, CollectError> {
        let mut leftovers = Leftovers::default();
        let unrecorded: BTreeSet<BlobName> =
            self.metadata.unrecorded(names).await?.into_iter().collect();
        let mut needless = Vec::new();
        for name in unrecorded {
            match self.judge(&name).await? {
                Leftover::Needless => needless.push(name),
                Leftover::Adopted(blob) => leftovers.adopted.add([&blob]),
                Leftover::Corrupt(size) => leftovers.corrupt.add_one(size),
                Leftover::Settled => {}
            }
        }
        if removed && !needless.is_empty() {
            leftovers.removed = self.remove_guarded(needless, replaced_before).await?;
        }
        Ok(leftovers)
    }

    async fn judge(&self, name: &BlobName) -> Result<Leftover, CollectError> {
        let mut last: Option<Blob> = None;
        loop {
            let Some(recorded) = self.metadata.recorded_blob(&name.digest).await? else {
                return Ok(Leftover::Needless);
            };
            if recorded.name() == *name {
                return Ok(Leftover::Settled);
            }
            // Missed between two times at which the record meant them.
            if last.as_ref() == Some(&recorded) {
                return self.adopt(&recorded, name).await;
            }
            let found = self.blobs.open(&recorded.name()).await?;
            if found.is_some_and(|found| found.size() == recorded.size) {
                return Ok(Leftover::Needless);
            }
            last = Some(recorded);
        }
    }

    async fn adopt(&self, lost: &Blob, name: &BlobName) -> Result<Leftover, CollectError> {
        let Some(found) = self.blobs.open(name).await? else {
            return Ok(Leftover::Settled);
        };
        let size = found.size();
        if size != lost.size || hash(found, &name.digest).await? != name.digest {
            error!(%name, lost = %lost.name(), "the bytes of a known blob are lost, and others are there that are not what its digest says");
            return Ok(Leftover::Corrupt(size));
        }
        if !self.metadata.adopt_blob(&lost.name(), name).await? {
            return Ok(Leftover::Settled);
        }
        warn!(%name, lost = %lost.name(), "the bytes of a known blob were lost, and others of the same digest take their place");
        Ok(Leftover::Adopted(lost.clone()))
    }

    /// Removes those of these names that nobody works on, if still no record knows them.
    async fn remove_guarded(
        &self,
        names: Vec<BlobName>,
        replaced_before: SystemTime,
    ) -> Result<Amount, CollectError> {
        // Also of those with a generation: whoever pushes them here, or keeps them for a backup, need not be disturbed.
        let digests: BTreeSet<&Digest> = names.iter().map(|name| &name.digest).collect();
        let removing = |digest: &Digest| self.guards.removing(digest);
        let removing: Vec<Removing> = digests.into_iter().filter_map(removing).collect();
        if removing.is_empty() {
            return Ok(Amount::default());
        }
        let collector = self.clone();
        to_its_end(async move {
            let guarded: HashSet<&Digest> = removing.iter().map(Removing::digest).collect();
            let is_guarded = |name: &BlobName| guarded.contains(&name.digest);
            let names: Vec<BlobName> = names.into_iter().filter(is_guarded).collect();
            let removed = collector
                .remove_if_unrecorded(&names, replaced_before)
                .await?;
            drop(removing);
            Ok(removed)
        })
        .await
    }

    async fn remove_if_unrecorded(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
    ) -> Result<Amount, CollectError> {
        let mut files = Vec::new();
        for name in self.given_up(names, replaced_before).await? {
            if let Some(file) = self.blobs.open(&name).await? {
                files.push((name, file.size()));
            }
        }
        let names: Vec<BlobName> = files.iter().map(|(name, _)| name.clone()).collect();
        self.blobs.delete(&names).await?;
        let mut removed = Amount::default();
        files.iter().for_each(|(_, size)| removed.add_one(*size));
        Ok(removed)
    }

    /// Those that no record knows and none will: because they are forsaken, or because the guards are held.
    async fn given_up(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
    ) -> Result<Vec<BlobName>, CollectError> {
        let has_generation = |name: &BlobName| name.generation.is_some();
        let (published_once, plain): (Vec<BlobName>, Vec<BlobName>) =
            names.iter().cloned().partition(has_generation);
        let mut given_up = Vec::new();
        if !published_once.is_empty() {
            let forsaken = self.metadata.forsake(&published_once, replaced_before);
            given_up = forsaken.await?;
        }
        if !plain.is_empty() {
            // A push may have recorded some between the first look and the right to remove them.
            given_up.extend(self.metadata.unrecorded(&plain).await?);
        }
        Ok(given_up)
    }
}

/// The digest of all that a reader reads.
async fn hash(reader: Box<dyn BlobReader>, expected: &Digest) -> Result<Digest, CollectError> {
    let size = reader.size();
    let mut hasher = Hasher::new(expected.algorithm());
    let mut pieces = reader.read(0..size);
    while let Some(piece) = pieces.try_next().await? {
        let hashing = spawn_blocking(move || {
            hasher.update(&piece);
            hasher
        });
        hasher = hashing.await.map_err(|_| CollectError::Interrupted)?;
    }
    Ok(hasher.finish())
}
