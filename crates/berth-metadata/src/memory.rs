mod accounts;
mod collection;
mod inspection;
mod retention;
pub(crate) mod turns;
mod usage;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use berth_spec::{BlobName, Digest, Generation, Reference, RepositoryName, SessionId, Tag};

use crate::store::{milliseconds, time_of};
use crate::{
    Blob, Bounds, Condition, DeleteTag, MetadataError, MetadataStore, NewManifest, PutManifest,
    Referrer, ReferrerLimits, Scope, UploadRecord, UploadRevision, Usage,
};

/// Metadata in memory, for the tests of what uses a [`MetadataStore`]. Nothing is durable.
#[derive(Debug, Default)]
pub struct MemoryMetadata {
    stored: Mutex<Stored>,
    turns: turns::Turns,
}

#[derive(Debug, Default)]
struct Stored {
    repositories: BTreeMap<RepositoryName, Repository>,
    blobs: BTreeMap<Digest, StoredBlob>,
    forsaken: BTreeSet<Generation>,
    /// When each was replaced, in milliseconds.
    replaced: BTreeMap<BlobName, i64>,
    uploads: BTreeMap<SessionId, UploadRecord>,
    accounts: accounts::Accounts,
}

#[derive(Debug)]
struct StoredBlob {
    size: u64,
    generation: Option<Generation>,
    condemned_at: Option<i64>,
}

/// Times are milliseconds since the Unix epoch.
#[derive(Debug, Default)]
struct Repository {
    /// When each was linked.
    blobs: BTreeMap<Digest, i64>,
    manifests: BTreeMap<Digest, StoredManifest>,
    /// What each points to, and since when.
    tags: BTreeMap<Tag, (Digest, i64)>,
}

#[derive(Debug)]
struct StoredManifest {
    manifest: NewManifest,
    used_at: i64,
}

impl Stored {
    /// Whether a session is there, in this state.
    fn has_upload(&self, upload: &UploadRevision) -> bool {
        let stored = self.uploads.get(&upload.id);
        stored.is_some_and(|stored| stored.revision == upload.revision)
    }

    /// The blob, linked to the repository and live.
    fn link(&mut self, repository: &RepositoryName, digest: &Digest) {
        if let Some(blob) = self.blobs.get_mut(digest) {
            blob.condemned_at = None;
        }
        let repository = self.repositories.entry(repository.clone()).or_default();
        repository.blobs.insert(digest.clone(), now());
    }

    /// Those of these names that are not those of a blob.
    fn unrecorded<'a>(&self, names: &'a [BlobName]) -> impl Iterator<Item = &'a BlobName> {
        names.iter().filter(|name| {
            let blob = self.blobs.get(&name.digest);
            blob.is_none_or(|blob| blob.generation != name.generation)
        })
    }

    /// The blob, if this repository, or any, is linked to it.
    fn blob_from(&self, from: Option<&RepositoryName>, digest: &Digest) -> Option<Blob> {
        let is_source = |name: &RepositoryName| from.is_none_or(|from| from == name);
        let is_there = self
            .repositories
            .iter()
            .any(|(name, repository)| is_source(name) && repository.blobs.contains_key(digest));
        let blob = self.blobs.get(digest).filter(|_| is_there);
        blob.map(|blob| blob.named(digest))
    }

    /// How many manifests are linked to a blob.
    fn references(&self, digest: &Digest) -> u64 {
        let linked = self
            .repositories
            .values()
            .filter(|repository| repository.blobs.contains_key(digest));
        let manifests = linked.flat_map(|repository| repository.manifests.values());
        let referring = manifests.filter(|manifest| manifest.blobs().any(|blob| blob == digest));
        referring.count() as u64
    }
}

impl StoredBlob {
    fn named(&self, digest: &Digest) -> Blob {
        Blob {
            digest: digest.clone(),
            size: self.size,
            generation: self.generation,
        }
    }

    fn is_condemned_before(&self, time: i64) -> bool {
        self.condemned_at
            .is_some_and(|condemned_at| condemned_at <= time)
    }
}

impl StoredManifest {
    /// All that it refers to, present or not, perhaps twice.
    fn blobs(&self) -> impl Iterator<Item = &Digest> {
        let manifest = &self.manifest;
        manifest
            .required_blobs
            .iter()
            .chain(&manifest.optional_blobs)
    }
}

impl Repository {
    /// The digest of the manifest that a reference leads to.
    fn digest_of(&self, reference: &Reference) -> Option<&Digest> {
        match reference {
            Reference::Digest(digest) => {
                let (digest, _) = self.manifests.get_key_value(digest)?;
                Some(digest)
            }
            Reference::Tag(tag) => self.tags.get(tag).map(|(digest, _)| digest),
        }
    }

