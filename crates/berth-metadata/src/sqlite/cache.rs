use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_spec::{Digest, Reference, RepositoryName, Tag};
use quick_cache::sync::{Cache, DefaultLifecycle, GuardResult};
use quick_cache::{DefaultHashBuilder, Equivalent, OptionsBuilder, Weighter};

use super::packed_digest::PackedDigest;
use crate::{MetadataError, StoredManifest};

/// How many bytes of manifests are kept.
const MANIFEST_BYTES: u64 = 12 * 1024 * 1024;

/// How many bytes of tags are kept: more than 100,000 tags of usual length.
const TAG_BYTES: u64 = 20 * 1024 * 1024;

/// About how many manifests, and how many tags, there will be: each cache decides by this how much it remembers of those
/// that it has let go.
const MANIFESTS: usize = 4096;
const TAGS: usize = 100_000;

/// What a manifest takes beside its texts and its content, in bytes: about.
const MANIFEST_ENTRY_BYTES: u64 = 200;

/// What a tag takes beside its text, in bytes: about.
const TAG_ENTRY_BYTES: u64 = 160;

/// In how many parts each cache is locked. An entry that does not fit into its part is not kept.
const SHARDS: usize = 4;

/// Manifests that were read lately, and where tags lead that were read or pushed lately, in bounded memory; also
/// that there is none.
///
/// Nothing here is ever older than the last answered write: the writer forgets what it has changed
/// after the commit and before the answer. A read that began before the commit has a
/// placeholder here, which goes when its key is forgotten, and then what it read is not kept. Where
/// the key is not known before the read, nothing at all may have been forgotten since it began.
/// Only then does the writer keep where pushed tags lead: there is one thread that writes, so that
/// is still true.
pub(super) struct ManifestCache {
    tags: Cache<TagKey, Option<PackedDigest>, Weight>,
    manifests: Cache<Key, Option<StoredManifest>, Weight>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
}

/// When a read began whose key is not known yet.
#[derive(Clone, Copy)]
pub(super) struct Begun(u64);

/// The repository and the digest of a manifest.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    repository: RepositoryName,
    digest: Digest,
}

/// A [`Key`] to look for.
#[derive(Hash)]
struct KeyOf<'a> {
    repository: &'a RepositoryName,
    digest: &'a Digest,
}

impl Equivalent<Key> for KeyOf<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.repository == key.repository && *self.digest == key.digest
    }
}

impl KeyOf<'_> {
    fn to_key(&self) -> Key {
        Key {
            repository: self.repository.clone(),
            digest: self.digest.clone(),
        }
    }
}

/// `<repository>:<tag>`: there are many of these, and one text takes less memory than two.
type TagKey = Box<str>;

fn tag_key(repository: &RepositoryName, tag: &Tag) -> TagKey {
    [repository.as_str(), ":", tag.as_str()].concat().into()
}

/// What a write has changed: what is kept of it is no longer true.
pub(super) enum Change {
    /// These keys of one repository.
    Keys {
        repository: RepositoryName,
        digest: Option<Digest>,
        /// With the digest that each leads to now, if that is known.
        tags: Vec<(Tag, Option<Digest>)>,
    },
    /// Nobody knows what.
    Everything,
}

impl Change {
    /// A manifest, and tags that lead to it now.
    pub(super) fn pushed(repository: RepositoryName, digest: Digest, tags: Vec<Tag>) -> Self {
        let leads_to = |tag| (tag, Some(digest.clone()));
        Self::Keys {
            repository,
            tags: tags.into_iter().map(leads_to).collect(),
            digest: Some(digest),
        }
    }

    /// Tags that are gone, and a manifest.
    pub(super) fn removed(
        repository: RepositoryName,
        digest: Option<Digest>,
        tags: impl IntoIterator<Item = Tag>,
    ) -> Self {
        Self::Keys {
            repository,
            digest,
            tags: tags.into_iter().map(|tag| (tag, None)).collect(),
        }
    }
}

