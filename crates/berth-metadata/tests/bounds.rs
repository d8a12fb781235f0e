//! Bounds hold whatever comes at the same time, and what SQLite keeps of them is true.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use berth_metadata::contract::concurrency;
use berth_metadata::{
    Blob, Bounds, MemoryMetadata, MetadataError, MetadataStore, NewManifest, Quota, Scope,
    SqliteMetadata, Usage,
};
use berth_spec::{Digest, RepositoryName, media_types};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use tempfile::TempDir;

fn sqlite() -> (Arc<SqliteMetadata>, PathBuf, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.sqlite3");
    let store = Arc::new(SqliteMetadata::open(&path).unwrap());
    (store, path, folder)
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn manifest(content: &str, tags: &[&str]) -> NewManifest {
    NewManifest {
        digest: Digest::sha256(content.as_bytes()),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        condition: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_pushes_of_one_immutable_tag_one_wins() {
    let (store, _, _folder) = sqlite();
    concurrency::one_push_of_an_immutable_tag_wins(&[store]).await;
    let memory = Arc::new(MemoryMetadata::default());
    concurrency::one_push_of_an_immutable_tag_wins(&[memory]).await;
}

fn is_let_in<T: std::fmt::Debug>(answer: Result<T, MetadataError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(MetadataError::QuotaExceeded(_)) => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pushes_at_the_same_time_exceed_no_quota() {
    let (store, _, _folder) = sqlite();
    concurrency::no_pushes_exceed_a_quota_together(&[store]).await;
    let memory = Arc::new(MemoryMetadata::default());
    concurrency::no_pushes_exceed_a_quota_together(&[memory]).await;
}

#[tokio::test]
async fn what_is_counted_is_kept_when_the_store_is_opened_again() {
    let (store, path, _folder) = sqlite();
    let scope = Scope::Namespace(repository("team"));
    let here = repository("team/app");
    let image = manifest("image", &["v1"]);
    store.put_manifest(&here, &image).await.unwrap();
    let used = Usage { bytes: 5, tags: 1 };
    assert_eq!(store.usage(&scope).await.unwrap(), used);
    drop(store);
    let store = SqliteMetadata::open(&path).unwrap();
    let other = manifest("other", &["v1", "v2"]);
    store.put_manifest(&here, &other).await.unwrap();
    let used = Usage { bytes: 10, tags: 2 };
    assert_eq!(store.usage(&scope).await.unwrap(), used);
}

#[tokio::test]
async fn what_another_program_does_to_the_rows_is_counted_too() {
    let (store, path, _folder) = sqlite();
    let here = repository("here");
    let scopes = [
        Scope::Repository(here.clone()),
        Scope::Namespace(here.clone()),
    ];
    let usage = async || {
        let [one, other] = &scopes;
        let usage = store.usage(one).await.unwrap();
        assert_eq!(store.usage(other).await.unwrap(), usage);
        (usage.bytes, usage.tags)
    };
    let image = manifest("image", &["v1", "v2"]);
    store.put_manifest(&here, &image).await.unwrap();
    assert_eq!(usage().await, (5, 2));
    let mut raw = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    raw.batch_execute("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;")
        .unwrap();
    raw.batch_execute("UPDATE manifests SET size = 3, content = x'000000'")
        .unwrap();
    assert_eq!(usage().await, (3, 2));
    // The same bytes again mend it.
    store.put_manifest(&here, &image).await.unwrap();
    assert_eq!(usage().await, (5, 2));
    raw.batch_execute("DELETE FROM manifests").unwrap();
    assert_eq!(usage().await, (0, 0));
}

#[tokio::test]
async fn a_push_that_is_refused_leaves_no_row() {
    let (store, path, _folder) = sqlite();
    let here = repository("here");
    let quota = Quota {
        scope: Scope::Repository(here.clone()),
        bytes: Some(3),
        tags: None,
    };
    let bounds = Bounds::new(|_| false, vec![quota]);
    let layer = Blob::new(Digest::sha256(b"layer"), 5);
    let linked = store.link_blob_within(&here, &layer, None, &bounds).await;
    assert!(!is_let_in(linked));
    let image = manifest("image", &["v1"]);
    let put = store.put_manifest_within(&here, &image, &bounds).await;
    assert!(!is_let_in(put));
    let mut raw = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let counted = [
        "repositories",
        "blobs",
        "repository_blobs",
        "manifests",
        "tags",
    ];
    for table in counted {
        let count = diesel::sql_query(format!("SELECT count(*) AS count FROM {table}"));
        let Count { count } = count.get_result(&mut raw).unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}