    /// The tags that point to a manifest.
    fn tags_of(&self, digest: &Digest) -> impl Iterator<Item = &Tag> {
        let tags = self.tags.iter();
        tags.filter_map(move |(tag, (tagged, _))| (tagged == digest).then_some(tag))
    }

    /// Whether the same bytes are here as something else.
    fn is_described_otherwise(&self, manifest: &NewManifest) -> bool {
        let description = |manifest: &NewManifest| {
            let NewManifest { media_type, .. } = manifest;
            let artifact_type = manifest.artifact_type.clone();
            (media_type.clone(), artifact_type, manifest.subject.clone())
        };
        let stored = self.manifests.get(&manifest.digest);
        stored.is_some_and(|stored| description(&stored.manifest) != description(manifest))
    }

    /// What a manifest needs and the repository lacks, each once.
    fn missing(&self, manifest: &NewManifest) -> Vec<Digest> {
        let has_blob = |digest: &&Digest| !self.blobs.contains_key(*digest);
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

impl Repository {
    /// Notes that the manifest which a tag points to is about to lose it.
    fn loses_tag(&mut self, tag: &Tag) {
        let tagged = self.tags.get(tag);
        if let Some(manifest) = tagged.and_then(|(digest, _)| self.manifests.get_mut(digest)) {
            manifest.used_at = now();
        }
    }

    /// Notes that the manifests which another one needs, and those about it, have lost it.
    fn lose_holder(&mut self, lost: &NewManifest) {
        for (digest, manifest) in &mut self.manifests {
            let is_about = manifest.manifest.subject.as_ref() == Some(&lost.digest);
            if is_about || lost.required_manifests.contains(digest) {
                manifest.used_at = now();
            }
        }
    }
}

fn now() -> i64 {
    milliseconds(SystemTime::now())
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

    async fn link_blob_within(
        &self,
        repository: &RepositoryName,
        blob: &Blob,
        finished: Option<UploadRevision>,
        bounds: &Bounds,
    ) -> Result<(), MetadataError> {
        let mut stored = self.lock();
        let is_forsaken = |generation: Generation| stored.forsaken.contains(&generation);
        if blob.generation.is_some_and(is_forsaken) {
            return Err(MetadataError::Forsaken(blob.name()));
        }
        let recorded = stored.blobs.get(&blob.digest).map(|blob| blob.size);
        if let Some(recorded) = recorded.filter(|recorded| *recorded != blob.size) {
            return Err(MetadataError::SizeConflict {
                digest: blob.digest.clone(),
                recorded,
                given: blob.size,
            });
        }
        if let Some(upload) = finished
            .as_ref()
            .filter(|upload| !stored.has_upload(upload))
        {
            return Err(MetadataError::UploadChanged(upload.id));
        }
        stored.add_blob(repository, blob, bounds)?;
        let live = StoredBlob {
            size: blob.size,
            generation: blob.generation,
            condemned_at: None,
        };
        let older = stored.blobs.insert(blob.digest.clone(), live);
        if let Some(older) = older.filter(|older| older.generation != blob.generation) {
            stored.replace(older.named(&blob.digest).name(), &blob.name());
        }
        stored.link(repository, &blob.digest);
        if let Some(upload) = finished {
            stored.uploads.remove(&upload.id);
        }
        Ok(())
    }

    async fn mountable_blob(
        &self,
        from: Option<&RepositoryName>,
        digest: &Digest,
    ) -> Result<Option<Blob>, MetadataError> {
        Ok(self.lock().blob_from(from, digest))
    }

    async fn mount_blob_within(
        &self,
        repository: &RepositoryName,
        from: Option<&RepositoryName>,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<Option<Blob>, MetadataError> {
        let mut stored = self.lock();
        let Some(blob) = stored.blob_from(from, digest) else {
            return Ok(None);
        };
        stored.add_blob(repository, &blob, bounds)?;
        stored.link(repository, digest);
        Ok(Some(blob))
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
            .is_some_and(|repository| repository.blobs.contains_key(digest));
        let blob = stored.blobs.get(digest).filter(|_| is_linked);
        Ok(blob.map(|blob| blob.named(digest)))
    }

    async fn promise_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        renew_before: SystemTime,
    ) -> Result<Option<Blob>, MetadataError> {
        let mut stored = self.lock();
        let linked = stored.repositories.get(repository);
        let linked_at = linked.and_then(|repository| repository.blobs.get(digest).copied());
        let (Some(linked_at), Some(blob)) = (linked_at, stored.blobs.get(digest)) else {
            return Ok(None);
        };
        let promised = blob.named(digest);
        if blob.condemned_at.is_some() || linked_at < milliseconds(renew_before) {
            stored.link(repository, digest);
        }
        Ok(Some(promised))
    }

    async fn unlink_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let repository = stored.repositories.get_mut(repository);
        Ok(repository.is_some_and(|repository| repository.blobs.remove(digest).is_some()))
    }

    async fn unrecorded(&self, names: &[BlobName]) -> Result<HashSet<BlobName>, MetadataError> {
        Ok(self.lock().unrecorded(names).cloned().collect())
    }

    async fn put_manifest_within(
        &self,
        repository: &RepositoryName,
        manifest: &NewManifest,
        bounds: &Bounds,
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
        let is_moved = |tag: &&Tag| {
            let tagged = before.tags.get(*tag);
            tagged.is_some_and(|(digest, _)| *digest != manifest.digest)
        };
        let mut moved = manifest.tags.iter().filter(is_moved);
        moved.try_for_each(|tag| bounds.change_tag(tag))?;
        if before.is_described_otherwise(manifest) {
            before
                .tags_of(&manifest.digest)
                .try_for_each(|tag| bounds.change_tag(tag))?;
        }
        let is_new = |tag: &&Tag| !before.tags.contains_key(*tag);
        let new_tags: BTreeSet<&Tag> = manifest.tags.iter().filter(is_new).collect();
        let added = Usage {
            bytes: match before.manifests.contains_key(&manifest.digest) {
                true => 0,
                false => manifest.content.len() as u64,
            },
            tags: new_tags.len() as u64,
        };
        bounds.add(added, |quota| {
            Ok::<_, MetadataError>(stored.usage(&quota.scope))
        })?;
        let repository = stored.repositories.entry(repository.clone()).or_default();
        let new = StoredManifest {
            manifest: manifest.clone(),
            used_at: now(),
        };
        let linked = |digest: &&Digest| repository.blobs.contains_key(*digest);
        let blobs: Vec<Digest> = new.blobs().filter(linked).cloned().collect();
        repository.manifests.insert(manifest.digest.clone(), new);
        for tag in &manifest.tags {
            repository.loses_tag(tag);
            let pointer = (manifest.digest.clone(), now());
            repository.tags.insert(tag.clone(), pointer);
        }
        for digest in blobs {
            if let Some(blob) = stored.blobs.get_mut(&digest) {
                blob.condemned_at = None;
            }
        }
        Ok(PutManifest::Stored)
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<crate::StoredManifest>, MetadataError> {
        let stored = self.lock();
        let found = stored.repositories.get(repository).and_then(|repository| {
            let digest = repository.digest_of(reference)?;
            repository.manifests.get(digest)
        });
        Ok(found.map(|found| crate::StoredManifest {
            digest: found.manifest.digest.clone(),
            media_type: found.manifest.media_type.clone(),
            content: found.manifest.content.clone(),
        }))
    }

    async fn delete_manifest_within(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bounds: &Bounds,
    ) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let Some(repository) = stored.repositories.get_mut(repository) else {
            return Ok(false);
        };
        repository
            .tags_of(digest)
            .try_for_each(|tag| bounds.change_tag(tag))?;
        repository.tags.retain(|_, (tagged, _)| tagged != digest);
        let Some(deleted) = repository.manifests.remove(digest) else {
            return Ok(false);
        };
        repository.lose_holder(&deleted.manifest);
        Ok(true)
    }

    async fn delete_tag_within(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        condition: &Condition,
        bounds: &Bounds,
    ) -> Result<DeleteTag, MetadataError> {
        let mut stored = self.lock();
        let Some(repository) = stored.repositories.get_mut(repository) else {
            return Ok(DeleteTag::Unknown);
        };
        let Some((current, _)) = repository.tags.get(tag) else {
            return Ok(DeleteTag::Unknown);
        };
        if !condition.holds(Some(current)) {
            return Ok(DeleteTag::Refused);
        }
        bounds.change_tag(tag)?;
        repository.loses_tag(tag);
        repository.tags.remove(tag);
        Ok(DeleteTag::Deleted)
    }

    async fn usage(&self, scope: &Scope) -> Result<Usage, MetadataError> {
        Ok(self.lock().usage(scope))
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
        let manifests = repository.manifests.values().map(|stored| &stored.manifest);
        let referrers = manifests.filter(is_wanted);
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

    async fn delete_upload(&self, upload: UploadRevision) -> Result<bool, MetadataError> {
        let mut stored = self.lock();
        let is_there = stored.has_upload(&upload);
        if is_there {
            stored.uploads.remove(&upload.id);
        }
        Ok(is_there)
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
        expires_at: time_of(milliseconds(upload.expires_at)),
        holder: None,
        ..upload.clone()
    }
}
