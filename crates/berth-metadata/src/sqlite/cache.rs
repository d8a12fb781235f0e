use berth_spec::{Digest, Reference, RepositoryName, Tag};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

use crate::{MetadataError, StoredManifest};

/// How many bytes of manifests are kept.
const MANIFEST_BYTES: u64 = 12 * 1024 * 1024;

/// How many bytes of tags are kept.
const TAG_BYTES: u64 = 4 * 1024 * 1024;

/// What an entry takes beside its texts and its content, in bytes: about.
const ENTRY_BYTES: u64 = 200;

/// For how many entries there is room from the start.
const FIRST_ENTRIES: usize = 64;

/// Manifests that were read lately, in bounded memory.
///
/// Nothing here is ever older than the last answered write: the writer forgets what it has changed
/// after the commit and before the answer. A read that began before the commit has a
/// placeholder here, which goes when its key is forgotten, and then what it read is not kept.
pub(super) struct ManifestCache {
    tags: Cache<Key<Tag>, Digest, Weight>,
    manifests: Cache<Key<Digest>, StoredManifest, Weight>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key<T> {
    repository: RepositoryName,
    name: T,
}

/// A [`Key`] to look for.
#[derive(Hash)]
struct KeyOf<'a, T> {
    repository: &'a RepositoryName,
    name: &'a T,
}

impl<T: Eq> Equivalent<Key<T>> for KeyOf<'_, T> {
    fn equivalent(&self, key: &Key<T>) -> bool {
        *self.repository == key.repository && *self.name == key.name
    }
}

impl<T: Clone> KeyOf<'_, T> {
    fn to_key(&self) -> Key<T> {
        Key {
            repository: self.repository.clone(),
            name: self.name.clone(),
        }
    }
}

/// Of which keys what is kept may no longer be true.
pub(super) enum Stale {
    /// These of one repository.
    Keys {
        repository: RepositoryName,
        digest: Option<Digest>,
        tags: Vec<Tag>,
    },
    /// All: nobody knows what was changed.
    Everything,
}

impl ManifestCache {
    pub(super) fn new() -> Self {
        Self {
            tags: Cache::with_weighter(FIRST_ENTRIES, TAG_BYTES, Weight),
            manifests: Cache::with_weighter(FIRST_ENTRIES, MANIFEST_BYTES, Weight),
        }
    }

    /// The manifest, if it is kept. Does not wait.
    pub(super) fn get(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Option<StoredManifest> {
        match reference {
            Reference::Digest(digest) => self.manifests.get(&key(repository, digest)),
            Reference::Tag(tag) => {
                let digest = self.tags.get(&key(repository, tag))?;
                self.manifests.get(&key(repository, &digest))
            }
        }
    }

    /// What `read` answers, kept for the next time. Of several that ask for the same at once, one
    /// reads.
    pub(super) async fn digest_of(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        read: impl Future<Output = Result<Option<Digest>, MetadataError>>,
    ) -> Result<Option<Digest>, MetadataError> {
        let key = key(repository, tag).to_key();
        let place = match self.tags.get_value_or_guard_async(&key).await {
            Ok(digest) => return Ok(Some(digest)),
            Err(place) => place,
        };
        let digest = read.await?;
        if let Some(digest) = &digest {
            // Refused if the key was forgotten meanwhile, which is right.
            let _ = place.insert(digest.clone());
        }
        Ok(digest)
    }

    /// As [`ManifestCache::digest_of`].
    pub(super) async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        read: impl Future<Output = Result<Option<StoredManifest>, MetadataError>>,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        let key = key(repository, digest).to_key();
        let place = match self.manifests.get_value_or_guard_async(&key).await {
            Ok(manifest) => return Ok(Some(manifest)),
            Err(place) => place,
        };
        let manifest = read.await?;
        if let Some(manifest) = &manifest {
            let _ = place.insert(manifest.clone());
        }
        Ok(manifest)
    }

    pub(super) fn forget(&self, stale: &Stale) {
        let Stale::Keys {
            repository,
            digest,
            tags,
        } = stale
        else {
            self.tags.clear();
            self.manifests.clear();
            return;
        };
        if let Some(digest) = digest {
            self.manifests.remove(&key(repository, digest));
        }
        for tag in tags {
            self.tags.remove(&key(repository, tag));
        }
    }
}

fn key<'a, T>(repository: &'a RepositoryName, name: &'a T) -> KeyOf<'a, T> {
    KeyOf { repository, name }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key<Tag>, Digest> for Weight {
    fn weight(&self, key: &Key<Tag>, digest: &Digest) -> u64 {
        let texts = [key.repository.as_str(), key.name.as_str(), digest.as_str()];
        ENTRY_BYTES + bytes_of(&texts)
    }
}

impl Weighter<Key<Digest>, StoredManifest> for Weight {
    fn weight(&self, key: &Key<Digest>, manifest: &StoredManifest) -> u64 {
        let texts = [
            key.repository.as_str(),
            key.name.as_str(),
            manifest.digest.as_str(),
            manifest.media_type.as_str(),
        ];
        ENTRY_BYTES + bytes_of(&texts) + manifest.content.len() as u64
    }
}

fn bytes_of(texts: &[&str]) -> u64 {
    texts.iter().map(|text| text.len() as u64).sum()
}
