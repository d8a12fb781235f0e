use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_spec::{Digest, Reference, RepositoryName, Tag};
use quick_cache::sync::{Cache, DefaultLifecycle, GuardResult};
use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter};

use crate::{MetadataError, StoredManifest};

/// How many bytes of manifests are kept.
const MANIFEST_BYTES: u64 = 12 * 1024 * 1024;

/// How many bytes of tags are kept.
const TAG_BYTES: u64 = 4 * 1024 * 1024;

/// What an entry takes beside its texts and its content, in bytes: about.
const ENTRY_BYTES: u64 = 200;

/// About how many entries there will be: the cache decides by this how much it remembers of those that it
/// has let go.
const ENTRIES: usize = 4096;

/// In how many parts each cache is locked. An entry that does not fit into its part is not kept.
const SHARDS: usize = 4;

/// Manifests that were read lately, in bounded memory; also that there is none.
///
/// Nothing here is ever older than the last answered write: the writer forgets what it has changed
/// after the commit and before the answer. A read that began before the commit has a
/// placeholder here, which goes when its key is forgotten, and then what it read is not kept. Where
/// the key is not known before the read, nothing at all may have been forgotten since it began.
pub(super) struct ManifestCache {
    tags: Cache<Key<Tag>, Option<Digest>, Weight>,
    manifests: Cache<Key<Digest>, Option<StoredManifest>, Weight>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
}

