//! A blob whose bytes went bad on the disk, from being served to being mended.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use berth_blob::{BlobStore, FilesystemBlobs};
use berth_metadata::{MetadataStore, SqliteMetadata};
use berth_registry::{
    Authority, Condition, Content, ManifestContent, Registry, RegistryError, Settings,
};
use berth_spec::{Digest, RepositoryName, media_types};
use berth_verify::{Nobody, Verification};
use futures_util::TryStreamExt;
use serde_json::json;

#[tokio::test]
async fn a_corrupt_blob_is_unknown_once_quarantined_and_the_next_push_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("metadata.sqlite3");
    let metadata = Arc::new(SqliteMetadata::open(&database).unwrap());
    let blobs = Arc::new(FilesystemBlobs::open(folder.path()).unwrap());
    let stores = (Arc::clone(&metadata), Arc::clone(&blobs));
    let registry = Registry::new(stores.0, stores.1, Settings::default());
    let name: RepositoryName = "library/alpine".parse().unwrap();
    let layer = Digest::sha256(b"layer");
    let push = async |content: &'static [u8]| {
        let digest = Digest::sha256(content);
        let content = Content::from_bytes(content);
        registry.push_blob(&name, &digest, content).await.unwrap();
    };
    push(b"config").await;
    push(b"layer").await;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_IMAGE_MANIFEST,
        "config": {"mediaType": "a/config", "digest": Digest::sha256(b"config"), "size": 6},
        "layers": [{"mediaType": "a/layer", "digest": layer, "size": 5}],
    });
    let pushed = ManifestContent {
        content_type: None,
        content: manifest.to_string().into(),
    };
    let (latest, always) = ("latest".parse().unwrap(), Condition::default());
    registry
        .push_manifest(&name, &latest, &[], pushed, &always, Authority::Ordinary)
        .await
        .unwrap();

    let place = format!("blobs/sha256/{}/{}", &layer.hex()[..2], layer.hex());
    overwrite(folder.path().join(place), b"lay3r");
    // Of the right size: nobody knows yet.
    assert_eq!(registry.blob(&name, &layer).await.unwrap().size, 5);

    let how = Verification {
        quarantine: Some(registry.blob_guards().clone()),
        ..Verification::default()
    };
    let report = how.run(&*metadata, &*blobs, &Nobody).await.unwrap();
    assert_eq!((report.problems, report.quarantined), (1, 1));
    let unknown = registry.blob(&name, &layer).await;
    assert!(matches!(unknown, Err(RegistryError::BlobUnknown { .. })));
    let elsewhere: RepositoryName = "library/debian".parse().unwrap();
    let mounted = registry.mount_blob(&elsewhere, Some(&name), &layer).await;
    assert_eq!(mounted.unwrap(), None);
    // Nothing is linked, so nobody there takes it for a blob that is there.
    assert!(!metadata.has_repository(&elsewhere).await.unwrap());

    push(b"layer").await;
    let reader = registry.open_blob(&name, &layer).await.unwrap();
    let read: Vec<_> = reader.read(0..5).try_collect().await.unwrap();
    assert_eq!(read.concat(), b"layer");
    let report = how.run(&*metadata, &*blobs, &Nobody).await.unwrap();
    assert!(report.is_sound(), "{report}");
    assert!(blobs.open(&layer.clone().into()).await.unwrap().is_some());
}

/// Replaces the file of a blob, which is read-only.
fn overwrite(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    fs::remove_file(&path).unwrap();
    fs::write(&path, content).unwrap();
}
