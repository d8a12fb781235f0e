use std::collections::BTreeSet;

use async_trait::async_trait;
use berth_spec::{Digest, RepositoryName};

use super::{MemoryMetadata, Repository, Stored, page};
use crate::{
    Blob, InspectedManifest, InspectionStore, Listed, ManifestLimits, ManifestUser, MetadataError,
    NewManifest, StoredManifest, TagUser, Totals, Users,
};

#[async_trait]
impl InspectionStore for MemoryMetadata {
    async fn totals(&self) -> Result<Totals, MetadataError> {
        let stored = self.lock();
        let manifests = stored.repositories.values().map(Repository::manifest_count);
        Ok(Totals {
            blobs: stored.blobs.len() as u64,
            blob_bytes: stored.blobs().map(|blob| blob.size).sum(),
            manifests: manifests.sum(),
        })
    }

    async fn blobs(&self, after: Option<&Digest>, limit: u32) -> Result<Vec<Blob>, MetadataError> {
        let is_after = |blob: &Blob| after.is_none_or(|after| blob.digest > *after);
        Ok(page(self.lock().blobs(), is_after, limit))
    }

    async fn recorded_blob(&self, digest: &Digest) -> Result<Option<Blob>, MetadataError> {
        let stored = self.lock();
        let found = stored.blobs().find(|blob| blob.digest == *digest);
        Ok(found)
    }

    async fn manifests(
        &self,
        after: Option<(&RepositoryName, &Digest)>,
        limits: ManifestLimits,
    ) -> Result<Vec<InspectedManifest>, MetadataError> {
        let stored = self.lock();
        let is_after = |inspected: &InspectedManifest| {
            let key = (&inspected.repository, &inspected.manifest.digest);
            after.is_none_or(|after| key > after)
        };
        let mut bytes = 0;
        let is_within = |inspected: &InspectedManifest| {
            let is_first = bytes == 0;
            bytes += inspected.manifest.content.len().max(1);
            is_first || bytes <= limits.bytes
        };
        let page = page(stored.manifests(), is_after, limits.count);
        Ok(page.into_iter().take_while(is_within).collect())
    }

    async fn inspected_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<InspectedManifest>, MetadataError> {
        let stored = self.lock();
        let found = stored.repositories.get(repository);
        let found = found.and_then(|found| found.manifest(digest));
        Ok(found.map(|manifest| inspected(repository, manifest)))
    }

    async fn missing_references(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        blobs: &[Digest],
        manifests: &[Digest],
    ) -> Result<Option<Vec<Digest>>, MetadataError> {
        let stored = self.lock();
        let repository = stored.repositories.get(repository);
        let Some(repository) = repository.filter(|found| found.manifest(digest).is_some()) else {
            return Ok(None);
        };
        let blobs = blobs.iter().filter(|digest| !repository.has_blob(digest));
        let manifests = manifests
            .iter()
            .filter(|digest| repository.manifest(digest).is_none());
        let mut missing: Vec<Digest> = Vec::new();
        for digest in blobs.chain(manifests) {
            if !missing.contains(digest) {
                missing.push(digest.clone());
            }
        }
        Ok(Some(missing))
    }

    async fn blob_users(&self, digest: &Digest, limit: u32) -> Result<Users, MetadataError> {
        let stored = self.lock();
        let linked = stored
            .repositories
            .iter()
            .filter(|(_, repository)| repository.has_blob(digest));
        let mut repositories = Vec::new();
        let (mut manifests, mut tags) = (Vec::new(), Vec::new());
        for (name, repository) in linked {
            repositories.push(name.clone());
            let needing = repository.all().filter(|manifest| needs(manifest, digest));
            let needing = needing.map(|manifest| manifest.digest.clone()).collect();
            repository.add_users(name, needing, &mut manifests, &mut tags);
        }
        Ok(Users {
            repositories: Listed::of(repositories, limit),
            manifests: Listed::of(manifests, limit),
            tags: Listed::of(tags, limit),
        })
    }

    async fn manifest_users(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        limit: u32,
    ) -> Result<Users, MetadataError> {
        let stored = self.lock();
        let repository = stored.repositories.get(name);
        let Some(repository) = repository.filter(|found| found.manifest(digest).is_some()) else {
            return Ok(Users::default());
        };
        let (mut manifests, mut tags) = (Vec::new(), Vec::new());
        let needing = BTreeSet::from([digest.clone()]);
        repository.add_users(name, needing, &mut manifests, &mut tags);
        Ok(Users {
            repositories: Listed::of([name.clone()], limit),
            manifests: Listed::of(manifests, limit),
            tags: Listed::of(tags, limit),
        })
    }

    async fn damages(&self) -> Result<Vec<String>, MetadataError> {
        Ok(Vec::new())
    }
}

impl Stored {
    fn blobs(&self) -> impl Iterator<Item = Blob> {
        self.blobs.iter().map(|(digest, blob)| blob.named(digest))
    }

    fn manifests(&self) -> impl Iterator<Item = InspectedManifest> {
        self.repositories.iter().flat_map(|(name, repository)| {
            let manifests = repository.all();
            manifests.map(|manifest| inspected(name, manifest))
        })
    }
}

impl Repository {
    fn manifest_count(&self) -> u64 {
        self.manifests.len() as u64
    }

    fn all(&self) -> impl Iterator<Item = &NewManifest> {
        self.manifests.values().map(|stored| &stored.manifest)
    }

    fn manifest(&self, digest: &Digest) -> Option<&NewManifest> {
        self.manifests.get(digest).map(|stored| &stored.manifest)
    }

    fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// Adds manifests, those that list them, and the tags of all.
    fn add_users(
        &self,
        name: &RepositoryName,
        mut needing: BTreeSet<Digest>,
        manifests: &mut Vec<ManifestUser>,
        tags: &mut Vec<TagUser>,
    ) {
        let mut known = 0;
        while known < needing.len() {
            known = needing.len();
            let lists = |parent: &&NewManifest| {
                let mut children = parent.required_manifests.iter();
                children.any(|child| needing.contains(child))
            };
            let parents = self.all().filter(lists);
            let parents: Vec<Digest> = parents.map(|parent| parent.digest.clone()).collect();
            needing.extend(parents);
        }
        let tagged = self
            .tags
            .iter()
            .filter(|(_, (digest, _))| needing.contains(digest));
        tags.extend(tagged.map(|(tag, _)| TagUser {
            repository: name.clone(),
            tag: tag.clone(),
        }));
        manifests.extend(needing.into_iter().map(|digest| ManifestUser {
            repository: name.clone(),
            digest,
        }));
    }
}

fn needs(manifest: &NewManifest, blob: &Digest) -> bool {
    manifest.required_blobs.contains(blob) || manifest.optional_blobs.contains(blob)
}

fn inspected(repository: &RepositoryName, manifest: &NewManifest) -> InspectedManifest {
    InspectedManifest {
        repository: repository.clone(),
        manifest: StoredManifest {
            digest: manifest.digest.clone(),
            media_type: manifest.media_type.clone(),
            content: manifest.content.clone(),
        },
    }
}
