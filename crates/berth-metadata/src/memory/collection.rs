use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest};

use super::{MemoryMetadata, Stored, now, page};
use crate::store::milliseconds;
use crate::{Blob, CollectionStore, MetadataError, UnusedBlobs};

impl Stored {
    fn is_unused(&self, digest: &Digest, unused_since: i64) -> bool {
        self.references(digest) == 0
            && self.repositories.values().all(|repository| {
                let linked_at = repository.blobs.get(digest);
                linked_at.is_none_or(|linked_at| *linked_at <= unused_since)
            })
    }
}

#[async_trait]
impl CollectionStore for MemoryMetadata {
    async fn unused_blobs(
        &self,
        after: Option<&Digest>,
        unused_since: SystemTime,
        limit: u32,
    ) -> Result<UnusedBlobs, MetadataError> {
        let unused_since = milliseconds(unused_since);
        let stored = self.lock();
        let is_after = |(digest, _): &(&Digest, _)| after.is_none_or(|after| *digest > after);
        let looked_at = page(stored.blobs.iter(), is_after, limit);
        let last = looked_at.last().map(|(digest, _)| (*digest).clone());
        let unused = looked_at.into_iter().filter(|(digest, blob)| {
            blob.condemned_at.is_none() && stored.is_unused(digest, unused_since)
        });
        Ok(UnusedBlobs {
            blobs: unused.map(|(digest, blob)| blob.named(digest)).collect(),
            last,
        })
    }

    async fn condemn_blobs(
        &self,
        digests: &[Digest],
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let unused_since = milliseconds(unused_since);
        let mut stored = self.lock();
        let mut condemned = Vec::new();
        for digest in digests {
            let is_unused = stored.is_unused(digest, unused_since);
            let blob = stored.blobs.get_mut(digest);
            if let Some(blob) = blob.filter(|blob| is_unused && blob.condemned_at.is_none()) {
                blob.condemned_at = Some(now());
                condemned.push(blob.named(digest));
            }
        }
        Ok(condemned)
    }

    async fn condemned_blobs(
        &self,
        after: Option<&Digest>,
        condemned_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<Blob>, MetadataError> {
        let condemned_before = milliseconds(condemned_before);
        let stored = self.lock();
        let condemned = stored
            .blobs
            .iter()
            .filter(|(_, blob)| blob.is_condemned_before(condemned_before));
        let is_after = |(digest, _): &(&Digest, _)| after.is_none_or(|after| *digest > after);
        let page = page(condemned, is_after, limit);
        Ok(page
            .into_iter()
            .map(|(digest, blob)| blob.named(digest))
            .collect())
    }

    async fn forget_blobs(
        &self,
        digests: &[Digest],
        condemned_before: SystemTime,
        unused_since: SystemTime,
    ) -> Result<Vec<Blob>, MetadataError> {
        let condemned_before = milliseconds(condemned_before);
        let unused_since = milliseconds(unused_since);
        let mut stored = self.lock();
        let mut forgotten = Vec::new();
        for digest in digests {
            let is_unused = stored.is_unused(digest, unused_since);
            let blob = stored.blobs.get_mut(digest);
            match blob.filter(|blob| blob.is_condemned_before(condemned_before)) {
                None => {}
                Some(blob) if !is_unused => blob.condemned_at = None,
                Some(blob) => {
                    forgotten.push(blob.named(digest));
                    stored.remove_blob(digest);
                }
            }
        }
        Ok(forgotten)
    }

    async fn replaced_blobs(
        &self,
        after: Option<&BlobName>,
        replaced_before: SystemTime,
        limit: u32,
    ) -> Result<Vec<BlobName>, MetadataError> {
        let replaced_before = milliseconds(replaced_before);
        let stored = self.lock();
        let replaced = stored.replaced.iter();
        let old = replaced.filter(|(_, replaced_at)| **replaced_at <= replaced_before);
        let names = old.map(|(name, _)| name.clone());
        let is_after = |name: &BlobName| after.is_none_or(|after| name > after);
        Ok(page(names, is_after, limit))
    }

    async fn forsake(
        &self,
        names: &[BlobName],
        replaced_before: SystemTime,
    ) -> Result<Vec<BlobName>, MetadataError> {
        let replaced_before = milliseconds(replaced_before);
        let mut stored = self.lock();
        let is_over = |name: &&BlobName| {
            let replaced_at = stored.replaced.get(*name);
            replaced_at.is_none_or(|replaced_at| *replaced_at <= replaced_before)
        };
        let old: Vec<BlobName> = names.iter().filter(is_over).cloned().collect();
        let unrecorded = stored.unrecorded(&old);
        let forsaken: BTreeSet<BlobName> = unrecorded
            .filter(|name| name.generation.is_some())
            .cloned()
            .collect();
        let generations = forsaken.iter().filter_map(|name| name.generation);
        stored.forsaken.extend(generations);
        stored.replaced.retain(|name, _| !old.contains(name));
        Ok(forsaken.into_iter().collect())
    }

    async fn adopt_blob(&self, lost: &BlobName, found: &BlobName) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let is_forsaken = |generation| stored.forsaken.contains(&generation);
        if lost.digest != found.digest || found.generation.is_some_and(is_forsaken) {
            return Ok(false);
        }
        let recorded = stored.blobs.get_mut(&lost.digest);
        let Some(blob) = recorded.filter(|blob| blob.generation == lost.generation) else {
            return Ok(false);
        };
        blob.generation = found.generation;
        if lost != found {
            stored.replace(lost.clone(), found);
        }
        Ok(true)
    }
}

impl Stored {
    /// Writes down that bytes are replaced by others, if they have a generation.
    pub(super) fn replace(&mut self, older: BlobName, newer: &BlobName) {
        self.replaced.remove(newer);
        if older.generation.is_some() {
            self.replaced.insert(older, now());
        }
    }

    fn remove_blob(&mut self, digest: &Digest) {
        for repository in self.repositories.values_mut() {
            repository.blobs.remove(digest);
        }
        self.blobs.remove(digest);
    }
}
