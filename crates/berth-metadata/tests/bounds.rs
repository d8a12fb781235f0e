//! Bounds hold whatever comes at the same time, and what SQLite keeps of them is true.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use berth_metadata::{
    Blob, Bounds, MemoryMetadata, MetadataError, MetadataStore, NewManifest, PutManifest, Quota,
    Scope, SqliteMetadata, Usage,
};
use berth_spec::{Digest, Reference, RepositoryName, Tag, media_types};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use tempfile::TempDir;
use tokio::task::JoinSet;

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

/// Many push different manifests under one immutable tag at the same time.
async fn one_wins(store: Arc<dyn MetadataStore>) {
    let (here, tag): (_, Tag) = (repository("here"), "v1".parse().unwrap());
    let bounds = Bounds::new(|_| true, Vec::new());
    let mut pushes = JoinSet::new();
    for number in 0..200 {
        let (store, here, bounds) = (Arc::clone(&store), here.clone(), bounds.clone());
        pushes.spawn(async move {
            // Each also has a tag of its own, which goes with the push.
            let own = format!("own-{number}");
            let image = manifest(&format!("image {number}"), &[&own, "v1"]);
            match store.put_manifest_within(&here, &image, &bounds).await {
                Ok(PutManifest::Stored) => Some(image),
                Err(MetadataError::TagImmutable(_)) => None,
                other => panic!("{other:?}"),
            }
        });
    }
    let won: Vec<NewManifest> = pushes.join_all().await.into_iter().flatten().collect();
    let [winner] = &won[..] else {
        panic!("{} have won", won.len());
    };
    let found = store.manifest(&here, &Reference::Tag(tag.clone())).await;
    assert_eq!(found.unwrap().unwrap().digest, winner.digest);
    let tags = store.tags(&here, None, 1000).await.unwrap();
    assert_eq!(tags, Some(vec![winner.tags[0].clone(), tag]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_pushes_of_one_immutable_tag_one_wins() {
    let (store, _, _folder) = sqlite();
    one_wins(store).await;
    one_wins(Arc::new(MemoryMetadata::default())).await;
}

/// Many push blobs and tags into two repositories with one quota at the same time.
async fn none_exceeds(store: Arc<dyn MetadataStore>) {
    const LAYER: u64 = 100;
    let scope = Scope::Namespace(repository("team"));
    let quota = Quota {
        scope: scope.clone(),
        bytes: Some(20 * LAYER),
        tags: Some(7),
    };
    let bounds = Bounds::new(|_| false, vec![quota]);
    let mut pushes = JoinSet::new();
    for number in 0..150_u64 {
        let (store, bounds) = (Arc::clone(&store), bounds.clone());
        let here = repository(["team", "team/app"][number as usize % 2]);
        pushes.spawn(async move {
            let digest = Digest::sha256(&number.to_le_bytes());
            let layer = Blob {
                digest,
                size: LAYER,
            };
            let linked = store.link_blob_within(&here, &layer, None, &bounds).await;
            // It takes no bytes.
            let tagged = manifest("", &[&format!("t{number}")]);
            let put = store.put_manifest_within(&here, &tagged, &bounds).await;
            (is_let_in(linked), is_let_in(put))
        });
    }
    let answers = pushes.join_all().await;
    let let_in = |answers: &mut dyn Iterator<Item = bool>| answers.filter(|is_in| *is_in).count();
    let linked = let_in(&mut answers.iter().map(|(linked, _)| *linked));
    let tagged = let_in(&mut answers.iter().map(|(_, tagged)| *tagged));
    assert_eq!((linked, tagged), (20, 7));
    let full = Usage {
        bytes: 20 * LAYER,
        tags: 7,
    };
    assert_eq!(store.usage(&scope).await.unwrap(), full);
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
    none_exceeds(store).await;
    none_exceeds(Arc::new(MemoryMetadata::default())).await;
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
    let layer = Blob {
        digest: Digest::sha256(b"layer"),
        size: 5,
    };
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