impl ManifestCache {
    pub(super) fn new() -> Self {
        Self {
            tags: cache_of(TAG_BYTES, TAGS),
            manifests: cache_of(MANIFEST_BYTES, MANIFESTS),
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
                let digest = self.tags.get(&tag_key(repository, tag))??;
                self.manifests.get(&key(repository, &digest.unpack()))?
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
        let read = async { Ok(read.await?.map(PackedDigest::from)) };
        let kept = kept(&self.tags, tag_key(repository, tag), read).await?;
        Ok(kept.map(|digest| digest.unpack()))
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
        // Whoever forgets counts first: what is not counted yet will find the place of this and remove it.
        let is_true = || self.begin_read().0 == begun.0;
        keep(&self.manifests, &key, Some(manifest.clone()), is_true);
    }

    /// Takes note of what was committed together, in that order, before anybody is answered:
    /// forgets what was true before, and keeps where the tags lead now.
    pub(super) fn apply(&self, changes: Vec<Change>) {
        changes.iter().for_each(|change| self.forget(change));
        let mut newest = HashMap::new();
        for change in changes {
            match change {
                Change::Everything => newest.clear(),
                Change::Keys {
                    repository, tags, ..
                } => newest.extend(
                    tags.into_iter()
                        .map(|(tag, digest)| (tag_key(&repository, &tag), digest)),
                ),
            }
        }
        for (key, digest) in newest {
            if let Some(digest) = digest {
                keep(&self.tags, &key, Some(digest.into()), || true);
            }
        }
    }

    fn forget(&self, change: &Change) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        let Change::Keys {
            repository,
            digest,
            tags,
        } = change
        else {
            self.tags.clear();
            self.manifests.clear();
            return;
        };
        if let Some(digest) = digest {
            self.manifests.remove(&key(repository, digest));
        }
        for (tag, _) in tags {
            self.tags.remove(&tag_key(repository, tag));
        }
    }
}

