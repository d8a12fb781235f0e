//! Copies of a SQLite file that is in use, and what is found wrong with one.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use berth_metadata::{
    Blob, InspectionStore, ManifestLimits, MetadataStore, NewManifest, SqliteMetadata, UploadRecord,
};
use berth_spec::{Algorithm, Digest, RepositoryName, SessionId, media_types};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn blob(content: &str) -> Blob {
    Blob::new(Digest::sha256(content.as_bytes()), content.len() as u64)
}

fn image(content: &str, layer: &Blob, tag: &str) -> NewManifest {
    NewManifest {
        digest: Digest::sha256(content.as_bytes()),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        required_blobs: vec![layer.digest.clone()],
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: vec![tag.parse().unwrap()],
        condition: None,
    }
}

fn upload(repository: &RepositoryName) -> UploadRecord {
    UploadRecord {
        id: SessionId::random(),
        repository: repository.clone(),
        algorithm: Algorithm::Sha256,
        offset: 0,
        hash_state: Vec::new(),
        revision: 0,
        expires_at: SystemTime::now(),
        holder: None,
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Changes a database behind the back of the store.
fn change(path: &Path, statements: &str) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute(statements).unwrap();
}

const EVERYTHING: ManifestLimits = ManifestLimits {
    count: u32::MAX,
    bytes: usize::MAX,
};

#[tokio::test]
async fn a_copy_has_all_but_the_upload_sessions_and_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    let store = SqliteMetadata::open(&path).unwrap();
    let (here, layer) = (repository("a/b"), blob("layer"));
    store.link_blob(&here, &layer, None).await.unwrap();
    let image = image("image", &layer, "latest");
    store.put_manifest(&here, &image).await.unwrap();
    let upload = upload(&here);
    store.create_upload(&upload).await.unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    let copied = elsewhere.path().join("copy.sqlite3");
    store.backup_to(&copied).await.unwrap();
    assert_eq!(names_in(elsewhere.path()), ["copy.sqlite3"]);
    assert!(
        store.backup_to(&copied).await.is_err(),
        "it was overwritten"
    );
    assert!(store.upload(upload.id).await.unwrap().is_some());

    let copy = SqliteMetadata::open(&copied).unwrap();
    assert_eq!(copy.upload(upload.id).await.unwrap(), None);
    assert_eq!(copy.blobs(None, 10).await.unwrap(), [layer]);
    let latest = copy.manifest(&here, &"latest".parse().unwrap()).await;
    assert_eq!(latest.unwrap().unwrap().content, image.content);
    assert_eq!(copy.damages().await.unwrap(), Vec::<String>::new());
}

/// The layer of each image is linked before the image is put: a copy that has an image without its
/// layer is of no one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_of_one_moment_while_writing_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let store = Arc::new(store);
    let stopped = Arc::new(AtomicBool::new(false));
    let (writes, is_stopped) = (Arc::clone(&store), Arc::clone(&stopped));
    let writer = tokio::spawn(async move {
        let here = repository("busy");
        let mut number = 0;
        while !is_stopped.load(Ordering::Relaxed) {
            let layer = blob(&format!("layer {number}"));
            writes.link_blob(&here, &layer, None).await.unwrap();
            let image = image(&format!("image {number}"), &layer, "latest");
            writes.put_manifest(&here, &image).await.unwrap();
            number += 1;
        }
        number
    });
    let mut images = 0;
    for copy in 0..5 {
        let copied = folder.path().join(format!("copy-{copy}.sqlite3"));
        store.backup_to(&copied).await.unwrap();
        let copy = SqliteMetadata::open(&copied).unwrap();
        let totals = copy.totals().await.unwrap();
        assert!(totals.blobs - totals.manifests <= 1, "{totals:?}");
        assert!(totals.manifests >= images, "{totals:?}");
        images = totals.manifests;
        for found in copy.manifests(None, EVERYTHING).await.unwrap() {
            let content = String::from_utf8(found.manifest.content.to_vec()).unwrap();
            let layer = blob(&content.replace("image", "layer")).digest;
            assert!(copy.recorded_blob(&layer).await.unwrap().is_some());
        }
        assert_eq!(copy.damages().await.unwrap(), Vec::<String>::new());
    }
    stopped.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 0);
}

#[tokio::test]
async fn what_is_closed_into_its_file_can_be_moved_without_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    let store = SqliteMetadata::open(&path).unwrap();
    let layer = blob("layer");
    store
        .link_blob(&repository("a"), &layer, None)
        .await
        .unwrap();
    assert!(names_in(folder.path()).contains(&"metadata.sqlite3-wal".to_owned()));
    store.close_into_file().unwrap();
    assert_eq!(names_in(folder.path()), ["metadata.sqlite3"]);
    let moved = folder.path().join("moved.sqlite3");
    fs::rename(&path, &moved).unwrap();
    let store = SqliteMetadata::open(&moved).unwrap();
    assert_eq!(store.blobs(None, 10).await.unwrap(), [layer]);
}

#[tokio::test]
async fn damage_of_the_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    let store = SqliteMetadata::open(&path).unwrap();
    let layer = blob("layer");
    store
        .link_blob(&repository("a"), &layer, None)
        .await
        .unwrap();
    store
        .create_upload(&upload(&repository("a")))
        .await
        .unwrap();
    change(
        &path,
        "PRAGMA foreign_keys = OFF; DELETE FROM blobs;
         PRAGMA ignore_check_constraints = ON; UPDATE uploads SET \"offset\" = -1;",
    );
    let damages = store.damages().await.unwrap();
    assert_eq!(
        damages,
        [
            "CHECK constraint failed in uploads",
            "a row of repository_blobs refers to a row of blobs that is missing",
        ]
    );
}
