use std::collections::BTreeSet;
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};

use super::{MemoryMetadata, Repository, StoredManifest};
use crate::store::{milliseconds, time_of};
use crate::{Blob, ManifestEntry, MetadataError, RepositoryContents, RetentionStore, TagEntry};

#[async_trait]
impl RetentionStore for MemoryMetadata {
    async fn repository_contents(
        &self,
        repository: &RepositoryName,
    ) -> Result<Option<RepositoryContents>, MetadataError> {
        let stored = self.lock();
        let repository = stored.repositories.get(repository);
        Ok(repository.map(Repository::contents))
    }

    async fn delete_tag_as_seen(
        &self,
        repository: &RepositoryName,
        tag: &TagEntry,
    ) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let Some(repository) = stored.repositories.get_mut(repository) else {
            return Ok(false);
        };
        let seen = (tag.digest.clone(), milliseconds(tag.updated_at));
        let is_as_seen = repository.tags.get(&tag.tag) == Some(&seen);
        if is_as_seen {
            repository.tags.remove(&tag.tag);
        }
        Ok(is_as_seen)
    }

    async fn delete_manifest_if_unused(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        seen_used_at: SystemTime,
    ) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let Some(repository) = stored.repositories.get_mut(repository) else {
            return Ok(false);
        };
        let is_unused = repository.is_unused(digest, milliseconds(seen_used_at));
        if is_unused {
            repository.manifests.remove(digest);
        }
        Ok(is_unused)
    }

    async fn manifest_blobs(
        &self,
        repository: &RepositoryName,
        manifest: &Digest,
    ) -> Result<Vec<Blob>, MetadataError> {
        let stored = self.lock();
        let Some(repository) = stored.repositories.get(repository) else {
            return Ok(Vec::new());
        };
        let Some(manifest) = repository.manifests.get(manifest) else {
            return Ok(Vec::new());
        };
        let linked = manifest
            .blobs()
            .filter(|digest| repository.blobs.contains_key(*digest))
            .collect::<BTreeSet<_>>();
        let blob = |digest: &Digest| Some(stored.blobs.get(digest)?.named(digest));
        Ok(linked.into_iter().filter_map(blob).collect())
    }

    async fn blob_references(&self, blob: &Digest) -> Result<u64, MetadataError> {
        Ok(self.lock().references(blob))
    }
}

impl Repository {
    fn contents(&self) -> RepositoryContents {
        let tag = |(tag, (digest, updated_at)): (&_, &(Digest, i64))| TagEntry {
            tag: Clone::clone(tag),
            digest: digest.clone(),
            updated_at: time_of(*updated_at),
        };
        let manifests = self.manifests.values();
        RepositoryContents {
            tags: self.tags.iter().map(tag).collect(),
            manifests: manifests.map(StoredManifest::entry).collect(),
        }
    }

    fn is_unused(&self, digest: &Digest, seen_used_at: i64) -> bool {
        let Some(manifest) = self.manifests.get(digest) else {
            return false;
        };
        let subject = manifest.manifest.subject.as_ref();
        let has_subject = subject.is_some_and(|subject| self.manifests.contains_key(subject));
        let is_tagged = self.tags.values().any(|(tagged, _)| tagged == digest);
        let has_parent = self.manifests.values().any(|parent| {
            let parent = &parent.manifest;
            parent.digest != *digest && parent.required_manifests.contains(digest)
        });
        manifest.used_at == seen_used_at && !has_subject && !is_tagged && !has_parent
    }
}

impl StoredManifest {
    fn entry(&self) -> ManifestEntry {
        let children: BTreeSet<&Digest> = self.manifest.required_manifests.iter().collect();
        ManifestEntry {
            digest: self.manifest.digest.clone(),
            size: self.manifest.content.len() as u64,
            used_at: time_of(self.used_at),
            subject: self.manifest.subject.clone(),
            children: children.into_iter().cloned().collect(),
        }
    }
}