/// Keeps a value, if it is still true when its place is taken. Whoever reads the same now keeps it as well.
fn keep<K: Clone + Eq + Hash, V: Clone>(
    cache: &Cache<K, V, Weight>,
    key: &K,
    value: V,
    is_true: impl FnOnce() -> bool,
) where
    Weight: Weighter<K, V>,
{
    if let GuardResult::Guard(place) = cache.get_value_or_guard(key, Some(Duration::ZERO))
        && is_true()
    {
        // Refused if the key was forgotten meanwhile, which is right.
        let _ = place.insert(value);
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

fn key<'a>(repository: &'a RepositoryName, digest: &'a Digest) -> KeyOf<'a> {
    KeyOf { repository, digest }
}

#[derive(Clone)]
struct Weight;

impl Weighter<TagKey, Option<PackedDigest>> for Weight {
    fn weight(&self, key: &TagKey, digest: &Option<PackedDigest>) -> u64 {
        let beside = digest.as_ref().map_or(0, PackedDigest::bytes_beside);
        TAG_ENTRY_BYTES + bytes_of(&[key]) + beside
    }
}

impl Weighter<Key, Option<StoredManifest>> for Weight {
    fn weight(&self, key: &Key, manifest: &Option<StoredManifest>) -> u64 {
        let texts = [key.repository.as_str(), key.digest.as_str()];
        let content = manifest.as_ref().map_or(0, |manifest| {
            let texts = [manifest.digest.as_str(), manifest.media_type.as_str()];
            bytes_of(&texts) + manifest.content.len() as u64
        });
        MANIFEST_ENTRY_BYTES + bytes_of(&texts) + content
    }
}

fn bytes_of(texts: &[&str]) -> u64 {
    texts.iter().map(|text| text.len() as u64).sum()
}

fn cache_of<K: Eq + Hash, V: Clone>(bytes: u64, entries: usize) -> Cache<K, V, Weight>
where
    Weight: Weighter<K, V>,
{
    let options = OptionsBuilder::new()
        .estimated_items_capacity(entries)
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
        Err(_) => Cache::with_weighter(entries, bytes, Weight),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{Condition, MetadataStore, NewManifest, PutManifest, SqliteMetadata};

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

    fn stale(digest: &Digest) -> Change {
        Change::removed(repository(), Some(digest.clone()), [tag()])
    }

    /// A push of a manifest by the tag.
    fn pushed(digest: &Digest) -> Change {
        Change::pushed(repository(), digest.clone(), vec![tag()])
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
        let everything = |cache: &ManifestCache| cache.forget(&Change::Everything);
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
        let everything = |cache: &ManifestCache| cache.forget(&Change::Everything);
        assert_eq!(kept_after(&everything), None);
    }

    /// The digest that the tag is known to lead to after these changes, without reading.
    async fn known_after(changes: Vec<Change>) -> Option<Digest> {
        let cache = ManifestCache::new();
        cache.apply(changes);
        let read = async { Ok(None) };
        cache.digest_of(&repository(), &tag(), read).await.unwrap()
    }

    #[tokio::test]
    async fn where_a_pushed_tag_leads_is_known_until_it_is_changed() {
        let [old, new] = ["old", "new"].map(|content| Digest::sha256(content.as_bytes()));
        let both = || vec![pushed(&old), pushed(&new)];
        assert_eq!(known_after(vec![pushed(&old)]).await, Some(old.clone()));
        assert_eq!(known_after(both()).await, Some(new.clone()));
        for change in [stale(&new), Change::Everything] {
            let mut changes = both();
            changes.push(change);
            assert_eq!(known_after(changes).await, None);
        }
        let again = vec![pushed(&old), Change::Everything, pushed(&new)];
        assert_eq!(known_after(again).await, Some(new));
    }

    #[tokio::test]
    async fn what_is_read_while_it_is_pushed_is_not_kept() {
        let [old, new] = ["old", "new"].map(|content| Digest::sha256(content.as_bytes()));
        let cache = ManifestCache::new();
        let read = async {
            cache.apply(vec![pushed(&new)]);
            Ok(Some(old.clone()))
        };
        let _ = cache.digest_of(&repository(), &tag(), read).await;
        let not_asked = async { Ok(None) };
        let known = cache.digest_of(&repository(), &tag(), not_asked).await;
        assert_eq!(known.unwrap(), Some(new));
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

    fn tagged_manifest(content: String, tags: &[&str]) -> NewManifest {
        NewManifest {
            digest: Digest::sha256(content.as_bytes()),
            media_type: berth_spec::media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
            artifact_type: None,
            subject: None,
            annotations: BTreeMap::new(),
            content: content.into(),
            required_blobs: Vec::new(),
            optional_blobs: Vec::new(),
            required_manifests: Vec::new(),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            condition: None,
        }
    }

    /// Many of these are committed together, and some are refused.
    #[tokio::test(flavor = "multi_thread")]
    async fn after_many_writes_at_once_what_is_kept_is_what_is_stored() {
        const TAGS: [&str; 3] = ["v1", "v2", "v3"];
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        let store = Arc::new(store);
        let writes = (0..300).map(|number: usize| {
            let store = Arc::clone(&store);
            let tag = TAGS[number % 3];
            let mut manifest = tagged_manifest(format!("{}", number % 20), &[tag]);
            async move {
                let tag: Tag = tag.parse().unwrap();
                let condition = Condition::default();
                match number % 7 {
                    0 => drop(store.delete_tag(&repository(), &tag, &condition).await),
                    1 => drop(store.delete_manifest(&repository(), &manifest.digest).await),
                    2 => {
                        manifest.required_blobs = vec![Digest::sha256(b"missing")];
                        let put = store.put_manifest(&repository(), &manifest).await;
                        assert!(matches!(put, Ok(PutManifest::Missing(_))));
                    }
                    3 => drop(store.manifest(&repository(), &Reference::Tag(tag)).await),
                    _ => drop(store.put_manifest(&repository(), &manifest).await),
                }
            }
        });
        let writes: tokio::task::JoinSet<()> = writes.collect();
        writes.join_all().await;
        for tag in TAGS {
            let reference = Reference::Tag(tag.parse().unwrap());
            let answered = store.manifest(&repository(), &reference).await.unwrap();
            let stored = store
                .find_manifest(&repository(), &reference)
                .await
                .unwrap();
            assert_eq!(answered, stored);
        }
    }

    #[tokio::test]
    async fn where_a_tag_leads_is_known_after_its_push_without_a_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
        let pushed = tagged_manifest("content".to_owned(), &["latest"]);
        store.put_manifest(&repository(), &pushed).await.unwrap();
        let not_asked = async { Ok(None) };
        let known = store
            .cache
            .digest_of(&repository(), &tag(), not_asked)
            .await;
        assert_eq!(known.unwrap(), Some(pushed.digest));
    }
}
