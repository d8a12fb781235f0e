use std::collections::{BTreeMap, BTreeSet};

use berth_blob::BlobReader;
use berth_metadata::Blob;
use berth_spec::{Digest, Manifest, RepositoryName, Tag};
use futures_util::TryStreamExt;

use crate::contents::all_blobs;
use crate::process::Stored;

/// What clients see.
pub(crate) type Seen = BTreeMap<RepositoryName, SeenRepository>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenRepository {
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) manifests: BTreeSet<Digest>,
    pub(crate) tags: BTreeMap<Tag, Digest>,
}

/// Looks at all there is, and asserts that it is whole.
pub(crate) async fn look(stored: &Stored) -> Seen {
    assert_recorded_blobs_are_whole(stored).await;
    assert_sessions_have_their_bytes(stored).await;
    let mut seen = Seen::new();
    let page = stored.registry.repositories(None, None).await.unwrap();
    for name in page.repositories {
        let repository = look_at(stored, &name).await;
        seen.insert(name, repository);
    }
    seen
}

async fn look_at(stored: &Stored, name: &RepositoryName) -> SeenRepository {
    let mut seen = SeenRepository::default();
    for (digest, _) in all_blobs() {
        let known = stored.metadata.blob(name, &digest).await.unwrap();
        if known.is_some() {
            assert_is_served(stored, name, &digest).await;
            seen.blobs.insert(digest);
        }
    }
    let contents = stored.metadata.repository_contents(name).await.unwrap();
    let contents = contents.unwrap();
    for manifest in &contents.manifests {
        assert_manifest_is_whole(stored, name, &manifest.digest).await;
        seen.manifests.insert(manifest.digest.clone());
    }
    for entry in contents.tags {
        let reference = entry.tag.clone().into();
        let manifest = stored.registry.manifest(name, &reference).await.unwrap();
        assert_eq!(manifest.digest, entry.digest, "{}", entry.tag);
        assert!(seen.manifests.contains(&entry.digest), "{}", entry.tag);
        seen.tags.insert(entry.tag, entry.digest);
    }
    seen
}

/// The digests of all blobs that are recorded, linked to a repository or not.
pub(crate) async fn recorded(stored: &Stored) -> BTreeSet<Digest> {
    let blobs = recorded_blobs(stored).await.into_iter();
    blobs.map(|blob| blob.digest).collect()
}

async fn recorded_blobs(stored: &Stored) -> Vec<Blob> {
    let blobs = stored.inspected.blobs(None, 1000).await.unwrap();
    let is_ours = |blob: &Blob| all_blobs().iter().any(|(digest, _)| *digest == blob.digest);
    assert!(blobs.iter().all(is_ours));
    blobs
}

async fn assert_recorded_blobs_are_whole(stored: &Stored) {
    for blob in recorded_blobs(stored).await {
        let file = stored.blobs.open(&blob.name()).await.unwrap();
        let file = file.unwrap_or_else(|| panic!("{} is recorded and has no file", blob.name()));
        assert_is_of(&blob.digest, file).await;
    }
}

async fn assert_is_served(stored: &Stored, repository: &RepositoryName, digest: &Digest) {
    let reader = stored.registry.open_blob(repository, digest).await;
    assert_is_of(digest, reader.unwrap()).await;
}

async fn assert_is_of(digest: &Digest, reader: Box<dyn BlobReader>) {
    let size = reader.size();
    let pieces: Vec<_> = reader.read(0..size).try_collect().await.unwrap();
    assert_eq!(Digest::of(digest.algorithm(), &pieces.concat()), *digest);
}

async fn assert_manifest_is_whole(stored: &Stored, repository: &RepositoryName, digest: &Digest) {
    let reference = digest.clone().into();
    let manifest = stored.registry.manifest(repository, &reference).await;
    let manifest = manifest.unwrap();
    assert_eq!(Digest::of(digest.algorithm(), &manifest.content), *digest);
    let parsed = Manifest::parse(Some(&manifest.media_type), &manifest.content).unwrap();
    for blob in parsed.blobs() {
        assert_is_served(stored, repository, &blob.digest).await;
    }
}

async fn assert_sessions_have_their_bytes(stored: &Stored) {
    let far_future = crate::process::later(1000);
    let sessions = stored.metadata.expired_uploads(far_future, 1000).await;
    for id in sessions.unwrap() {
        let session = stored.metadata.upload(id).await.unwrap().unwrap();
        if session.offset > 0 {
            let staged = stored.blobs.read_staged(id, session.offset).await;
            assert!(staged.is_ok(), "{id} counts on bytes that are not there");
        }
    }
}
