mod inspection;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{Digest, Reference, RepositoryName, SessionId, Tag};

use crate::store::time_of;
use crate::{
    Blob, Condition, DeleteTag, MetadataError, MetadataStore, NewManifest, PutManifest, Referrer,
    ReferrerLimits, StoredManifest, UploadRecord,
};

/// Metadata in memory, for the tests of what uses a [`MetadataStore`]. Nothing is durable.
#[derive(Debug, Default)]
pub struct MemoryMetadata {
    stored: Mutex<Stored>,
}

#[derive(Debug, Default)]
struct Stored {
    repositories: BTreeMap<RepositoryName, Repository>,
    /// The size of each blob.
    blobs: BTreeMap<Digest, u64>,
    uploads: BTreeMap<SessionId, UploadRecord>,
}

#[derive(Debug, Default)]
struct Repository {
    blobs: BTreeSet<Digest>,
    manifests: BTreeMap<Digest, NewManifest>,
    tags: BTreeMap<Tag, Digest>,
}

impl Repository {
    /// The digest of the manifest that a reference leads to.
    fn digest_of(&self, reference: &Reference) -> Option<&Digest> {
        match reference {
            Reference::Digest(digest) => {
                let (digest, _) = self.manifests.get_key_value(digest)?;
                Some(digest)
            }
            Reference::Tag(tag) => self.tags.get(tag),
        }
    }

    /// What a manifest needs and the repository lacks, each once.
    fn missing(&self, manifest: &NewManifest) -> Vec<Digest> {
        let has_blob = |digest: &&Digest| !self.blobs.contains(*digest);
        let has_manifest = |digest: &&Digest| !self.manifests.contains_key(*digest);
        let blobs = manifest.required_blobs.iter().filter(has_blob);
        let manifests = manifest.required_manifests.iter().filter(has_manifest);
        let mut missing: Vec<Digest> = Vec::new();
        for digest in blobs.chain(manifests) {
            if !missing.contains(digest) {
                missing.push(digest.clone());
            }
        }
        missing
    }
}

impl MemoryMetadata {
    fn lock(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries after `last`, at most `limit`, of a sorted list.
fn page<T>(sorted: impl Iterator<Item = T>, is_after: impl Fn(&T) -> bool, limit: u32) -> Vec<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    sorted.filter(is_after).take(limit).collect()
}

#[async_trait]
impl MetadataStore for MemoryMetadata {
    async fn has_repository(&self, name: &RepositoryName) -> Result<bool, MetadataError> {
        Ok(self.lock().repositories.contains_key(name))
    }

    async fn repositories(
        &self,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RepositoryName>, MetadataError> {
        let last = last.unwrap_or_default();
        let stored = self.lock();
        let names = stored.repositories.keys().cloned();
        Ok(page(names, |name| name.as_str() > last, limit))
    }

    async fn link_blob(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        finished: Option<SessionId>,
    ) -> Result<(), MetadataError> {
        let mut stored = self.lock();
        let recorded = stored.blobs.get(&blob.digest).copied();
        if let Some(recorded) = recorded.filter(|recorded| *recorded != blob.size) {
            return Err(MetadataError::SizeConflict {
                digest: blob.digest.clone(),
                recorded,
                given: blob.size,
            });
        }
        stored.blobs.insert(blob.digest.clone(), blob.size);
        let links = &mut stored
            .repositories
            .entry(repository.clone())
            .or_default()
            .blobs;
        links.insert(blob.digest.clone());
        if let Some(session) = finished {
            stored.uploads.remove(&session);
        }
        Ok(())
    }

    async fn mount_blob(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        let mut stored = self.lock();
        let is_source = |name: &RepositoryName| from.is_none_or(|from| from == name);
        let is_there = stored
            .repositories
            .iter()
            .any(|(name, repository)| is_source(name) && repository.blobs.contains(digest));
        let size = stored.blobs.get(digest).copied();
        let Some(size) = size.filter(|_| is_there) else {
            return Ok(None);
        };
        let links = &mut stored
            .repositories
            .entry(repository.clone())
            .or_default()
            .blobs;
        links.insert(digest.clone());
        Ok(Some(Blob {
            digest: digest.clone(),
            size,
        }))
    }

    async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        let stored = self.lock();
        let is_linked = stored
            .repositories
            .get(repository)
            .is_some_and(|repository| repository.blobs.contains(digest));
        let size = stored.blobs.get(digest).filter(|_| is_linked);
        Ok(size.map(|size| Blob {
            digest: digest.clone(),
            size: *size,
        }))
    }

