//! Stores, and what is put into them.
#![allow(dead_code)]

use std::collections::BTreeMap;

use berth_metadata::{MetadataStore, NewManifest, PutManifest, RetentionStore, SqliteMetadata};
use berth_spec::{Digest, RepositoryName, media_types};
use bytes::Bytes;
use tempfile::TempDir;

/// What retention works on.
pub(crate) trait Store: MetadataStore + RetentionStore {}

impl<T: MetadataStore + RetentionStore + ?Sized> Store for T {}

pub(crate) fn sqlite() -> (SqliteMetadata, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    (store, folder)
}

pub(crate) fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// A manifest that needs nothing.
pub(crate) fn image(name: &str) -> NewManifest {
    NewManifest {
        digest: Digest::sha256(name.as_bytes()),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::copy_from_slice(name.as_bytes()),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: Vec::new(),
        condition: None,
    }
}

pub(crate) fn tagged(name: &str, tags: &[&str]) -> NewManifest {
    NewManifest {
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        ..image(name)
    }
}

pub(crate) async fn put<M: MetadataStore + ?Sized>(
    metadata: &M,
    repository: &RepositoryName,
    manifest: &NewManifest,
) {
    let put = metadata.put_manifest(repository, manifest).await.unwrap();
    assert_eq!(put, PutManifest::Stored);
}
