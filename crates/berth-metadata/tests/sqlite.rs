//! What is particular to SQLite: what is in the file, what survives, and what fails alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_metadata::{
    Blob, MetadataError, MetadataStore, NewManifest, PutManifest, SqliteMetadata, UploadRecord,
};
use berth_spec::{Algorithm, Digest, Reference, RepositoryName, SessionId, media_types};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use tempfile::TempDir;

struct Database {
    store: Arc<SqliteMetadata>,
    path: PathBuf,
    folder: TempDir,
}

impl Database {
    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn open(folder: TempDir) -> Self {
        let path = folder.path().join("metadata.sqlite3");
        Self {
            store: Arc::new(SqliteMetadata::open(&path).unwrap()),
            path,
            folder,
        }
    }

    fn reopen(self) -> Self {
        assert_eq!(Arc::strong_count(&self.store), 1);
        drop(self.store);
        Self::open(self.folder)
    }

    /// How many rows there are, as another program sees the file.
    fn count(&self, rows: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = BigInt)]
            count: i64,
        }
        let query = diesel::sql_query(format!("SELECT count(*) AS count FROM {rows}"));
        query
            .get_result::<Count>(&mut raw(&self.path))
            .unwrap()
            .count
    }
}

fn raw(path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;")
        .unwrap();
    connection
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn blob(content: &str) -> Blob {
    Blob::new(Digest::sha256(content.as_bytes()), content.len() as u64)
}

fn manifest(content: &str, blobs: &[&Blob], tags: &[&str]) -> NewManifest {
    NewManifest {
        digest: Digest::sha256(content.as_bytes()),
        media_type: media_types::OCI_IMAGE_MANIFEST.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        required_blobs: blobs.iter().map(|blob| blob.digest.clone()).collect(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        condition: None,
    }
}

async fn put(database: &Database, repository: &RepositoryName, manifest: &NewManifest) {
    let put = database.store.put_manifest(repository, manifest).await;
    assert_eq!(put.unwrap(), PutManifest::Stored);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let database = Database::new();
    let (here, layer) = (repository("a/b"), blob("layer"));
    let upload = UploadRecord {
        id: SessionId::random(),
        repository: here.clone(),
        algorithm: Algorithm::Sha256,
        offset: 7,
        hash_state: vec![1, 2, 3],
        revision: 4,
        expires_at: std::time::SystemTime::UNIX_EPOCH,
        holder: None,
    };
    database.store.link_blob(&here, &layer, None).await.unwrap();
    put(&database, &here, &manifest("image", &[&layer], &["v1"])).await;
    database.store.create_upload(&upload).await.unwrap();
    let database = database.reopen();
    let store = &database.store;
    assert_eq!(store.blob(&here, &layer.digest).await.unwrap(), Some(layer));
    let by_tag = Reference::Tag("v1".parse().unwrap());
    let found = store.manifest(&here, &by_tag).await.unwrap().unwrap();
    assert_eq!(found.content, "image");
    assert_eq!(store.upload(upload.id).await.unwrap(), Some(upload));
}

#[tokio::test]
async fn metadata_of_a_newer_version_is_refused_unchanged() {
    let Database {
        store,
        path,
        folder: _folder,
    } = Database::new();
    drop(store);
    raw(&path)
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .unwrap();
    let error = SqliteMetadata::open(&path).err().unwrap().to_string();
    assert!(error.contains("a newer version of berth"), "{error}");
    assert!(error.contains("99990101000000"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_at_once_are_all_answered_and_all_stored() {
    let database = Database::new();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..600 {
        let store = Arc::clone(&database.store);
        writers.spawn(async move {
            let here = repository(&format!("r{}", number % 7));
            let layer = blob(&format!("layer {number}"));
            store.link_blob(&here, &layer, None).await.unwrap();
            let tag = format!("t{number}");
            let image = manifest(&format!("image {number}"), &[&layer], &[&tag]);
            assert_eq!(
                store.put_manifest(&here, &image).await.unwrap(),
                PutManifest::Stored
            );
            // What was answered is seen by whoever asks next.
            let by_tag = Reference::Tag(tag.parse().unwrap());
            assert!(store.manifest(&here, &by_tag).await.unwrap().is_some());
        });
    }
    writers.join_all().await;
    let database = database.reopen();
    for (table, rows) in [
        ("repositories", 7),
        ("blobs", 600),
        ("repository_blobs", 600),
        ("manifests", 600),
        ("manifest_blobs WHERE blob_id IS NOT NULL", 600),
        ("tags", 600),
    ] {
        assert_eq!(database.count(table), rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_harms_no_other() {
    let database = Database::new();
    let conflicting = blob("conflict");
    let here = repository("a");
    database
        .store
        .link_blob(&here, &conflicting, None)
        .await
        .unwrap();
    // Makes the database itself fail, in the middle of a batch.
    raw(&database.path)
        .batch_execute(
            "CREATE TRIGGER fail BEFORE INSERT ON repositories WHEN NEW.name = 'broken'
             BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END",
        )
        .unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..300 {
        let store = Arc::clone(&database.store);
        let conflict = Blob {
            size: 1,
            ..conflicting.clone()
        };
        writers.spawn(async move {
            let layer = blob(&format!("layer {number}"));
            match number % 3 {
                0 => store
                    .link_blob(&repository("a"), &layer, None)
                    .await
                    .unwrap(),
                1 => {
                    let linked = store.link_blob(&repository("broken"), &layer, None).await;
                    let error = linked.unwrap_err();
                    assert!(error.to_string().contains("broken on purpose"), "{error}");
                }
                _ => {
                    let linked = store.link_blob(&repository("a"), &conflict, None).await;
                    let error = linked.unwrap_err();
                    assert!(
                        matches!(error, MetadataError::SizeConflict { .. }),
                        "{error}"
                    );
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(database.count("repository_blobs"), 101);
    assert_eq!(
        database.count("blobs"),
        101,
        "a write that failed left a row"
    );
    assert_eq!(database.count("repositories"), 1);
}

#[tokio::test]
async fn deleting_a_manifest_takes_its_links_and_leaves_its_blobs() {
    let database = Database::new();
    let (here, layer) = (repository("a"), blob("layer"));
    database.store.link_blob(&here, &layer, None).await.unwrap();
    let image = manifest("image", &[&layer], &["v1", "v2"]);
    let index = NewManifest {
        required_manifests: vec![image.digest.clone()],
        ..manifest("index", &[], &["v3"])
    };
    put(&database, &here, &image).await;
    put(&database, &here, &index).await;
    assert_eq!(database.count("manifest_manifests"), 1);
    for digest in [&index.digest, &image.digest] {
        assert!(database.store.delete_manifest(&here, digest).await.unwrap());
    }
    for table in ["manifests", "tags", "manifest_blobs", "manifest_manifests"] {
        assert_eq!(database.count(table), 0, "{table}");
    }
    assert_eq!(database.count("repository_blobs"), 1);
    assert_eq!(database.count("blobs"), 1);
}

#[tokio::test]
async fn a_blob_that_somebody_needs_cannot_be_removed() {
    let database = Database::new();
    let (here, layer) = (repository("a"), blob("layer"));
    database.store.link_blob(&here, &layer, None).await.unwrap();
    put(&database, &here, &manifest("image", &[&layer], &[])).await;
    let remove = "DELETE FROM blobs";
    raw(&database.path)
        .batch_execute(remove)
        .expect_err("it is linked");
    raw(&database.path)
        .batch_execute("DELETE FROM repository_blobs")
        .unwrap();
    raw(&database.path)
        .batch_execute(remove)
        .expect_err("a manifest needs it");
    assert!(
        database
            .store
            .delete_manifest(&here, &Digest::sha256(b"image"))
            .await
            .unwrap()
    );
    raw(&database.path).batch_execute(remove).unwrap();
}

#[tokio::test]
async fn a_manifest_that_is_pushed_again_mends_the_one_that_rotted() {
    let database = Database::new();
    let here = repository("here");
    let image = manifest("image", &[], &["v1"]);
    put(&database, &here, &image).await;
    raw(&database.path)
        .batch_execute("UPDATE manifests SET size = 4, content = x'00000000'")
        .unwrap();
    put(&database, &here, &image).await;
    let by_digest = Reference::Digest(image.digest.clone());
    let stored = database.store.manifest(&here, &by_digest).await.unwrap();
    assert_eq!(stored.unwrap().content, image.content);
}

#[tokio::test]
async fn a_blob_that_comes_back_is_linked_to_the_manifests_that_need_it() {
    const LINKED: &str = "manifest_blobs WHERE blob_id IS NOT NULL";
    let database = Database::new();
    let store = &database.store;
    let (here, there, layer) = (repository("here"), repository("there"), blob("layer"));
    for repository in [&here, &there] {
        store.link_blob(repository, &layer, None).await.unwrap();
        put(
            &database,
            repository,
            &manifest("image", &[&layer], &["v1"]),
        )
        .await;
    }
    assert_eq!(database.count(LINKED), 2);
    assert!(store.unlink_blob(&here, &layer.digest).await.unwrap());
    assert_eq!(
        database.count(LINKED),
        1,
        "the other repository keeps its link"
    );
    assert_eq!(database.count("manifest_blobs"), 2);
    store.link_blob(&here, &layer, None).await.unwrap();
    assert_eq!(database.count(LINKED), 2);

    assert!(store.unlink_blob(&here, &layer.digest).await.unwrap());
    let mounted = store.mount_blob(&here, Some(&there), &layer.digest).await;
    assert_eq!(mounted.unwrap(), Some(layer));
    assert_eq!(database.count(LINKED), 2);
}

#[tokio::test]
async fn a_condemned_blob_that_is_pushed_or_mounted_lives_again() {
    let database = Database::new();
    let store = &database.store;
    let layer = blob("layer");
    store
        .link_blob(&repository("a"), &layer, None)
        .await
        .unwrap();
    let condemn = "UPDATE blobs SET state = 'condemned', condemned_at = 1";
    let living = "blobs WHERE state = 'live' AND condemned_at IS NULL";
    raw(&database.path).batch_execute(condemn).unwrap();
    assert_eq!(database.count(living), 0);
    store
        .link_blob(&repository("b"), &layer, None)
        .await
        .unwrap();
    assert_eq!(database.count(living), 1);
    raw(&database.path).batch_execute(condemn).unwrap();
    let (from, here) = (repository("b"), repository("c"));
    let mounted = store.mount_blob(&here, Some(&from), &layer.digest).await;
    assert_eq!(mounted.unwrap(), Some(layer));
    assert_eq!(database.count(living), 1);
}
