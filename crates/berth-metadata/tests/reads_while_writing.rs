//! Manifests are kept in memory once they are read: what is answered must be true all the same.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use berth_metadata::{
    Condition, DeleteTag, MetadataStore, NewManifest, PutManifest, SqliteMetadata,
};
use berth_spec::{Digest, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;
use tempfile::TempDir;

const READERS: usize = 4;
const WRITES: usize = 150;

struct Database {
    store: Arc<SqliteMetadata>,
    repository: RepositoryName,
    _folder: TempDir,
}

fn database() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    Database {
        store: Arc::new(SqliteMetadata::open(&path).unwrap()),
        repository: "library/alpine".parse().unwrap(),
        _folder: folder,
    }
}

/// The `number`th version of an image.
fn version(number: usize, media_type: &str, tags: &[&str]) -> NewManifest {
    let content = format!("version {number}");
    NewManifest {
        digest: Digest::sha256(content.as_bytes()),
        media_type: media_type.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::from(content),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        condition: None,
    }
}

impl Database {
    async fn put(&self, manifest: &NewManifest) {
        let put = self.store.put_manifest(&self.repository, manifest).await;
        assert_eq!(put.unwrap(), PutManifest::Stored);
    }

    /// The content and the media type that a reference leads to.
    async fn read(&self, reference: impl Into<Reference>) -> Option<(String, String)> {
        let reference = reference.into();
        let manifest = self.store.manifest(&self.repository, &reference).await;
        manifest.unwrap().map(|manifest| {
            let content = String::from_utf8(manifest.content.to_vec()).unwrap();
            (content, manifest.media_type.as_str().to_owned())
        })
    }
}

fn tag(name: &str) -> Reference {
    Reference::Tag(name.parse::<Tag>().unwrap())
}

/// A tag is moved again and again, and what it pointed to before is deleted. A read that begins
/// after a move was answered sees that version or a later one, and never nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_older_than_the_last_answered_write() {
    let database = Arc::new(database());
    let answered = Arc::new(AtomicUsize::new(0));
    database
        .put(&version(0, media_types::OCI_IMAGE_MANIFEST, &["latest"]))
        .await;
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (database, answered) = (Arc::clone(&database), Arc::clone(&answered));
            tokio::spawn(async move {
                let mut reads = 0;
                while answered.load(Ordering::SeqCst) < WRITES {
                    let at_least = answered.load(Ordering::SeqCst);
                    let (content, _) = database.read(tag("latest")).await.unwrap();
                    let seen: usize = content.trim_start_matches("version ").parse().unwrap();
                    assert!(seen >= at_least, "{seen} was read after {at_least}");
                    reads += 1;
                    tokio::task::yield_now().await;
                }
                reads
            })
        })
        .collect();
    for number in 1..=WRITES {
        let new = version(number, media_types::OCI_IMAGE_MANIFEST, &["latest"]);
        database.put(&new).await;
        answered.store(number, Ordering::SeqCst);
        let old = version(number - 1, media_types::OCI_IMAGE_MANIFEST, &[]);
        let deleted = database
            .store
            .delete_manifest(&database.repository, &old.digest)
            .await;
        assert!(deleted.unwrap());
    }
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_manifest_that_comes_back_does_not_bring_its_tags() {
    let database = database();
    let tagged = version(1, media_types::OCI_IMAGE_MANIFEST, &["a", "b"]);
    database.put(&tagged).await;
    assert!(database.read(tag("a")).await.is_some());
    assert!(database.read(tag("b")).await.is_some());
    let deleted = database
        .store
        .delete_manifest(&database.repository, &tagged.digest);
    assert!(deleted.await.unwrap());
    assert!(database.read(tag("a")).await.is_none());

    let untagged = version(1, media_types::OCI_IMAGE_MANIFEST, &[]);
    database.put(&untagged).await;
    assert!(database.read(untagged.digest).await.is_some());
    assert!(database.read(tag("a")).await.is_none());
    assert!(database.read(tag("b")).await.is_none());
}

#[tokio::test]
async fn a_media_type_that_changes_does_so_for_every_tag() {
    let database = database();
    let first = version(1, media_types::OCI_IMAGE_MANIFEST, &["a", "b"]);
    database.put(&first).await;
    for name in ["a", "b"] {
        let (_, media_type) = database.read(tag(name)).await.unwrap();
        assert_eq!(media_type, media_types::OCI_IMAGE_MANIFEST);
    }
    let second = version(1, media_types::DOCKER_MANIFEST, &["a"]);
    database.put(&second).await;
    for reference in [tag("a"), tag("b"), Reference::Digest(first.digest)] {
        let (_, media_type) = database.read(reference).await.unwrap();
        assert_eq!(media_type, media_types::DOCKER_MANIFEST);
    }
}

#[tokio::test]
async fn a_deleted_tag_is_gone_and_its_manifest_stays() {
    let database = database();
    let manifest = version(1, media_types::OCI_IMAGE_MANIFEST, &["a"]);
    database.put(&manifest).await;
    assert!(database.read(tag("a")).await.is_some());
    let name: Tag = "a".parse().unwrap();
    let always = Condition::default();
    let deleted = database
        .store
        .delete_tag(&database.repository, &name, &always);
    assert_eq!(deleted.await.unwrap(), DeleteTag::Deleted);
    assert!(database.read(tag("a")).await.is_none());
    assert!(database.read(manifest.digest).await.is_some());
}
