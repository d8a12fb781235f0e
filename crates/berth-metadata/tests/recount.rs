//! What is kept of the use of repositories and namespaces is corrected when it is wrong.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use berth_metadata::{
    Blob, InspectionStore, MetadataStore, NewManifest, Scope, SqliteMetadata, Usage,
};
use berth_spec::{Digest, RepositoryName, media_types};
use bytes::Bytes;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use tempfile::TempDir;

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// A store with `team/app` and `team/other`, which hold a layer and an index each, and its folder.
async fn stored() -> (SqliteMetadata, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteMetadata::open(&folder.path().join("metadata.sqlite3")).unwrap();
    let layer = Blob::new(Digest::sha256(b"layer"), 5);
    let index = NewManifest {
        digest: Digest::sha256(b"an index"),
        media_type: media_types::OCI_IMAGE_INDEX.parse().unwrap(),
        artifact_type: None,
        subject: None,
        annotations: BTreeMap::new(),
        content: Bytes::from("an index"),
        required_blobs: Vec::new(),
        optional_blobs: Vec::new(),
        required_manifests: Vec::new(),
        tags: vec!["v1".parse().unwrap()],
        condition: None,
    };
    for name in ["team/app", "team/other"].map(repository) {
        store.link_blob(&name, &layer, None).await.unwrap();
        store.put_manifest(&name, &index).await.unwrap();
    }
    (store, folder)
}

/// Does what berth never does.
fn change(folder: &TempDir, statements: &str) {
    let path = folder.path().join("metadata.sqlite3");
    let mut connection = connect(&path);
    connection.batch_execute(statements).unwrap();
}

fn connect(path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection
        .batch_execute("PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF")
        .unwrap();
    connection
}

async fn usages(store: &SqliteMetadata) -> [Usage; 3] {
    let scopes = [
        Scope::Repository(repository("team/app")),
        Scope::Repository(repository("team/other")),
        Scope::Namespace(repository("team")),
    ];
    let [app, other, team] = scopes.each_ref().map(|scope| store.usage(scope));
    [
        app.await.unwrap(),
        other.await.unwrap(),
        team.await.unwrap(),
    ]
}

#[tokio::test]
async fn a_wrong_count_is_told_and_corrected() {
    let (store, folder) = stored().await;
    let [one, both] = [1, 2].map(|times| Usage {
        bytes: 13 * times,
        tags: times,
    });
    assert_eq!(usages(&store).await, [one, one, both]);
    assert!(store.recount().await.unwrap().is_empty());

    // The namespace follows it.
    let wrong = "UPDATE repositories SET stored_bytes = -7, tag_count = 9 WHERE name = 'team/app'";
    change(&folder, wrong);
    let app = Scope::Repository(repository("team/app"));
    assert!(store.usage(&app).await.is_err());
    assert_eq!(
        store.recount().await.unwrap(),
        [
            "the repository team/app was counted as -7 bytes and 9 tags, and holds 13 bytes and 1 tags; the count is corrected"
        ]
    );
    assert_eq!(usages(&store).await, [one, one, both]);

    change(&folder, "UPDATE namespaces SET stored_bytes = 100");
    assert_eq!(
        store.recount().await.unwrap(),
        [
            "the namespace team was counted as 100 bytes and 2 tags, and holds 26 bytes and 2 tags; the count is corrected"
        ]
    );
    assert_eq!(usages(&store).await, [one, one, both]);
    assert!(store.recount().await.unwrap().is_empty());
    assert!(store.damages().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_link_that_leads_nowhere_can_be_removed() {
    let (store, folder) = stored().await;
    let damage = "DELETE FROM blobs; DELETE FROM repository_blobs WHERE repository_id = 1";
    change(&folder, damage);
    let told = store.recount().await.unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    let rest = Usage { bytes: 8, tags: 1 };
    assert_eq!(usages(&store).await[..2], [rest, rest]);
}