    async fn unlink_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let repository = stored.repositories.get_mut(repository);
        Ok(repository.is_some_and(|repository| repository.blobs.remove(digest)))
    }

    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        manifest: &NewManifest,
    ) -> Result<PutManifest, MetadataError> {
        let mut stored = self.lock();
        let nothing = Repository::default();
        let before = stored.repositories.get(repository).unwrap_or(&nothing);
        let holds = |(reference, condition): &(Reference, Condition)| {
            condition.holds(before.digest_of(reference))
        };
        if !manifest.condition.as_ref().is_none_or(holds) {
            return Ok(PutManifest::Refused);
        }
        let missing = before.missing(manifest);
        if !missing.is_empty() {
            return Ok(PutManifest::Missing(missing));
        }
        let repository = stored.repositories.entry(repository.clone()).or_default();
        repository
            .manifests
            .insert(manifest.digest.clone(), manifest.clone());
        for tag in &manifest.tags {
            repository.tags.insert(tag.clone(), manifest.digest.clone());
        }
        Ok(PutManifest::Stored)
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let stored = self.lock();
        let found = stored.repositories.get(repository).and_then(|repository| {
            let digest = repository.digest_of(reference)?;
            repository.manifests.get(digest)
        });
        Ok(found.map(|manifest| StoredManifest {
            digest: manifest.digest.clone(),
            media_type: manifest.media_type.clone(),
            content: manifest.content.clone(),
        }))
    }

    async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let Some(repository) = stored.repositories.get_mut(repository) else {
            return Ok(false);
        };
        repository.tags.retain(|_, tagged| tagged != digest);
        Ok(repository.manifests.remove(digest).is_some())
    }

    async fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
    ) -> Result<DeleteTag, MetadataError> {
        let mut stored = self.lock();
        let Some(repository) = stored.repositories.get_mut(repository) else {
            return Ok(DeleteTag::Unknown);
        };
        let Some(current) = repository.tags.get(tag) else {
            return Ok(DeleteTag::Unknown);
        };
        if !condition.holds(Some(current)) {
            return Ok(DeleteTag::Refused);
        }
        repository.tags.remove(tag);
        Ok(DeleteTag::Deleted)
    }

    async fn tags(
        &self,
        repository: &RepositoryName,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Option<Vec<Tag>>, MetadataError> {
        let last = last.unwrap_or_default();
        let stored = self.lock();
        let repository = stored.repositories.get(repository);
        Ok(repository.map(|repository| {
            let tags = repository.tags.keys().cloned();
            page(tags, |tag| tag.as_str() > last, limit)
        }))
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limits: ReferrerLimits,
    ) -> Result<Vec<Referrer>, MetadataError> {
        let last = last.map(Digest::as_str).unwrap_or_default();
        let stored = self.lock();
        let Some(repository) = stored.repositories.get(repository) else {
            return Ok(Vec::new());
        };
        let is_wanted = |manifest: &&NewManifest| {
            let is_of_type =
                artifact_type.is_none() || manifest.artifact_type.as_deref() == artifact_type;
            is_of_type && manifest.subject.as_ref() == Some(subject)
        };
        let referrers = repository.manifests.values().filter(is_wanted);
        let is_after = |manifest: &&NewManifest| manifest.digest.as_str() > last;
        let mut bytes = 0;
        let is_within = |referrer: &Referrer| {
            let is_first = bytes == 0;
            bytes += text_bytes(referrer).max(1);
            is_first || bytes <= limits.bytes
        };
        let referrers = page(referrers, is_after, limits.count);
        let referrers = referrers.into_iter().map(referrer);
        Ok(referrers.take_while(is_within).collect())
    }

    async fn create_upload(&self, upload: &UploadRecord) -> Result<(), MetadataError> {
        self.lock().uploads.insert(upload.id, rounded(upload));
        Ok(())
    }

    async fn upload(&self, id: SessionId) -> Result<Option<UploadRecord>, MetadataError> {
        Ok(self.lock().uploads.get(&id).cloned())
    }

    async fn update_upload(&self, upload: &UploadRecord) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let current = stored.uploads.get_mut(&upload.id);
        let Some(current) = current.filter(|current| current.revision + 1 == upload.revision)
        else {
            return Ok(false);
        };
        *current = rounded(upload);
        Ok(true)
    }

    async fn delete_upload(&self, id: SessionId) -> Result<bool, MetadataError> {
        Ok(self.lock().uploads.remove(&id).is_some())
    }

    async fn expired_uploads(
        &self,
        now: SystemTime,
        limit: u32,
    ) -> Result<Vec<SessionId>, MetadataError> {
        let stored = self.lock();
        let mut expired: Vec<&UploadRecord> = stored
            .uploads
            .values()
            .filter(|upload| upload.expires_at <= now)
            .collect();
        expired.sort_by_key(|upload| (upload.expires_at, upload.id));
        let ids = expired.iter().map(|upload| upload.id);
        Ok(page(ids, |_| true, limit))
    }
}

fn referrer(manifest: &NewManifest) -> Referrer {
    Referrer {
        digest: manifest.digest.clone(),
        media_type: manifest.media_type.clone(),
        size: manifest.content.len() as u64,
        artifact_type: manifest.artifact_type.clone(),
        annotations: manifest.annotations.clone(),
    }
}

/// About as many bytes as a database keeps for the artifact type and the annotations.
fn text_bytes(referrer: &Referrer) -> usize {
    let texts = referrer.annotations.iter();
    let annotations: usize = texts.map(|(key, value)| key.len() + value.len()).sum();
    annotations + referrer.artifact_type.as_deref().map_or(0, str::len)
}

/// The record as a database keeps it: times in whole milliseconds.
fn rounded(upload: &UploadRecord) -> UploadRecord {
    UploadRecord {
        expires_at: time_of(upload.expires_at_milliseconds()),
        ..upload.clone()
    }
}