/// When a read began whose key is not known yet.
#[derive(Clone, Copy)]
pub(super) struct Begun(u64);

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
            tags: cache_of(TAG_BYTES),
            manifests: cache_of(MANIFEST_BYTES),
            forgotten: AtomicU64::new(0),
        }
    }

    /// The manifest, if it is kept. Does not wait.
    pub(super) fn get(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Option<StoredManifest> {
        match reference {
            Reference::Digest(digest) => self.manifests.get(&key(repository, digest))?,
            Reference::Tag(tag) => {
                let digest = self.tags.get(&key(repository, tag))??;
                self.manifests.get(&key(repository, &digest))?
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
        kept(&self.tags, key(repository, tag).to_key(), read).await
    }

    /// As [`ManifestCache::digest_of`].
    pub(super) async fn manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        read: impl Future<Output = Result<Option<StoredManifest>, MetadataError>>,
    ) -> Result<Option<StoredManifest>, MetadataError> {
        kept(&self.manifests, key(repository, digest).to_key(), read).await
    }

    /// To be called before a read that tells which manifest it is about.
    pub(super) fn begin_read(&self) -> Begun {
        Begun(self.forgotten.load(Ordering::SeqCst))
    }

    /// Keeps a manifest that such a read has found.
    pub(super) fn keep(
        &self,
        repository: &RepositoryName,
        manifest: &StoredManifest,
        begun: Begun,
    ) {
        let key = key(repository, &manifest.digest).to_key();
        // Whoever reads it now keeps it as well.
        let read = self
            .manifests
            .get_value_or_guard(&key, Some(Duration::ZERO));
        let GuardResult::Guard(place) = read else {
            return;
        };
        // Whoever forgets counts first: what is not counted yet will find this place and remove it.
        if self.begin_read().0 == begun.0 {
            let _ = place.insert(Some(manifest.clone()));
        }
    }

    pub(super) fn forget(&self, stale: &Stale) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
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

/// What a cache has for a key, or else what `read` answers, kept from then on.
async fn kept<K: Clone + Eq + Hash, V: Clone>(
    cache: &Cache<K, V, Weight>,
    key: K,
    read: impl Future<Output = Result<V, MetadataError>>,
) -> Result<V, MetadataError>
where
    Weight: Weighter<K, V>,
{
    let place = match cache.get_value_or_guard_async(&key).await {
        Ok(value) => return Ok(value),
        Err(place) => place,
    };
    let value = read.await?;
    // Refused if the key was forgotten meanwhile, which is right.
    let _ = place.insert(value.clone());
    Ok(value)
}

fn key<'a, T>(repository: &'a RepositoryName, name: &'a T) -> KeyOf<'a, T> {
    KeyOf { repository, name }
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key<Tag>, Option<Digest>> for Weight {
    fn weight(&self, key: &Key<Tag>, digest: &Option<Digest>) -> u64 {
        let texts = [key.repository.as_str(), key.name.as_str()];
        ENTRY_BYTES
            + bytes_of(&texts)
            + digest
                .as_ref()
                .map_or(0, |digest| bytes_of(&[digest.as_str()]))
    }
}

impl Weighter<Key<Digest>, Option<StoredManifest>> for Weight {
    fn weight(&self, key: &Key<Digest>, manifest: &Option<StoredManifest>) -> u64 {
        let texts = [key.repository.as_str(), key.name.as_str()];
        let content = manifest.as_ref().map_or(0, |manifest| {
            let texts = [manifest.digest.as_str(), manifest.media_type.as_str()];
            bytes_of(&texts) + manifest.content.len() as u64
        });
        ENTRY_BYTES + bytes_of(&texts) + content
    }
}

fn bytes_of(texts: &[&str]) -> u64 {
    texts.iter().map(|text| text.len() as u64).sum()
}

fn cache_of<K: Eq + Hash, V: Clone>(bytes: u64) -> Cache<K, V, Weight>
where
    Weight: Weighter<K, V>,
{
    let options = OptionsBuilder::new()
        .estimated_items_capacity(ENTRIES)
        .weight_capacity(bytes)
        .shards(SHARDS)
        .build();
    match options {
        Ok(options) => Cache::with_options(
            options,
            Weight,
            DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        ),
        // Only a capacity that is left out is refused.
        Err(_) => Cache::with_weighter(ENTRIES, bytes, Weight),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn repository() -> RepositoryName {
        "library/alpine".parse().unwrap()
    }

    fn tag() -> Tag {
        "latest".parse().unwrap()
    }

    fn manifest(content: &'static [u8]) -> StoredManifest {
        StoredManifest {
            digest: Digest::sha256(content),
            media_type: berth_spec::media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
            content: Bytes::from_static(content),
        }
    }

    fn stale(digest: &Digest) -> Stale {
        Stale::Keys {
            repository: repository(),
            digest: Some(digest.clone()),
            tags: vec![tag()],
        }
    }

    /// What is kept of a manifest that is read while something happens.
    async fn kept_after(meanwhile: impl Fn(&ManifestCache)) -> [Option<StoredManifest>; 2] {
        let cache = ManifestCache::new();
        let (repository, tag, manifest) = (repository(), tag(), manifest(b"old"));
        let digest = &manifest.digest;
        let read_digest = async {
            meanwhile(&cache);
            Ok(Some(digest.clone()))
        };
        let read = cache.digest_of(&repository, &tag, read_digest).await;
        assert_eq!(read.unwrap().as_ref(), Some(digest));
        let read_manifest = async {
            meanwhile(&cache);
            Ok(Some(manifest.clone()))
        };
        let read = cache.manifest(&repository, digest, read_manifest).await;
        assert_eq!(read.unwrap().as_ref(), Some(&manifest));
        let references = [Reference::Tag(tag), Reference::Digest(digest.clone())];
        references.map(|reference| cache.get(&repository, &reference))
    }

    #[tokio::test]
    async fn what_was_read_is_kept() {
        let kept = kept_after(|_| ()).await;
        assert_eq!(kept, [Some(manifest(b"old")), Some(manifest(b"old"))]);
    }

    #[tokio::test]
    async fn what_was_forgotten_while_it_was_read_is_not_kept() {
        let old = manifest(b"old").digest;
        assert_eq!(
            kept_after(|cache| cache.forget(&stale(&old))).await,
            [None, None]
        );
        let everything = |cache: &ManifestCache| cache.forget(&Stale::Everything);
        assert_eq!(kept_after(everything).await, [None, None]);
    }

    #[tokio::test]
    async fn that_there_is_none_is_kept_until_there_is_one() {
        let cache = ManifestCache::new();
        let (repository, tag, digest) = (repository(), tag(), manifest(b"new").digest);
        let none = cache.digest_of(&repository, &tag, async { Ok(None) }).await;
        assert_eq!(none.unwrap(), None);
        let not_asked = async { Ok(Some(digest.clone())) };
        let still_none = cache.digest_of(&repository, &tag, not_asked).await;
        assert_eq!(still_none.unwrap(), None);
        cache.forget(&stale(&digest));
        let asked = async { Ok(Some(digest.clone())) };
        let some = cache.digest_of(&repository, &tag, asked).await;
        assert_eq!(some.unwrap(), Some(digest.clone()));
    }

    #[tokio::test]
    async fn what_was_read_by_its_tag_is_kept_unless_something_was_forgotten_meanwhile() {
        let (repository, manifest) = (repository(), manifest(b"old"));
        let by_digest = Reference::Digest(manifest.digest.clone());
        let kept_after = |meanwhile: &dyn Fn(&ManifestCache)| {
            let cache = ManifestCache::new();
            let begun = cache.begin_read();
            meanwhile(&cache);
            cache.keep(&repository, &manifest, begun);
            cache.get(&repository, &by_digest)
        };
        assert_eq!(kept_after(&|_| ()).as_ref(), Some(&manifest));
        let forget = |cache: &ManifestCache| cache.forget(&stale(&manifest.digest));
        assert_eq!(kept_after(&forget), None);
        let everything = |cache: &ManifestCache| cache.forget(&Stale::Everything);
        assert_eq!(kept_after(&everything), None);
    }

    #[tokio::test]
    async fn nobody_waits_to_keep_what_another_reads() {
        let cache = ManifestCache::new();
        let (repository, manifest) = (repository(), manifest(b"old"));
        let read = async {
            cache.keep(&repository, &manifest, cache.begin_read());
            Ok(None)
        };
        let digest = &manifest.digest;
        let read = cache.manifest(&repository, digest, read).await;
        assert_eq!(read.unwrap(), None);
    }
}
